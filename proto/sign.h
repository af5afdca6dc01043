/* sign.h: Ed25519 statements about bundles. Any thread. Needs sodium_init().
 *
 * A statement is canonical JSON: members in this order, no white space, numbers in decimal, hashes
 * in lower-case hex:
 *   {"environment":…,"job":…,"account":…,"app":…,"platform":…,"kind":…,"size":…,"sha256":…,"blake2b":…,"key_id":…}
 * What is signed is "rota statement v1\n" followed by these bytes. The key id is the first 16 hex
 * digits of SHA-256 of the public key. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIGN_PUBLIC_BYTES = 32,
    SIGN_SECRET_BYTES = 64,
    SIGN_BYTES = 64,
    SIGN_KEY_ID_LEN = 16,
    STATEMENT_LEN_MAX = 1024
};

struct statement {
    const char *environment, *job, *account, *app, *platform, *kind;
    uint64_t size;
    uint8_t sha256[32], blake2b[32];
    char key_id[SIGN_KEY_ID_LEN + 1];
};

void sign_key_id(const uint8_t public_key[SIGN_PUBLIC_BYTES], char ret_id[SIGN_KEY_ID_LEN + 1]);

enum sign_outcome { SIGN_INVALID = 1, SIGN_STATEMENT = 2 };

/* The canonical text; SIGN_STATEMENT when it does not fit or a member is missing. */
MUST_USE int statement_text(const struct statement *s, char text[STATEMENT_LEN_MAX]);

void sign_statement(const uint8_t secret_key[SIGN_SECRET_BYTES], const char *text,
                    uint8_t ret_signature[SIGN_BYTES]);

/* SIGN_INVALID: not this key's signature over this text. */
MUST_USE int sign_verify(const uint8_t public_key[SIGN_PUBLIC_BYTES], const char *text,
                         const uint8_t signature[SIGN_BYTES]);

/* SHA-256 and BLAKE2b-256 of an open file from its beginning, and its size; <0 on a read fault. */
MUST_USE int hash_file(int fd, uint8_t ret_sha256[32], uint8_t ret_blake2b[32], uint64_t *ret_size);

/* "public key" file: one line of unpadded base64url, as `rotad init` writes sign.pub. <0: not read
 * or not of that form (-EINVAL). */
MUST_USE int sign_public_read(const char *path, uint8_t ret_key[SIGN_PUBLIC_BYTES]);
MUST_USE int sign_public_write(const char *path, const uint8_t key[SIGN_PUBLIC_BYTES]);
