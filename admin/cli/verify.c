/* verify.c: the statement is taken apart, put together again in its canonical form, and must be the
 * same bytes: so what the signature covers and what we read can never be two things. Then the
 * files: the bundle against the signed facts, the others against the list beside them. */
#include "verify.h"

#include "bundle.h"
#include "text.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LIST_BYTES_MAX = 64 * 1024, HASH_HEX_LEN = 64, NAME_LEN_MAX = 255 };

__attribute__((format(printf, 3, 4))) static void
fault(struct verify_result *v, enum error_code code, const char *format, ...)
{
    va_list args;
    if (v->n_faults == VERIFY_FAULTS_MAX)
        return;
    va_start(args, format);
    vsnprintf(v->fault[v->n_faults].text, VERIFY_TEXT_LEN + 1, format, args);
    va_end(args);
    v->fault[v->n_faults++].code = code;
}

/* Reads DIR/NAME; *ret_text is NULL and a fault noted when it is not there. */
static int part_read(const char *dir, const char *name, struct verify_result *v, char **ret_text,
                     size_t *ret_n, char *failed)
{
    AUTO_FREE char *path = x_printf("%s/%s", dir, name);
    int r = file_read(path, LIST_BYTES_MAX, ret_text, ret_n);
    if (r == -ENOENT || r == -EFBIG) {
        *ret_text = NULL;
        fault(v, E_STATEMENT_INVALID, "%s %s", name,
              r == -ENOENT ? "is not in the folder" : "is too long");
        return 0;
    }
    if (r < 0)
        snprintf(failed, NAME_LEN_MAX + 1, "%s", path);
    return r;
}

static bool hex_read(const char *hex, uint8_t *bytes, size_t n)
{
    size_t got = 0;
    return hex && strlen(hex) == 2 * n &&
           sodium_hex2bin(bytes, n, hex, 2 * n, NULL, &got, NULL) == 0 && got == n;
}

static const char *word(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* Fills the facts from the JSON and compares their canonical form with the bytes. */
static void statement_read(struct verify_result *v, const char *text)
{
    char canonical[STATEMENT_LEN_MAX];
    struct statement *f = &v->facts;
    json_t *s = v->statement = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    *f = (struct statement){
        word(s, "environment"), word(s, "job"),  word(s, "account"), word(s, "app"),
        word(s, "platform"),    word(s, "kind"), .size = 0};
    f->size = (uint64_t)json_integer_value(json_object_get(s, "size"));
    snprintf(f->key_id, sizeof f->key_id, "%s", word(s, "key_id"));
    if (!hex_read(word(s, "sha256"), f->sha256, 32) ||
        !hex_read(word(s, "blake2b"), f->blake2b, 32) || statement_text(f, canonical) != 0 ||
        strcmp(canonical, text) != 0)
        fault(v, E_STATEMENT_INVALID, "%s is not of the canonical form", BUNDLE_STATEMENT);
}

static void signature_check(struct verify_result *v, const char *text, const char *hex,
                            const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    uint8_t signature[SIGN_BYTES];
    char id[SIGN_KEY_ID_LEN + 1];
    AUTO_FREE char *trimmed = x_strdup(hex);
    trimmed[strcspn(trimmed, "\r\n")] = 0;
    sign_key_id(public_key, id);
    if (!hex_read(trimmed, signature, sizeof signature))
        fault(v, E_SIGNATURE_INVALID, "%s is not 128 hex digits", BUNDLE_SIGNATURE);
    else if (sign_verify(public_key, text, signature) != 0)
        fault(v, E_SIGNATURE_INVALID,
              "the statement was not signed so by the trusted key %s (it names key %s)", id,
              v->facts.key_id);
    else if (strcmp(id, v->facts.key_id) != 0)
        fault(v, E_STATEMENT_INVALID, "the statement names key %s, it was signed by %s",
              v->facts.key_id, id);
}

struct facts {
    const char *name;
    uint64_t size;
    uint8_t sha256[32], blake2b[32];
};

/* One file against what is said of it. */
static int file_check(struct verify_result *v, const char *dir, const struct facts *want,
                      char *failed)
{
    AUTO_FREE char *path = x_printf("%s/%s", dir, want->name);
    uint8_t sha256[32], blake2b[32];
    uint64_t size = 0;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        fault(v, E_OBJECT_MISSING, "%s cannot be opened: %s", want->name, strerror(errno));
        return 0;
    }
    int r = hash_file(fd, sha256, blake2b, &size);
    if (r < 0) {
        snprintf(failed, NAME_LEN_MAX + 1, "%s", path);
        return r;
    }
    if (size != want->size)
        fault(v, E_OBJECT_MISMATCH, "%s has %llu bytes, not %llu", want->name,
              (unsigned long long)size, (unsigned long long)want->size);
    else if (memcmp(sha256, want->sha256, 32) != 0)
        fault(v, E_OBJECT_MISMATCH, "%s: its SHA-256 is another one", want->name);
    else if (memcmp(blake2b, want->blake2b, 32) != 0)
        fault(v, E_OBJECT_MISMATCH, "%s: its BLAKE2b is another one", want->name);
    else
        v->checked++;
    return 0;
}

