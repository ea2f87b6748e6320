/*
 * A directory of one account that writes down what it is asked: libnss_sss.so.2 of a sandbox. Where there is a
 * file /tmp/slow each answer takes 20 ms.
 */
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static void asked(const char *call, const char *name, long id)
{
    if (access("/tmp/slow", F_OK) == 0)
        usleep(20000);
    FILE *log = fopen("/tmp/asked", "a");
    if (log == NULL)
        return;
    if (name != NULL)
        fprintf(log, "%s %s\n", call, name);
    else
        fprintf(log, "%s %ld\n", call, id);
    fclose(log);
}

static enum nss_status none(int *error)
{
    *error = ENOENT;
    return NSS_STATUS_NOTFOUND;
}

static enum nss_status lena(struct passwd *entry, char *buffer, size_t size, int *error)
{
    static const char text[] = "CORP\\Lena\0x\0Lena\0/home/lena\0/bin/sh";
    if (size < sizeof text) {
        *error = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    memcpy(buffer, text, sizeof text);
    entry->pw_name = buffer;
    entry->pw_passwd = entry->pw_name + strlen(entry->pw_name) + 1;
    entry->pw_gecos = entry->pw_passwd + strlen(entry->pw_passwd) + 1;
    entry->pw_dir = entry->pw_gecos + strlen(entry->pw_gecos) + 1;
    entry->pw_shell = entry->pw_dir + strlen(entry->pw_dir) + 1;
    entry->pw_uid = 1200001007;
    entry->pw_gid = 1200001000;
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_sss_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, int *error)
{
    asked("getpwnam", name, 0);
    return strcasecmp(name, "corp\\lena") == 0 ? lena(entry, buffer, size, error) : none(error);
}

enum nss_status _nss_sss_getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, int *error)
{
    asked("getpwuid", NULL, uid);
    return uid == 1200001007 ? lena(entry, buffer, size, error) : none(error);
}

enum nss_status _nss_sss_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, int *error)
{
    (void)entry, (void)buffer, (void)size;
    asked("getgrnam", name, 0);
    return none(error);
}

enum nss_status _nss_sss_getgrgid_r(gid_t gid, struct group *entry, char *buffer, size_t size, int *error)
{
    (void)entry, (void)buffer, (void)size;
    asked("getgrgid", NULL, gid);
    return none(error);
}
