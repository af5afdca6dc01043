/* keys_rotate.c: the order of the writes is the whole matter. The old public half is kept first;
 * then the new one is announced in sign.pub.next; the rename of sign.key is the moment of change;
 * sign.pub follows. Each write is flushed before the next, so whatever is cut off, sign.key is
 * whole and its public half is in sign.pub or in sign.pub.next. */
#include "edge/keys.h"

#include <base/auto.h>
#include <base/file.h>
#include <base/log.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char old_prefix[] = "sign.pub.";
enum { OLD_PREFIX_LEN = sizeof old_prefix - 1 };

static int refuse(const char *path, const char *why, const char *hint)
{
    log_error("keys.refused", "path=%s why=\"%s\" hint=\"%s\"", path, why, hint);
    return KEYS_REFUSED;
}

/* The key of one name, when it is one: its id must be the name's end. */
static bool old_read(const char *data_dir, const char *name, uint8_t ret_public[SIGN_PUBLIC_BYTES])
{
    char path[PATH_MAX], id[SIGN_KEY_ID_LEN + 1];
    uint8_t public[SIGN_PUBLIC_BYTES];
    if (strncmp(name, old_prefix, OLD_PREFIX_LEN) != 0)
        return false;
    keys_path(data_dir, name, path);
    if (sign_public_read(path, public) != 0)
        return false;
    sign_key_id(public, id);
    if (strcmp(id, name + OLD_PREFIX_LEN) != 0)
        return false;
    memcpy(ret_public, public, sizeof public);
    return true;
}

int keys_old(const char *data_dir, uint8_t ret_public[KEYS_OLD_MAX][SIGN_PUBLIC_BYTES],
             size_t *ret_n)
{
    char path[PATH_MAX];
    size_t n = 0;
    keys_path(data_dir, "", path);
    DIR *d = opendir(path);
    if (!d)
        return err_raise(-errno);
    for (struct dirent *e; n < KEYS_OLD_MAX && (e = readdir(d));)
        n += old_read(data_dir, e->d_name, ret_public[n]);
    closedir(d);
    *ret_n = n;
    return 0;
}

/* Keeps others out until the descriptor is closed. */
static int folder_lock(const char *data_dir, int *ret_fd)
{
    char path[PATH_MAX];
    struct stat st;
    keys_path(data_dir, "", path);
    AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? refuse(path, "it is missing", "check --data") : err_raise(-errno);
    if (fstat(fd, &st) < 0)
        return err_raise(-errno);
    if (st.st_uid != geteuid())
        return refuse(path, "it belongs to another user",
                      "run this as the user of the broker, which must read the new key");
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? refuse(path, "another rotation is under way", "wait for it")
                                    : err_raise(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int public_write(const char *data_dir, const char *suffix,
                        const uint8_t public[SIGN_PUBLIC_BYTES])
{
    char name[OLD_PREFIX_LEN + SIGN_KEY_ID_LEN + 8], path[PATH_MAX];
    snprintf(name, sizeof name, "sign.pub%s%s", *suffix ? "." : "", suffix);
    keys_path(data_dir, name, path);
    int r = sign_public_write(path, public);
    return r < 0 ? err_pass(r) : 0;
}

/* From `old` to a pair that is made here. */
static int change(const char *data_dir, const struct keys *old, const char *old_id,
                  uint8_t ret_public[SIGN_PUBLIC_BYTES])
{
    char path[PATH_MAX];
    uint8_t secret[SIGN_SECRET_BYTES];
    crypto_sign_keypair(ret_public, secret);
    int r = public_write(data_dir, old_id, old->sign_public);
    if (r == 0)
        r = public_write(data_dir, "next", ret_public);
    keys_path(data_dir, "sign.key", path);
    if (r == 0)
        r = file_write(path, 0600, secret, sizeof secret);
    sodium_memzero(secret, sizeof secret);
    if (r == 0)
        r = public_write(data_dir, "", ret_public);
    keys_path(data_dir, "sign.pub.next", path);
    if (r == 0)
        unlink(path); /* left behind, it says nothing that sign.pub does not say */
    return r < 0 ? err_pass(r) : 0;
}

static int room_check(const char *data_dir)
{
    uint8_t public[KEYS_OLD_MAX][SIGN_PUBLIC_BYTES];
    char path[PATH_MAX];
    size_t n;
    int r = keys_old(data_dir, public, &n);
    if (r < 0)
        return err_pass(r);
    keys_path(data_dir, "", path);
    return n < KEYS_OLD_MAX ? 0
                            : refuse(path, "there are 64 old public keys",
                                     "move the oldest sign.pub.* to where they are kept");
}

int keys_rotate(const char *data_dir, char ret_old_id[SIGN_KEY_ID_LEN + 1],
                char ret_new_id[SIGN_KEY_ID_LEN + 1])
{
    struct keys keys;
    uint8_t public[SIGN_PUBLIC_BYTES];
    AUTO_FD lock = -1;
    int r = folder_lock(data_dir, &lock);
    if (r == 0)
        r = keys_load(data_dir, &keys);
    if (r == 0)
        r = room_check(data_dir);
    if (r)
        return r < 0 ? err_pass(r) : r;
    sign_key_id(keys.sign_public, ret_old_id);
    r = change(data_dir, &keys, ret_old_id, public);
    keys_wipe(&keys);
    if (r < 0)
        return err_pass(r);
    sign_key_id(public, ret_new_id);
    return 0;
}
