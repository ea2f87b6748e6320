/*
 * hostile DEED...: what a local user may try, one line for each attempt: its name, and `done` or the kernel's
 * refusal. Runs as whoever starts it; says what happened and judges nothing.
 *
 * Linux 5.6 or later.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void tried(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
    fflush(stdout);
}

static int opened(const char *what, const char *path, int flags)
{
    int fd = open(path, flags | O_NONBLOCK | O_NOCTTY);
    tried(what, fd);
    return fd;
}

/* What may be done to a process. */
static void attack(pid_t pid)
{
    char path[64];
    const char *files[] = { "mem", "environ", "fd/0", "ns/user", "root", "maps" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
        opened(files[i], path, O_RDONLY);
    }
    char byte;
    struct iovec here = { &byte, 1 }, there = { (void *)0x1000, 1 };
    long got = process_vm_readv(pid, &here, 1, &there, 1, 0);
    /* Rights are looked at before the address. */
    tried("read", got < 0 && errno == EFAULT ? 0 : got);
    tried("trace", ptrace(PTRACE_SEIZE, pid, 0, 0));
    tried("signal", kill(pid, SIGWINCH));
    tried("renice", setpriority(PRIO_PROCESS, (id_t)pid, 19));
    struct rlimit none = { 0, 0 };
    tried("limit", prlimit(pid, RLIMIT_CORE, &none, NULL));
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    tried("affinity", sched_setaffinity(pid, sizeof all, &all));
}

/* Types a line into every terminal that can be reached. */
static void type(void)
{
    const char *line = "typed\n";
    for (int fd = -1; fd < 10; fd++) {
        int at = fd < 0 ? open("/dev/tty", O_RDWR) : fd;
        for (const char *c = line; *c && ioctl(at, TIOCSTI, c) == 0; c++)
            ;
    }
}

/* The descriptors and the environment of a program that has just been started. */
static void self(void)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(folder))
            printf("fd %s\n", entry->d_name);
    for (char **variable = environ; *variable; variable++)
        printf("env %s\n", *variable);
}

/* Out of the container: at the host's files. */
static void files(void)
{
    tried("remount /", mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
    tried("remount /etc", mount(NULL, "/etc", NULL, MS_REMOUNT | MS_BIND, NULL));
    tried("chown", chown("/etc/passwd", 1, 1));
    tried("chmod", chmod("/etc/passwd", 0666));
    opened("write", "/etc/passwd", O_WRONLY);
    tried("unlink", unlink("/etc/passwd"));
    opened("create", "/etc/hers", O_WRONLY | O_CREAT);
    opened("secret", "/root/secret", O_RDONLY);
    tried("device", mknod("/var/tmp/sda", S_IFBLK | 0600, 8 << 8));
}

/* Out of the container: at the host's processes and mounts. */
static void processes(void)
{
    char own[64] = "", its[64];
    (void)!readlink("/proc/self/ns/pid", own, sizeof own - 1);
    /* What is seen below it is the host's. */
    tried("umount /proc", umount2("/proc", MNT_DETACH));
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        char path[300], comm[32] = "";
        if (atoi(entry->d_name) == 0)
            continue;
        snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
        int fd = open(path, O_RDONLY);
        if (fd < 0 || read(fd, comm, sizeof comm - 1) < 1)
            continue;
        close(fd);
        /* Its own first process is as much its own as itself. */
        snprintf(path, sizeof path, "/proc/%s/ns/pid", entry->d_name);
        memset(its, 0, sizeof its);
        if (readlink(path, its, sizeof its - 1) > 0 && !strcmp(own, its))
            continue;
        const char *ways[] = { "mem", "fd/0", "fd/3", "root/etc/passwd", "ns/mnt", "ns/pid", "ns/user" };
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name, ways[i]);
            fd = opened(ways[i], path, O_RDONLY);
            if (fd >= 0 && i > 3)
                tried("setns", setns(fd, 0));
        }
        snprintf(path, sizeof path, "/proc/%s", entry->d_name);
        fd = open(path, O_RDONLY | O_DIRECTORY);
        tried("kill", syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
        close(fd);
        printf("tried process %s", comm);
    }
}

/* Says on the container's own socket what no container of subidctl says. */
static void lie(const char *words, int times, size_t count)
{
    int first = (int)syscall(SYS_pidfd_open, 1, 0);
    int socket = (int)syscall(SYS_pidfd_getfd, first, 3, 0);
    tried("the socket", socket);
    int files[8] = { 0, 1, 2, 0, 1, 2, 0, 1 };
    union { struct cmsghdr header; char room[CMSG_SPACE(sizeof files)]; } control = { .header = {
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof *files) } };
    memcpy(CMSG_DATA(&control.header), files, count * sizeof *files);
    struct iovec part = { (void *)words, strlen(words) };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = count ? &control : NULL,
                              .msg_controllen = count ? CMSG_SPACE(count * sizeof *files) : 0 };
    for (int n = 0; n < times; n++)
        if (sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
            return;
}

/* Leaves a process behind that nothing but SIGKILL ends. */
static void stay(void)
{
    if (fork() != 0) {
        /* When this is gone the other is there. */
        (void)wait(NULL);
        return;
    }
    setsid();
    if (fork() != 0)
        _exit(0);
    for (int signal = 1; signal < NSIG; signal++)
        (void)sigaction(signal, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    const char *deed = argc > 1 ? argv[1] : "";
    if (!strcmp(deed, "attack") && argc == 3)
        attack((pid_t)atoi(argv[2]));
    else if (!strcmp(deed, "type"))
        type();
    else if (!strcmp(deed, "self"))
        self();
    else if (!strcmp(deed, "files"))
        files();
    else if (!strcmp(deed, "processes"))
        processes();
    else if (!strcmp(deed, "lie") && argc == 5)
        lie(argv[2], atoi(argv[3]), (size_t)atoi(argv[4]) % 9);
    else if (!strcmp(deed, "stay"))
        stay();
    else
        return 97;
    return 0;
}
