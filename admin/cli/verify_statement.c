/* verify_statement.c: the statement is taken apart, put together again in its canonical form, and
 * must be the same bytes: so what the signature covers and what we read can never be two things. */
#include "verify_impl.h"

#include "bundle.h"

#include <base/auto.h>
#include <stdio.h>
#include <string.h>

enum { SIGNATURE_BYTES_MAX = 4096, STATEMENT_BYTES_MAX = 64 * 1024 };

/* As hex digits. */
static const size_t signature_len = (size_t)SIGN_BYTES * 2;

/* Fills the facts from the JSON and compares their canonical form with the bytes. */
static void statement_read(struct verification *v, const char *text, size_t n)
{
    char canonical[STATEMENT_LEN_MAX];
    struct statement *f = &v->result->facts;
    json_t *s = v->result->statement = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    *f = (struct statement){
        .environment = verify_word(s, "environment"),
        .job = verify_word(s, "job"),
        .account = verify_word(s, "account"),
        .app = verify_word(s, "app"),
        .platform = verify_word(s, "platform"),
        .kind = verify_word(s, "kind"),
        .size = (uint64_t)json_integer_value(json_object_get(s, "size")),
    };
    snprintf(f->key_id, sizeof f->key_id, "%s", verify_word(s, "key_id"));
    if (!verify_hash(s, "sha256", f->sha256, HASH_BYTES) ||
        !verify_hash(s, "blake2b", f->blake2b, HASH_BYTES) || statement_text(f, canonical) != 0 ||
        strlen(canonical) != n || memcmp(canonical, text, n) != 0)
        verify_fault(v, E_STATEMENT_INVALID, "%s is not of the canonical form", BUNDLE_STATEMENT);
}

/* The trusted key that signed it, or NULL. */
static const struct trusted_key *signer_find(const struct verify_order *o, const char *text,
                                             const uint8_t signature[SIGN_BYTES])
{
    for (size_t i = 0; i < o->keys_n; i++)
        if (sign_verify(o->keys[i].public, text, signature) == 0)
            return &o->keys[i];
    return NULL;
}

static void signature_check(struct verification *v, const char *text, char *hex, size_t n)
{
    uint8_t signature[SIGN_BYTES];
    const struct statement *f = &v->result->facts;
    if (n == signature_len + 1 && hex[n - 1] == '\n')
        hex[--n] = '\0';
    if (n != signature_len || !verify_hex(hex, signature, sizeof signature)) {
        verify_fault(v, E_SIGNATURE_INVALID, "%s is not 128 lower-case hex digits",
                     BUNDLE_SIGNATURE);
        return;
    }
    const struct trusted_key *key = signer_find(v->order, text, signature);
    if (!key)
        verify_fault(v, E_SIGNATURE_INVALID,
                     "the statement was signed by none of the %zu trusted keys (%s%s); it names "
                     "key %s",
                     v->order->keys_n, v->order->keys[0].id, v->order->keys_n > 1 ? " …" : "",
                     f->key_id);
    else if (strcmp(key->id, f->key_id) != 0)
        verify_fault(v, E_STATEMENT_INVALID, "the statement names key %s, it was signed by %s",
                     f->key_id, key->id);
    else
        memcpy(v->result->key_id, key->id, sizeof key->id);
}

/* The file that the statement is about. */
static void subject_check(struct verification *v)
{
    const struct statement *s = &v->result->facts;
    struct verified_file *f = verify_file_of(v, s->kind);
    if (!f)
        verify_fault(v, E_STATEMENT_INVALID, "%s names no file of the signed kind %s",
                     BUNDLE_ARTIFACTS, s->kind);
    else if (f->is_read && (f->size != s->size || memcmp(f->sha256, s->sha256, HASH_BYTES) != 0 ||
                            memcmp(f->blake2b, s->blake2b, HASH_BYTES) != 0))
        verify_fault(v, E_OBJECT_MISMATCH, "%s is not the file that the statement is about",
                     f->name);
    else
        f->is_signed = f->is_read && v->result->key_id[0];
}

static int part_read(struct verification *v, const char *name, size_t most, char **ret_text,
                     size_t *ret_n)
{
    int r = verify_read(v, name, most, ret_text, ret_n);
    if (r == VERIFY_ABSENT)
        verify_fault(v, E_STATEMENT_INVALID, "%s is not in the folder", name);
    return r == VERIFY_ABSENT ? 0 : r;
}

int verify_statement(struct verification *v)
{
    AUTO_FREE char *text = NULL, *signature = NULL;
    size_t n = 0, signature_n = 0, before = v->result->n_faults;
    int r = part_read(v, BUNDLE_STATEMENT, STATEMENT_BYTES_MAX, &text, &n);
    if (r == 0)
        r = part_read(v, BUNDLE_SIGNATURE, SIGNATURE_BYTES_MAX, &signature, &signature_n);
    if (r != 0 || !text || !signature)
        return r;
    statement_read(v, text, n);
    signature_check(v, text, signature, signature_n);
    subject_check(v);
    const struct statement *f = &v->result->facts;
    verify_note(v, "statement", before,
                "%s for %s of %s, account %s, environment %s, %s, signed by key %s", f->kind,
                f->platform, f->app, f->account, f->environment, f->job, f->key_id);
    return 0;
}
