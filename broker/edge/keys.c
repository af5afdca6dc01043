/* keys.c: made once by `rotad init`, read at each start.
 *
 * A key that others can read is refused rather than repaired: it may have been copied already, and
 * only the operator knows. The public half is derived from the secret one and compared with
 * sign.pub, so that a mixed-up restore is seen at start and not by the first customer who verifies
 * a bundle.          */
#include "edge/keys.h"

#include <base/file.h>
#include <base/log.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

void keys_path(const char *data_dir, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/keys%s%s", data_dir, *name ? "/" : "", name);
}

static int key_write(const char *data_dir, const char *name, const uint8_t *key, size_t n)
{
    char path[PATH_MAX];
    keys_path(data_dir, name, path);
    return file_write(path, 0600, key, n);
}

int keys_make(const char *data_dir, struct keys *ret_keys)
{
    char path[PATH_MAX];
    struct stat st;
    keys_path(data_dir, "hash.key", path);
    if (stat(path, &st) == 0) {
        log_error("keys.refused",
                  "path=%s why=\"there are keys already\" hint=\"choose another "
                  "--data, or remove that environment\"",
                  path);
        return KEYS_REFUSED;
    }
    keys_path(data_dir, "", path);
    int r = dir_make(path, 0700);
    if (r < 0)
        return err_pass(r);
    randombytes_buf(ret_keys->hash_key, sizeof ret_keys->hash_key);
    crypto_sign_keypair(ret_keys->sign_public, ret_keys->sign_secret);
    r = key_write(data_dir, "hash.key", ret_keys->hash_key, sizeof ret_keys->hash_key);
    if (r == 0)
        r = key_write(data_dir, "sign.key", ret_keys->sign_secret, sizeof ret_keys->sign_secret);
    keys_path(data_dir, "sign.pub", path);
    if (r == 0)
        r = sign_public_write(path, ret_keys->sign_public);
    return r < 0 ? err_pass(r) : 0;
}

static int refuse(const char *path, const char *why, const char *hint)
{
    log_error("keys.refused", "path=%s why=\"%s\" hint=\"%s\"", path, why, hint);
    return KEYS_REFUSED;
}

static int key_read(const char *data_dir, const char *name, uint8_t *key, size_t n)
{
    char path[PATH_MAX], *text = NULL;
    size_t got = 0;
    keys_path(data_dir, name, path);
    int r = file_read_secret(path, n, &text, &got);
    if (r == -EPERM)
        return refuse(path, "group or others may read it",
                      "chmod 600, and make new keys if "
                      "somebody may have copied it");
    if (r == -ENOENT)
        return refuse(path, "it is missing", "make the environment with rotad init, or restore it");
    if (r == -EFBIG || (r == 0 && got != n))
        r = refuse(path, "it has another length", "restore it from where it was kept");
    else if (r == 0)
        memcpy(key, text, n);
    if (text)
        sodium_memzero(text, got);
    free(text);
    return r < 0 ? err_pass(r) : r;
}

static int dir_check(const char *data_dir)
{
    char path[PATH_MAX];
    struct stat st;
    keys_path(data_dir, "", path);
    if (stat(path, &st) < 0)
        return errno == ENOENT ? refuse(path, "it is missing",
                                        "make the environment with rotad init --data DIR")
                               : err_raise(-errno);
    if (st.st_mode & 077)
        return refuse(path, "group or others may enter it", "chmod 700");
    return 0;
}

static bool is_public_half(const char *path, const struct keys *keys)
{
    uint8_t public[SIGN_PUBLIC_BYTES];
    return sign_public_read(path, public) == 0 &&
           memcmp(public, keys->sign_public, sizeof public) == 0;
}

/* A rotation announces its key in sign.pub.next, replaces sign.key, then sign.pub. */
static int public_half_check(const char *data_dir, const struct keys *keys)
{
    char path[PATH_MAX], next[PATH_MAX];
    keys_path(data_dir, "sign.pub", path);
    keys_path(data_dir, "sign.pub.next", next);
    if (is_public_half(path, keys))
        return 0;
    if (!is_public_half(next, keys))
        return refuse(path, "it is not the public half of sign.key",
                      "restore both from where they were kept");
    int r = sign_public_write(path, keys->sign_public);
    return r < 0 ? err_pass(r) : 0;
}

int keys_load(const char *data_dir, struct keys *ret_keys)
{
    int r = dir_check(data_dir);
    if (r == 0)
        r = key_read(data_dir, "hash.key", ret_keys->hash_key, sizeof ret_keys->hash_key);
    if (r == 0)
        r = key_read(data_dir, "sign.key", ret_keys->sign_secret, sizeof ret_keys->sign_secret);
    if (r)
        return r < 0 ? err_pass(r) : r;
    crypto_sign_ed25519_sk_to_pk(ret_keys->sign_public, ret_keys->sign_secret);
    r = public_half_check(data_dir, ret_keys);
    return r < 0 ? err_pass(r) : r;
}

void keys_wipe(struct keys *keys)
{
    sodium_memzero(keys, sizeof *keys);
}
