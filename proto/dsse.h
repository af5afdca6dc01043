/* dsse.h: signed envelopes: a payload, what kind it is, and an Ed25519 signature over both (DSSE
 * 1.0). Pure; any thread. Needs sodium_init().
 *
 * rota writes an envelope in one form only, without white space and with standard base64:
 *   {"payload":"…","payloadType":"…","signatures":[{"keyid":"…","sig":"…"}]}
 * and reads no other, so no two readers can take one envelope for two things. The key id is
 * sign_key_id()'s. What is signed is the pre-authentication encoding,
 *   "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload
 * whose beginning no statement of sign.h has: a signature of one kind never fits the other. */
#pragma once

#include "sign.h"

#define DSSE_TYPE_INTOTO "application/vnd.in-toto+json"

enum { DSSE_TYPE_MAX = 64, DSSE_PAYLOAD_MAX = 24000, DSSE_TEXT_MAX = 32 * 1024 };

enum dsse_outcome {
    DSSE_FORM = 1, /* no envelope of this form */
    DSSE_TOO_LONG, /* payload or type over its bound */
    DSSE_INVALID,  /* not this key's signature */
};

struct dsse {
    char type[DSSE_TYPE_MAX + 1];
    char key_id[SIGN_KEY_ID_LEN + 1];
    uint8_t signature[SIGN_BYTES];
    size_t n;
    uint8_t payload[DSSE_PAYLOAD_MAX + 1]; /* a NUL behind it */
};

/* The bytes that are signed; DSSE_TOO_LONG when they need more than `most`. */
MUST_USE int dsse_pae(const char *type, const void *payload, size_t n, uint8_t *pae, size_t most,
                      size_t *ret_n);

/* The envelope's text and a NUL. `type` has only letters, digits and . + / -. */
MUST_USE int dsse_sign(const uint8_t secret_key[SIGN_SECRET_BYTES], const char *type,
                       const void *payload, size_t n, char text[DSSE_TEXT_MAX + 1]);

/* Takes an envelope apart; says nothing about its signature. DSSE_FORM. */
MUST_USE int dsse_read(const char *text, size_t n, struct dsse *ret_envelope);

/* DSSE_INVALID. The key id is the caller's to compare. */
MUST_USE int dsse_verify(const struct dsse *envelope, const uint8_t public_key[SIGN_PUBLIC_BYTES]);
