/* apikey.h: the form of an API key, and what is kept of it.
 *
 * "rota_live_" (or "rota_test_", in an environment whose name is not "production") and 32 random
 * bytes in unpadded base64url: 53 characters. Kept are a keyed BLAKE2b-256 of the whole text and
 * its first 12 characters. Pure but for the random bytes. Needs sodium_init(). */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stdint.h>

enum { APIKEY_TEXT_LEN = 53, APIKEY_PREFIX_LEN = 12, APIKEY_HASH_BYTES = 32 };

/* Writes a new key and a NUL. The caller wipes `text` with sodium_memzero(). */
void apikey_make(bool is_live, char text[APIKEY_TEXT_LEN + 1]);

bool apikey_is_wellformed(const char *text);

/* Keyed hash of a key's text, well-formed or not. */
void apikey_hash(const uint8_t hash_key[32], const char *text, uint8_t ret_hash[APIKEY_HASH_BYTES]);