static bool name_is_plain(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/') && strlen(name) <= NAME_LEN_MAX;
}

/* One row of the list. The signed kind takes its facts from the statement, never from the list. */
static int row_check(struct verify_result *v, const char *dir, const json_t *row, bool *has_signed,
                     char *failed)
{
    struct facts want = {.name = word(row, "name")};
    bool is_signed = !strcmp(word(row, "kind"), v->facts.kind);
    if (!name_is_plain(want.name)) {
        fault(v, E_STATEMENT_INVALID, "%s names no plain file", BUNDLE_ARTIFACTS);
        return 0;
    }
    if (is_signed) {
        *has_signed = true;
        want.size = v->facts.size;
        memcpy(want.sha256, v->facts.sha256, 32);
        memcpy(want.blake2b, v->facts.blake2b, 32);
    } else {
        want.size = (uint64_t)json_integer_value(json_object_get(row, "size"));
        if (!hex_read(word(row, "sha256"), want.sha256, 32) ||
            !hex_read(word(row, "blake2b"), want.blake2b, 32)) {
            fault(v, E_STATEMENT_INVALID, "%s: %s has no hashes", BUNDLE_ARTIFACTS, want.name);
            return 0;
        }
    }
    return file_check(v, dir, &want, failed);
}

static int files_check(struct verify_result *v, const char *dir, const char *list, char *failed)
{
    json_t *rows = json_loads(list, JSON_REJECT_DUPLICATES, NULL);
    bool has_signed = false;
    int r = 0;
    for (size_t i = 0; r == 0 && i < json_array_size(rows); i++)
        r = row_check(v, dir, json_array_get(rows, i), &has_signed, failed);
    json_decref(rows);
    if (r == 0 && !has_signed)
        fault(v, E_STATEMENT_INVALID, "%s names no file of the signed kind", BUNDLE_ARTIFACTS);
    return r;
}

int verify_folder(const char *dir, const uint8_t public_key[SIGN_PUBLIC_BYTES],
                  struct verify_result *ret_result, char *failed)
{
    struct verify_result *v = ret_result;
    AUTO_FREE char *statement = NULL, *signature = NULL, *list = NULL;
    size_t n = 0, ignored;
    *v = (struct verify_result){0};
    int r = part_read(dir, BUNDLE_STATEMENT, v, &statement, &n, failed);
    if (r == 0)
        r = part_read(dir, BUNDLE_SIGNATURE, v, &signature, &ignored, failed);
    if (r == 0)
        r = part_read(dir, BUNDLE_ARTIFACTS, v, &list, &ignored, failed);
    if (r < 0)
        return err_pass(r);
    if (!statement || !signature || !list)
        return 0;
    if (strlen(statement) != n)
        fault(v, E_STATEMENT_INVALID, "%s holds a zero byte", BUNDLE_STATEMENT);
    statement_read(v, statement);
    signature_check(v, statement, signature, public_key);
    r = files_check(v, dir, list, failed);
    return r < 0 ? err_pass(r) : 0;
}

void verify_deinit(struct verify_result *result)
{
    json_decref(result->statement);
    result->statement = NULL;
}
