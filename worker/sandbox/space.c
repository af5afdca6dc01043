/* space.c: unshare, a private tmpfs, and openat2().
 *
 * Each child of the agent runs in a copy of our mount namespace, which has the mounts of all jobs
 * of that moment. So unmounting alone does not give a finished job's memory back while another
 * job's children live; removing the mount point does, because the kernel then takes the mount out
 * of every copy. The mount point is one fixed folder for each user, never removed: every agent
 * covers it with its own tmpfs in its own namespace, so several agents do not meet, and there is
 * nothing to sweep up after a killed one. */
#include "space.h"

#include "remains.h"

#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROOM_LEAST_BYTES = 64 * 1024, INODES_PER_MIB = 512, INODES_LEAST = 65536 };
enum { CHROOT_DEPTH_MAX = 64 };

static const char base_options[] = "mode=0711,size=4m,nr_inodes=4k";

/* The folders of a build; plan.c says which step sees which. */
static const char *const folders[] = {"app",
                                      "install",
                                      "npm",
                                      "out",
                                      "home",
                                      "tmp",
                                      "rc",
                                      "cache",
                                      "map",
                                      "map-home",
                                      "map-tmp",
                                      "ahead",
                                      "ahead/app",
                                      "ahead/out",
                                      "ahead/home",
                                      "ahead/tmp",
                                      "ahead/cache",
                                      "modules-cache",
                                      "ahead/modules-cache"};

static int refuse(char why[SPACE_WHY_MAX], const char *what)
{
    snprintf(why, SPACE_WHY_MAX, "%.160s: %s", what, strerror(errno));
    return SPACE_REFUSED;
}

static int id_map(const char *path, unsigned id)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%u %u 1\n", id, id);
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 || write(fd, text, (size_t)n) != n ? -1 : 0;
}

/* Ids stay what they are: sockets and files still show who we are. */
static int user_namespace(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -1;
    AUTO_FD fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "deny", 4) != 4)
        return -1;
    return id_map("/proc/self/uid_map", uid) < 0 ? -1 : id_map("/proc/self/gid_map", gid);
}

/* The kernel makes no user namespace for a process in a chroot; bubblewrap needs one. Asked in a
 * child, because the answer changes whoever asks. */
