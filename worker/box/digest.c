/* digest.c: lengths stand before what they count, so that no two folders run together to the same
 * bytes. */
#include "digest.h"

#include "tree.h"

#include <base/auto.h>
#include <base/file.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

struct digest {
    crypto_hash_sha256_state state;
    const char *folder;
    size_t file_bytes_max;
};

void digest_text(const void *p, size_t n, uint8_t ret[DIGEST_BYTES])
{
    crypto_hash_sha256(ret, p, n);
}

static void add(struct digest *d, const void *p, size_t n)
{
    uint8_t length[8];
    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (uint8_t)((uint64_t)n >> (8 * i));
    crypto_hash_sha256_update(&d->state, length, sizeof length);
    crypto_hash_sha256_update(&d->state, p, n);
}

static int add_file(void *arg, const char *path, const struct stat *st)
{
    struct digest *d = arg;
    AUTO_FREE char *text = NULL;
    char full[PATH_BYTES];
    size_t n = 0;
    if (!S_ISREG(st->st_mode))
        return TREE_GO_ON;
    snprintf(full, sizeof full, "%s/%s", d->folder, path);
    int r = file_read(full, d->file_bytes_max, &text, &n);
    if (r < 0)
        return err_pass(r);
    add(d, path, strlen(path));
    add(d, text, n);
    return TREE_GO_ON;
}

int digest_folder(const char *folder, const char *first, size_t file_bytes_max,
                  uint8_t ret[DIGEST_BYTES])
{
    struct digest d = {.folder = folder, .file_bytes_max = file_bytes_max};
    crypto_hash_sha256_init(&d.state);
    add(&d, first, strlen(first));
    int r = tree_walk(folder, add_file, &d);
    if (r < 0)
        return err_pass(r);
    crypto_hash_sha256_final(&d.state, ret);
    return 0;
}
