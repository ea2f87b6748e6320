/*
 * Preloaded into a program: keeps it loaded and linked before its main, and has a copy of the process run main
 * for each question. What takes time of such a program is its start: a question costs a tenth so.
 *
 * A question on standard input: uid, gid, the length of what follows; the arguments, each with its NUL. The
 * real uid is that uid, the effective one root's, as for a program with the setuid bit. An answer on standard
 * output: wait's status, the lengths of what the program wrote to its output and its error output; both.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int main_function(int, char **, char **);
static main_function *program;

/* Ends the process where the test has ended, or anything fails: the test then misses the answer. */
static void take(void *to, size_t size)
{
    for (ssize_t n; size; to = (char *)to + n, size -= n)
        if ((n = read(0, to, size)) <= 0)
            _exit(n != 0);
}

static void give(const void *from, size_t size)
{
    for (ssize_t n; size; from = (const char *)from + n, size -= n)
        if ((n = write(1, from, size)) <= 0)
            _exit(1);
}

static void answer(int status, const int streams[2])
{
    static char bytes[1 << 20];
    uint32_t head[3] = { status };
    size_t size = sizeof head;
    for (int i = 0; i < 2; i++) {
        ssize_t n = pread(streams[i], bytes + size, sizeof bytes - size, 0);
        if (n < 0 || size + n == sizeof bytes)
            _exit(1);
        head[1 + i] = n;
        size += n;
    }
    memcpy(bytes, head, sizeof head);
    give(bytes, size);
}

/* The process of one question. */
static int ask(uid_t uid, gid_t gid, char **arguments, int count, const int streams[2])
{
    int nothing = open("/dev/null", O_RDONLY);
    if (dup2(nothing, 0) || dup2(streams[0], 1) != 1 || dup2(streams[1], 2) != 2)
        _exit(99);
    close(nothing);
    close(streams[0]);
    close(streams[1]);
    if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, 0, 0) || clearenv())
        _exit(99);
    exit(program(count, arguments, environ));
}

static int serve(int own_count, char **own_arguments, char **environment)
{
    (void)own_count, (void)environment;
    int streams[2] = { memfd_create("stdout", 0), memfd_create("stderr", 0) };
    for (;;) {
        uint32_t head[3];
        static char words[1 << 16];
        take(head, sizeof head);
        if (head[2] > sizeof words)
            return 1;
        take(words, head[2]);
        static char *arguments[1 << 10];
        int count = 0;
        arguments[count++] = own_arguments[0];
        for (char *word = words; word < words + head[2] && count < (1 << 10) - 1; word += strlen(word) + 1)
            arguments[count++] = word;
        arguments[count] = NULL;
        for (int i = 0; i < 2; i++)
            if (ftruncate(streams[i], 0) || lseek(streams[i], 0, SEEK_SET))
                return 1;
        pid_t child = fork();
        if (child == 0)
            ask(head[0], head[1], arguments, count, streams);
        int status;
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 1;
        answer(status, streams);
    }
}

int __libc_start_main(main_function *main, int count, char **arguments, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
    int (*start)(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *) =
        dlsym(RTLD_NEXT, "__libc_start_main");
    program = main;
    return start(serve, count, arguments, init, fini, rtld_fini, stack_end);
}
