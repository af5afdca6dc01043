/* dsse.c: written and read by hand, as the statement is: the form is six literals with base64 and
 * hex between them, which is less to trust than a JSON parser, and nothing can stand twice. */
#include "dsse.h"

#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { PAE_HEAD_MAX = 64, PAE_MAX = PAE_HEAD_MAX + DSSE_TYPE_MAX + DSSE_PAYLOAD_MAX };
enum { BASE64 = sodium_base64_VARIANT_ORIGINAL };

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

static const char type_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+/-";

int dsse_pae(const char *type, const void *payload, size_t n, uint8_t *pae, size_t most,
             size_t *ret_n)
{
    char head[PAE_HEAD_MAX + DSSE_TYPE_MAX];
    if (strlen(type) > DSSE_TYPE_MAX)
        return DSSE_TOO_LONG;
    int head_n = snprintf(head, sizeof head, "DSSEv1 %zu %s %zu ", strlen(type), type, n);
    if (n > most || most - n < (size_t)head_n)
        return DSSE_TOO_LONG;
    memcpy(pae, head, (size_t)head_n);
    memcpy(pae + head_n, payload, n);
    *ret_n = (size_t)head_n + n;
    return 0;
}

int dsse_sign(const uint8_t secret_key[SIGN_SECRET_BYTES], const char *type, const void *payload,
              size_t n, char text[DSSE_TEXT_MAX + 1])
{
    static_assert(BASE64_LEN(DSSE_PAYLOAD_MAX) + 400 < DSSE_TEXT_MAX, "the longest one fits");
    uint8_t pae[PAE_MAX], signature[SIGN_BYTES], public_key[SIGN_PUBLIC_BYTES];
    char payload64[BASE64_LEN(DSSE_PAYLOAD_MAX) + 1], signature64[BASE64_LEN(SIGN_BYTES) + 1];
    char key_id[SIGN_KEY_ID_LEN + 1];
    size_t pae_n;
    assert(strspn(type, type_letters) == strlen(type));
    if (n > DSSE_PAYLOAD_MAX)
        return DSSE_TOO_LONG;
    int r = dsse_pae(type, payload, n, pae, sizeof pae, &pae_n);
    if (r != 0)
        return r;
    crypto_sign_detached(signature, NULL, pae, pae_n, secret_key);
    crypto_sign_ed25519_sk_to_pk(public_key, secret_key);
    sign_key_id(public_key, key_id);
    sodium_bin2base64(payload64, sizeof payload64, payload, n, BASE64);
    sodium_bin2base64(signature64, sizeof signature64, signature, sizeof signature, BASE64);
    snprintf(text, DSSE_TEXT_MAX + 1,
             "{\"payload\":\"%s\",\"payloadType\":\"%s\",\"signatures\":[{\"keyid\":\"%s\","
             "\"sig\":\"%s\"}]}",
             payload64, type, key_id, signature64);
    return 0;
}

/* ---- reading ---- */

struct reader {
    const char *at, *end;
    bool is_bad;
};

static void take_literal(struct reader *r, const char *literal)
{
    size_t n = strlen(literal);
    r->is_bad = r->is_bad || (size_t)(r->end - r->at) < n || memcmp(r->at, literal, n) != 0;
    if (!r->is_bad)
        r->at += n;
}

/* What stands before the next quote: at most `most` of these letters. */
static size_t take_word(struct reader *r, const char *letters, size_t most, const char **ret_word)
{
    const char *p = r->at;
    while (!r->is_bad && p < r->end && *p && strchr(letters, *p))
        p++;
    size_t n = (size_t)(p - r->at);
    r->is_bad = r->is_bad || n > most;
    *ret_word = r->at;
    if (!r->is_bad)
        r->at = p;
    return r->is_bad ? 0 : n;
}

static void take_text(struct reader *r, const char *letters, size_t most, char *text)
{
    const char *word;
    size_t n = take_word(r, letters, most, &word);
    memcpy(text, word, n);
    text[n] = '\0';
}

/* Padded and without stray bits: bytes have one base64 only. */
static size_t take_base64(struct reader *r, uint8_t *bytes, size_t most)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    const char *word;
    size_t got = 0, n = take_word(r, letters, BASE64_LEN(most), &word);
    r->is_bad = r->is_bad ||
                sodium_base642bin(bytes, most, word, n, NULL, &got, NULL, BASE64) != 0 ||
                BASE64_LEN(got) != n;
    return r->is_bad ? 0 : got;
}

int dsse_read(const char *text, size_t n, struct dsse *ret_envelope)
{
    struct dsse *e = ret_envelope;
    struct reader r = {text, text + n, false};
    take_literal(&r, "{\"payload\":\"");
    e->n = take_base64(&r, e->payload, DSSE_PAYLOAD_MAX);
    e->payload[e->n] = '\0';
    take_literal(&r, "\",\"payloadType\":\"");
    take_text(&r, type_letters, DSSE_TYPE_MAX, e->type);
    take_literal(&r, "\",\"signatures\":[{\"keyid\":\"");
    take_text(&r, "0123456789abcdef", SIGN_KEY_ID_LEN, e->key_id);
    take_literal(&r, "\",\"sig\":\"");
    r.is_bad = take_base64(&r, e->signature, SIGN_BYTES) != SIGN_BYTES || r.is_bad;
    take_literal(&r, "\"}]}");
    return r.is_bad || r.at != r.end || strlen(e->key_id) != SIGN_KEY_ID_LEN ? DSSE_FORM : 0;
}

int dsse_verify(const struct dsse *envelope, const uint8_t public_key[SIGN_PUBLIC_BYTES])
{
    uint8_t pae[PAE_MAX];
    size_t n;
    if (dsse_pae(envelope->type, envelope->payload, envelope->n, pae, sizeof pae, &n) != 0)
        return DSSE_INVALID;
    return crypto_sign_verify_detached(envelope->signature, pae, n, public_key) == 0 ? 0
                                                                                     : DSSE_INVALID;
}
