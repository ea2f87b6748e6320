/*
 * late NAME NTH ERRNO COMMAND...: runs a command, lets the nth of its calls of that name happen, and has it
 * return an error all the same. strace can only have a call fail that is then not carried out.
 *
 * x86-64 Linux. Exits as the command does, or 99 where the call never came. Follows no children: a commit has
 * none.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct { const char *name; unsigned long long number; } calls[] = {
#define CALL(name) { #name, SYS_##name }
    CALL(openat), CALL(openat2), CALL(write), CALL(pwrite64), CALL(fsync), CALL(fdatasync), CALL(fallocate),
    CALL(ftruncate), CALL(linkat), CALL(renameat), CALL(renameat2), CALL(unlinkat), CALL(mkdirat), CALL(fchmod), CALL(fchown),
    CALL(fsetxattr),
};

static void fail(const char *what)
{
    perror(what);
    exit(98);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 97;
    unsigned long long wanted = ~0ULL;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (!strcmp(calls[i].name, argv[1]))
            wanted = calls[i].number;
    if (wanted == ~0ULL) {
        fprintf(stderr, "late: no call %s\n", argv[1]);
        return 97;
    }
    long left = atol(argv[2]);
    const unsigned long long error = (unsigned long long)-atoll(argv[3]);

    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        execvp(argv[4], argv + 4);
        _exit(127);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        fail("late: start");
    if (ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC))
        fail("late: options");
    int begins = 1, executed = 0;
    long pass = 0;
    for (;;) {
        if (ptrace(PTRACE_SYSCALL, child, 0, pass) || waitpid(child, &status, 0) != child)
            fail("late: trace");
        if (WIFEXITED(status))
            return left > 0 ? 99 : WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            return 128 + WTERMSIG(status);
        pass = 0;
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
            executed = 1;
            continue;
        }
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            pass = WSTOPSIG(status);
            continue;
        }
        if (begins) {
            begins = 0;
            continue;
        }
        begins = 1;
        if (!executed)
            continue;
        struct user_regs_struct registers;
        if (ptrace(PTRACE_GETREGS, child, 0, &registers))
            fail("late: read");
        if (registers.orig_rax != wanted || --left != 0)
            continue;
        registers.rax = error;
        if (ptrace(PTRACE_SETREGS, child, 0, &registers))
            fail("late: write");
    }
}
