/* remains.c: one lstat() for the mount, one walk over /proc for the processes.
 *
 * The workspace's device number says what belongs to it. Its root folder stays open while we look,
 * and for as long as something is left: a number that is free would be the next tmpfs's. A process
 * in a sandbox shows the device in its list of mounts, whatever it has open; any other must have a
 * file of it open, or work or run there. Of ourselves only descriptors count. */
#include "remains.h"

#include "space.h"
#include "watchdog.h"

#include <base/log.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { WHAT_MAX = 16, LINE_TEXT_MAX = 4096, LOOKS = 10, LOOK_PAUSE_MS = 10 };

static _Thread_local struct {
    bool is_there, is_mount;
    char path[SPACE_PATH_MAX];
    int fd;
} noted;

/* ---- processes ---- */

struct search {
    dev_t device;
    int ours; /* our own descriptor of it */
    pid_t found;
    char what[WHAT_MAX];
};

static bool is_on(dev_t device, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == device;
}

static bool holds_open(const struct search *s, pid_t pid)
{
    char path[64 + NAME_MAX];
    bool holds = false;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && !holds && (e = readdir(d));) {
        if (e->d_name[0] == '.' || (pid == getpid() && strtol(e->d_name, NULL, 10) == s->ours))
            continue;
        snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)pid, e->d_name);
        holds = is_on(s->device, path);
    }
    if (d)
        closedir(d);
    return holds;
}

/* The third word of each line is the device. */
static bool sees_mounted(dev_t device, pid_t pid)
{
    char path[64], line[LINE_TEXT_MAX];
    unsigned at_major, at_minor;
    bool sees = false;
    snprintf(path, sizeof path, "/proc/%d/mountinfo", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && !sees && fgets(line, sizeof line, f))
        sees = sscanf(line, "%*d %*d %u:%u ", &at_major, &at_minor) == 2 &&
               at_major == major(device) && at_minor == minor(device);
    if (f)
        fclose(f);
    return sees;
}

static bool is_of_job(void *arg, pid_t pid)
{
    static const char *const places[] = {"cwd", "root", "exe"};
    struct search *s = arg;
    char path[64];
    bool is_of = holds_open(s, pid), is_other = pid != getpid();
    for (size_t i = 0; is_other && !is_of && i < ARRAY_LEN(places); i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, places[i]);
        is_of = is_on(s->device, path);
    }
    if (!is_of && (!is_other || !sees_mounted(s->device, pid)))
        return false;
    s->found = pid;
    snprintf(s->what, sizeof s->what, "%s", is_other ? "process" : "descriptor");
    return true;
}

/* Without /proc nobody can say; a child's end was the kernel's word already. */
static bool process_find(int fd, struct search *ret_search)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    *ret_search = (struct search){.device = st.st_dev, .ours = fd};
    return watchdog_find("/proc", getpid(), is_of_job, ret_search) == WATCHDOG_FOUND;
}

/* A child of another slot has copies of all our descriptors between its clone and its exec: what is
 * found must still be there a moment later. */
static bool process_stays(int fd, struct search *ret_search)
{
    for (int i = 0; i < LOOKS; i++) {
        if (!process_find(fd, ret_search))
            return false;
        poll(NULL, 0, LOOK_PAUSE_MS);
    }
    return process_find(fd, ret_search);
}

/* ---- what is left ---- */

static bool folder_is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 || errno != ENOENT;
}

void remains_look(const char *path, int fd)
{
    struct search s = {.what = "mount"};
    bool is_mount = folder_is_there(path), is_there = is_mount || process_stays(fd, &s);
    if (is_there)
        log_error("workspace.left", "path=%s what=%s pid=%d its slot takes no job until it is gone",
                  path, s.what, (int)s.found);
    if (!is_there || noted.is_there) { /* the first is waited for; it is the same slot */
        if (fd >= 0)
            close(fd);
        return;
    }
    noted.is_there = true;
    noted.is_mount = is_mount;
    noted.fd = fd;
    snprintf(noted.path, sizeof noted.path, "%s", path);
}

static bool is_left(void)
{
    struct search s;
    if (noted.is_mount) {
        umount2(noted.path, MNT_DETACH | UMOUNT_NOFOLLOW);
        rmdir(noted.path);
        noted.is_mount = folder_is_there(noted.path);
    }
    return noted.is_mount || process_find(noted.fd, &s);
}

bool remains_are_there(void)
{
    if (!noted.is_there)
        return false;
    if (is_left())
        return true;
    log_info("workspace.gone", "path=%s", noted.path);
    if (noted.fd >= 0)
        close(noted.fd);
    noted.is_there = false;
    return false;
}
