/*
 * Runs a command in a session that has lost something:
 *
 *   session map 0,0,2000 -- CMD        in a user namespace with this map of uids and gids
 *   session deny 0,0,2000000000 -- CMD in one where setgroups is denied
 *   session nest 33 -- CMD             in this many user namespaces of all IDs, one inside the other
 *   session refuse namespaces -- CMD   under a seccomp filter that refuses new user namespaces
 *
 * Called `sudo`, and setuid root, it runs CMD as root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL "0 0 4294967295"

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

static void put(pid_t pid, const char *name, const char *text)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	int file = open(path, O_WRONLY);
	if (file < 0 || write(file, text, strlen(text)) < 0)
		fail(path);
	close(file);
}

/* A child that stays outside writes the maps: in there nobody may. */
static void enter(const char *map, int deny)
{
	int ready[2], status;
	char byte;
	pid_t inside = getpid();
	if (pipe(ready))
		fail("pipe");
	pid_t writer = fork();
	if (writer == 0) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			_exit(125);
		if (deny)
			put(inside, "setgroups", "deny");
		put(inside, "uid_map", map);
		put(inside, "gid_map", map);
		_exit(0);
	}
	close(ready[0]);
	if (writer < 0 || unshare(CLONE_NEWUSER) || write(ready[1], "x", 1) != 1)
		fail("unshare");
	close(ready[1]);
	if (waitpid(writer, &status, 0) != writer || status)
		exit(125);
}

static void nest(int levels)
{
	while (levels-- > 0)
		enter(ALL, 0);
}

static void map(const char *numbers, int deny)
{
	char text[64];
	snprintf(text, sizeof text, "%s", numbers);
	for (char *at = text; (at = strchr(at, ','));)
		*at = ' ';
	enter(text, deny);
}

/* The lower half of an argument of a call. */
#define ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define CALL BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define HAS(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE(errno) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (errno))

static void refuse(void)
{
	/* As container engines do: clone3 has its flags in memory, where no filter sees them. */
	struct sock_filter namespaces[] = {
		CALL, IS(SYS_clone3, 5, 0), IS(SYS_clone, 1, 0), IS(SYS_unshare, 0, 2),
		ARGUMENT(0), HAS(CLONE_NEWUSER, 2, 0), ALLOW, REFUSE(ENOSYS), REFUSE(EPERM),
	};
	struct sock_fprog program = { sizeof namespaces / sizeof *namespaces, namespaces };
	/* By root, and so without no_new_privs, which would be another cause. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		fail("seccomp");
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	if (!strcmp(name ? name + 1 : argv[0], "sudo")) {
		if (argc < 2 || setgid(0) || setuid(0))
			fail("sudo");
		execvp(argv[1], argv + 1);
		fail(argv[1]);
	}
	if (argc < 5 || strcmp(argv[3], "--"))
		return 125;
	if (!strcmp(argv[1], "map"))
		map(argv[2], 0);
	else if (!strcmp(argv[1], "deny"))
		map(argv[2], 1);
	else if (!strcmp(argv[1], "nest"))
		nest(atoi(argv[2]));
	else if (!strcmp(argv[1], "refuse"))
		refuse();
	else
		return 125;
	execvp(argv[4], argv + 4);
	fail(argv[4]);
}
