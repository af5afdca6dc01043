/* sign.c: the statement's text is built here by hand and not by a JSON library, because every byte
 * of it is signed: member order, escapes and white space may never follow a library's taste.
 *
 * Escaped are the quote, the backslash and control characters (\u00xx); all else is UTF-8 as it is.
 */
#include "sign.h"

#include <assert.h>
#include <base/file.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static_assert(SIGN_PUBLIC_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
static_assert(SIGN_SECRET_BYTES == crypto_sign_SECRETKEYBYTES, "Ed25519");
static_assert(SIGN_BYTES == crypto_sign_BYTES, "Ed25519");

/* Keeps a statement's signature from ever fitting anything else that the key signs. */
static const char domain[] = "rota statement v1\n";
enum { DOMAIN_LEN = sizeof domain - 1, HASH_BYTES = 32, PUBLIC_LEN = 43 };
enum { READ_BYTES = 256 * 1024 };

void sign_key_id(const uint8_t public_key[SIGN_PUBLIC_BYTES], char ret_id[SIGN_KEY_ID_LEN + 1])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, public_key, SIGN_PUBLIC_BYTES);
    sodium_bin2hex(ret_id, SIGN_KEY_ID_LEN + 1, hash, SIGN_KEY_ID_LEN / 2);
}

/* ---- the canonical text ---- */

struct text {
    char *at, *end;
    bool is_full;
};

static void text_add(struct text *t, const char *s, size_t n)
{
    if (n >= (size_t)(t->end - t->at)) {
        t->is_full = true; /* the last byte is the NUL's */
        return;
    }
    memcpy(t->at, s, n);
    t->at += n;
}

static void text_add_escaped(struct text *t, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        char code[7];
        if (c == '"' || c == '\\')
            text_add(t, "\\", 1);
        if (c >= 0x20) {
            text_add(t, s, 1);
            continue;
        }
        int n = snprintf(code, sizeof code, "\\u%04x", c);
        text_add(t, code, (size_t)n);
    }
}

static void member_add(struct text *t, const char *name, const char *value)
{
    text_add(t, ",\"", 2);
    text_add(t, name, strlen(name));
    text_add(t, "\":\"", 3);
    text_add_escaped(t, value);
    text_add(t, "\"", 1);
}

static void hash_add(struct text *t, const char *name, const uint8_t hash[HASH_BYTES])
{
    char hex[2 * HASH_BYTES + 1];
    member_add(t, name, sodium_bin2hex(hex, sizeof hex, hash, HASH_BYTES));
}

int statement_text(const struct statement *s, char text[STATEMENT_LEN_MAX])
{
    const struct {
        const char *name, *value;
    } words[] = {{"environment", s->environment}, {"job", s->job},
                 {"account", s->account},         {"app", s->app},
                 {"platform", s->platform},       {"kind", s->kind}};
    struct text t = {text, text + STATEMENT_LEN_MAX, false};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!words[i].value || !*words[i].value)
            return SIGN_STATEMENT;
        member_add(&t, words[i].name, words[i].value);
    }
    if (!s->key_id[0])
        return SIGN_STATEMENT;
    char size[40];
    int n = snprintf(size, sizeof size, ",\"size\":%llu", (unsigned long long)s->size);
    text_add(&t, size, (size_t)n);
    hash_add(&t, "sha256", s->sha256);
    hash_add(&t, "blake2b", s->blake2b);
    member_add(&t, "key_id", s->key_id);
    text_add(&t, "}", 1);
    if (t.is_full)
        return SIGN_STATEMENT;
    *t.at = 0;
    text[0] = '{'; /* where the first member's comma stood */
    return 0;
}

/* ---- signatures ---- */

/* The signed bytes are put together on the stack: a statement is bounded. */
static size_t signed_bytes(const char *text, uint8_t bytes[DOMAIN_LEN + STATEMENT_LEN_MAX])
{
    size_t n = strnlen(text, STATEMENT_LEN_MAX);
    memcpy(bytes, domain, DOMAIN_LEN);
    memcpy(bytes + DOMAIN_LEN, text, n);
    return DOMAIN_LEN + n;
}

void sign_statement(const uint8_t secret_key[SIGN_SECRET_BYTES], const char *text,
                    uint8_t ret_signature[SIGN_BYTES])
{
    assert(strlen(text) < STATEMENT_LEN_MAX);
    uint8_t bytes[DOMAIN_LEN + STATEMENT_LEN_MAX];
    size_t n = signed_bytes(text, bytes);
    int r = crypto_sign_detached(ret_signature, NULL, bytes, n, secret_key);
    assert(r == 0);
    (void)r;
}

int sign_verify(const uint8_t public_key[SIGN_PUBLIC_BYTES], const char *text,
                const uint8_t signature[SIGN_BYTES])
{
    uint8_t bytes[DOMAIN_LEN + STATEMENT_LEN_MAX];
    if (strnlen(text, STATEMENT_LEN_MAX) == STATEMENT_LEN_MAX)
        return SIGN_INVALID; /* longer than any statement that we sign */
    size_t n = signed_bytes(text, bytes);
    return crypto_sign_verify_detached(signature, bytes, n, public_key) == 0 ? 0 : SIGN_INVALID;
}

/* ---- hashes and key files ---- */

int hash_file(int fd, uint8_t ret_sha256[32], uint8_t ret_blake2b[32], uint64_t *ret_size)
{
    AUTO_FREE uint8_t *part = malloc(READ_BYTES);
    if (!part)
        return err_raise(-ENOMEM);
    crypto_hash_sha256_state sha;
    crypto_generichash_state blake;
    crypto_hash_sha256_init(&sha);
    crypto_generichash_init(&blake, NULL, 0, HASH_BYTES);
    uint64_t size = 0;
    for (;;) {
        ssize_t n = pread(fd, part, READ_BYTES, (off_t)size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_raise(-errno);
        if (n == 0)
            break;
        crypto_hash_sha256_update(&sha, part, (unsigned long long)n);
        crypto_generichash_update(&blake, part, (unsigned long long)n);
        size += (uint64_t)n;
    }
    crypto_hash_sha256_final(&sha, ret_sha256);
    crypto_generichash_final(&blake, ret_blake2b, HASH_BYTES);
    *ret_size = size;
    return 0;
}

int sign_public_read(const char *path, uint8_t ret_key[SIGN_PUBLIC_BYTES])
{
    AUTO_FREE char *text = NULL;
    size_t n;
    int r = file_read(path, 256, &text, &n);
    if (r < 0)
        return err_pass(r);
    text[strcspn(text, "\r\n")] = 0;
    uint8_t key[SIGN_PUBLIC_BYTES];
    size_t len = 0;
    if (sodium_base642bin(key, sizeof key, text, strlen(text), NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        len != sizeof key)
        return err_raise(-EINVAL);
    memcpy(ret_key, key, sizeof key);
    return 0;
}

int sign_public_write(const char *path, const uint8_t key[SIGN_PUBLIC_BYTES])
{
    char line[PUBLIC_LEN + 2];
    sodium_bin2base64(line, PUBLIC_LEN + 1, key, SIGN_PUBLIC_BYTES,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    line[PUBLIC_LEN] = '\n';
    int r = file_write(path, 0644, line, PUBLIC_LEN + 1);
    return r < 0 ? err_pass(r) : 0;
}
