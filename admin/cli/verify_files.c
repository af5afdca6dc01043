/* verify_files.c: each file that artifacts.json names is read once. The list is signed by nobody:
 * it may only say where things are, and must say it of files as they are. */
#include "verify_impl.h"

#include "bundle.h"
#include "pbjson.h"
#include "rota.pb-c.h"
#include "text.h"

#include <base/auto.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LIST_BYTES_MAX = 64 * 1024, NAME_LEN_MAX = 255 };

static bool name_is_plain(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) <= NAME_LEN_MAX;
}

static bool name_is_ours(const char *name)
{
    return !strcmp(name, BUNDLE_ARTIFACTS) || !strcmp(name, BUNDLE_STATEMENT) ||
           !strcmp(name, BUNDLE_SIGNATURE);
}

/* A row that names a new kind of thing and a new file of the folder. */
static bool row_is_good(struct verification *v, const char *kind, const char *name)
{
    bool is_provenance = !strcmp(kind, "provenance");
    if (pb_word_value(&rota__object_kind__descriptor, kind) < 0 || !name_is_plain(name) ||
        name_is_ours(name) || is_provenance != !strcmp(name, BUNDLE_PROVENANCE) ||
        v->files == VERIFY_FILES_MAX)
        return false;
    for (size_t i = 0; i < v->files; i++)
        if (!strcmp(v->file[i].kind, kind) || !strcmp(v->file[i].name, name))
            return false;
    return true;
}

/* Nothing but a regular file is waited for. */
static int file_open(struct verification *v, const char *name, int *ret_fd)
{
    struct stat st;
    AUTO_FREE char *path = x_printf("%s/%s", v->order->dir, name);
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0) {
        verify_fault(v, E_OBJECT_MISSING, "%s cannot be opened: %s", name, strerror(errno));
        return VERIFY_ABSENT;
    }
    if (!S_ISREG(st.st_mode)) {
        verify_fault(v, E_OBJECT_MISSING, "%s is no regular file", name);
        return VERIFY_ABSENT;
    }
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int file_read_hashes(struct verification *v, struct verified_file *f)
{
    AUTO_FD fd = -1;
    int r = file_open(v, f->name, &fd);
    if (r == VERIFY_ABSENT)
        return 0;
    r = hash_file(fd, f->sha256, f->blake2b, &f->size);
    if (r < 0) {
        snprintf(v->failed, VERIFY_FAILED_MAX, "%s/%s", v->order->dir, f->name);
        return err_pass(r);
    }
    f->is_read = true;
    return 0;
}

static void file_compare(struct verification *v, const struct verified_file *f, const json_t *row)
{
    uint8_t sha256[HASH_BYTES], blake2b[HASH_BYTES];
    const json_t *size = json_object_get(row, "size");
    if (!json_is_integer(size) || !verify_hash(row, "sha256", sha256, HASH_BYTES) ||
        !verify_hash(row, "blake2b", blake2b, HASH_BYTES))
        verify_fault(v, E_STATEMENT_INVALID, "%s: %s has no size or no hashes", BUNDLE_ARTIFACTS,
                     f->name);
    else if ((uint64_t)json_integer_value(size) != f->size)
        verify_fault(v, E_OBJECT_MISMATCH, "%s has %llu bytes, not %llu", f->name,
                     (unsigned long long)f->size, (unsigned long long)json_integer_value(size));
    else if (memcmp(sha256, f->sha256, HASH_BYTES) != 0)
        verify_fault(v, E_OBJECT_MISMATCH, "%s: its SHA-256 is another one", f->name);
    else if (memcmp(blake2b, f->blake2b, HASH_BYTES) != 0)
        verify_fault(v, E_OBJECT_MISMATCH, "%s: its BLAKE2b is another one", f->name);
    else
        v->result->checked++;
}

static int row_take(struct verification *v, const json_t *row)
{
    const char *kind = verify_word(row, "kind"), *name = verify_word(row, "name");
    if (!row_is_good(v, kind, name)) {
        verify_fault(v, E_STATEMENT_INVALID,
                     "%s: a row is of no known kind, names no plain file, or stands twice",
                     BUNDLE_ARTIFACTS);
        return 0;
    }
    struct verified_file *f = &v->file[v->files++];
    *f = (struct verified_file){.kind = kind, .name = name};
    int r = file_read_hashes(v, f);
    if (r == 0 && f->is_read)
        file_compare(v, f, row);
    return r;
}

int verify_files(struct verification *v)
{
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    int r = verify_read(v, BUNDLE_ARTIFACTS, LIST_BYTES_MAX, &text, &n);
    if (r == VERIFY_ABSENT) {
        verify_fault(v, E_STATEMENT_INVALID, "%s is not in the folder", BUNDLE_ARTIFACTS);
        return 0;
    }
    if (r != 0 || !text)
        return r;
    v->result->list = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_array(v->result->list))
        verify_fault(v, E_STATEMENT_INVALID, "%s is no list", BUNDLE_ARTIFACTS);
    for (size_t i = 0; r == 0 && i < json_array_size(v->result->list); i++)
        r = row_take(v, json_array_get(v->result->list, i));
    return r;
}

void verify_files_note(struct verification *v)
{
    char size[TEXT_SHORT_LEN + 1], hex[2 * HASH_BYTES + 1];
    for (size_t i = 0; i < v->files; i++) {
        const struct verified_file *f = &v->file[i];
        sodium_bin2hex(hex, sizeof hex, f->sha256, HASH_BYTES);
        if (f->is_read && strcmp(f->kind, "provenance") != 0)
            verify_note(v, f->kind, v->result->n_faults, "%s, %s, sha256 %s%s", f->name,
                        text_bytes(f->size, size), hex,
                        f->is_signed ? "" : "; listed only, nobody signed it");
    }
}
