/*
 * floor FOLDER [FILE NEW]...: the least that a durable change of files costs. Each FILE of FOLDER gets the content of
 * NEW, and FILE- the content that FILE had: written beside it, fsynced, renamed, and at the end the folder fsynced.
 *
 * No lock, no line read, no journal, no history: what `apply` takes beyond it is what all of that costs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

struct content {
    char *bytes;
    size_t length;
    struct stat status;
};

static struct content read_all(int folder, const char *name)
{
    struct content content;
    const int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0 || fstat(file, &content.status))
        fail(name);
    content.length = (size_t)content.status.st_size;
    content.bytes = malloc(content.length + 1);
    for (size_t done = 0; done < content.length;) {
        const ssize_t n = content.bytes ? read(file, content.bytes + done, content.length - done) : -1;
        if (n <= 0)
            fail(name);
        done += (size_t)n;
    }
    close(file);
    return content;
}

/* A whole, durable file of these bytes, with that file's owner and mode. */
static void write_all(int folder, const char *name, const struct content *content, const struct stat *like)
{
    if (unlinkat(folder, name, 0) && errno != ENOENT)
        fail(name);
    const int file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        fail(name);
    for (size_t done = 0; done < content->length;) {
        const ssize_t n = write(file, content->bytes + done, content->length - done);
        if (n < 0)
            fail(name);
        done += (size_t)n;
    }
    if (fchown(file, like->st_uid, like->st_gid) || fchmod(file, like->st_mode & 07777) || fsync(file) || close(file))
        fail(name);
}

static const char *beside(const char *name, const char *end)
{
    char *beside;
    if (asprintf(&beside, ".floor.%s.%s", name, end) < 0)
        fail(name);
    return beside;
}

static void move(int folder, const char *from, const char *to)
{
    if (renameat(folder, from, folder, to))
        fail(to);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc % 2) {
        fprintf(stderr, "usage: floor FOLDER [FILE NEW]...\n");
        return 2;
    }
    const int folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        fail(argv[1]);
    for (char **pair = argv + 2; *pair; pair += 2) {
        const struct content old = read_all(folder, pair[0]), new = read_all(AT_FDCWD, pair[1]);
        write_all(folder, beside(pair[0], "new"), &new, &old.status);
        write_all(folder, beside(pair[0], "old"), &old, &old.status);
    }
    /* Backups first, as a change of both files has to. */
    for (char **pair = argv + 2; *pair; pair += 2) {
        char *backup;
        if (asprintf(&backup, "%s-", pair[0]) < 0)
            fail(pair[0]);
        move(folder, beside(pair[0], "old"), backup);
    }
    for (char **pair = argv + 2; *pair; pair += 2)
        move(folder, beside(pair[0], "new"), pair[0]);
    if (fsync(folder))
        fail(argv[1]);
    return 0;
}