static bool is_in_chroot(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(unshare(CLONE_NEWUSER) < 0 && errno == EPERM ? 1 : 0);
    int status = 0;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

/* Makes the chroot that we were started in the true root of our own mount namespace. pivot_root()
 * works from a namespace's root only, so we first step out (a second chroot() below leaves our
 * working folder above it, and ".." leads up), detach the namespace from the host's, and come back
 * in through a bind mount of the folder. */
static int root_take(const char *below)
{
    char folder[SPACE_PATH_MAX];
    AUTO_FD inside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (inside < 0 || chdir("/") < 0 || chroot(below) < 0)
        return -1;
    for (int i = 0; i < CHROOT_DEPTH_MAX; i++)
        if (chdir("..") < 0)
            return -1;
    if (chroot(".") < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return -1;
    if (fchdir(inside) < 0 || !getcwd(folder, sizeof folder) ||
        mount(folder, folder, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -1;
    if (chdir(folder) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        return -1;
    return chdir("/");
}

static int namespaces_enter(struct space_root *root, char why[SPACE_WHY_MAX])
{
    bool is_chroot = geteuid() == 0 && is_in_chroot();
    if (unshare(CLONE_NEWNS) < 0) {
        if (user_namespace() < 0)
            return refuse(why, "no mount namespace (run as root, or allow user namespaces)");
        root->has_user_namespace = true;
    }
    if (is_chroot && !root->has_user_namespace && root_take(root->path) < 0)
        return refuse(why, "this chroot cannot become the root of a mount namespace");
    /* What the host unmounts goes away here as well; nothing of ours gets out. */
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return refuse(why, "the mount namespace cannot be detached from the host's");
    return 0;
}

/* A folder of ours that nobody else could have put there as a link. */
static int folder_claim(const char *path)
{
    struct stat st;
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -1;
    if (lstat(path, &st) < 0)
        return -1;
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid()) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

static int mount_point(char path[SPACE_PATH_MAX])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    snprintf(path, SPACE_PATH_MAX, "/run/rota-worker");
    if (geteuid() == 0 && folder_claim(path) == 0)
        return 0;
    snprintf(path, SPACE_PATH_MAX, "%s/rota-worker", runtime ? runtime : "");
    if (runtime && *runtime == '/' && folder_claim(path) == 0)
        return 0;
    snprintf(path, SPACE_PATH_MAX, "/tmp/rota-worker-%u", (unsigned)geteuid());
    return folder_claim(path);
}

/* Linux knows noswap since 6.4, and takes it from the true root alone. */
static int tmpfs_mount(const char *what, const char *path, const char *options, bool no_swap)
{
    char text[192];
    snprintf(text, sizeof text, "%s%s", options, no_swap ? ",noswap" : "");
    return mount(what, path, "tmpfs", MS_NOSUID | MS_NODEV, text);
}

int space_enter(struct space_root *ret_root, char why[SPACE_WHY_MAX])
{
    struct space_root root = {0};
    if (mount_point(root.path) < 0)
        return refuse(why, root.path);
    int r = namespaces_enter(&root, why);
    if (r != 0)
        return r;
    root.has_noswap = tmpfs_mount("rota", root.path, base_options, true) == 0;
    if (!root.has_noswap && tmpfs_mount("rota", root.path, base_options, false) < 0)
        return refuse(why, "the workspace's tmpfs cannot be mounted");
    *ret_root = root;
    return 0;
}

static int folders_make(const struct space *s, uid_t owner)
{
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        if (mkdirat(s->fd, folders[i], 0700) < 0 ||
            fchownat(s->fd, folders[i], owner, (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
            return err_raise(-errno);
    return 0;
}

static int space_mount(struct space *s, uint64_t bytes, uid_t owner, bool no_swap)
{
    uint64_t inodes = (bytes >> 20) * INODES_PER_MIB;
    char options[128];
    snprintf(options, sizeof options, "mode=0700,uid=%u,size=%llu,nr_inodes=%llu", (unsigned)owner,
             (unsigned long long)bytes,
             (unsigned long long)(inodes > INODES_LEAST ? inodes : INODES_LEAST));
    if (mkdir(s->path, 0700) < 0 && errno != EEXIST)
        return err_raise(-errno);
    if (tmpfs_mount("rota-job", s->path, options, no_swap) < 0)
        return err_raise(-errno);
    s->fd = open(s->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return s->fd < 0 ? err_raise(-errno) : 0;
}

int space_new(const struct space_root *root, const char *name, uint64_t bytes, uid_t owner,
              struct space **ret_space)
{
    AUTO(space) s = calloc(1, sizeof *s);
    if (!s)
        return err_raise(-ENOMEM);
    s->fd = -1;
    if ((size_t)snprintf(s->path, sizeof s->path, "%s/%s", root->path, name) >= sizeof s->path)
        return err_raise(-ENAMETOOLONG);
    int r = space_mount(s, bytes, owner, root->has_noswap);
    if (r == 0)
        r = folders_make(s, owner);
    if (r < 0)
        return err_pass(r);
    *ret_space = TAKE(s);
    return 0;
}

struct space *space_free(struct space *s)
{
    if (!s)
        return NULL;
    umount2(s->path, MNT_DETACH | UMOUNT_NOFOLLOW);
    rmdir(s->path); /* not only for tidiness: see above */
    remains_look(s->path, s->fd);
    free(s);
    return NULL;
}

int space_open_file(const struct space *s, const char *path, int *ret_fd)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    AUTO_FD fd = (int)syscall(SYS_openat2, s->fd, path, &how, sizeof how);
    if (fd < 0)
        return -errno;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_raise(-errno);
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int space_file(const struct space *s, int *ret_fd)
{
    int fd = openat(s->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_raise(-errno);
    *ret_fd = fd;
    return 0;
}

bool space_is_full(const struct space *s)
{
    struct statvfs v;
    AUTO_FD fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstatvfs(fd, &v) < 0)
        return false;
    return v.f_bavail * v.f_frsize < ROOM_LEAST_BYTES || v.f_favail < 16;
}
