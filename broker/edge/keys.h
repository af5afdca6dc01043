/* keys.h: the broker's secrets: files in DATA/keys, 0600 in a folder of 0700. At start only. */
#pragma once

#include "sign.h"

#include <base/err.h>
#include <stdint.h>

enum { HASH_KEY_BYTES = 32 };

struct keys {
    uint8_t hash_key[HASH_KEY_BYTES]; /* keys API keys' hashes */
    uint8_t sign_secret[SIGN_SECRET_BYTES];
    uint8_t sign_public[SIGN_PUBLIC_BYTES];
};

/* What is wrong was logged with what to do about it. */
enum keys_outcome { KEYS_REFUSED = 1 };

/* New keys in DATA/keys: hash.key, sign.key and sign.pub. KEYS_REFUSED: there are some already. */
MUST_USE int keys_make(const char *data_dir, struct keys *ret_keys);

/* KEYS_REFUSED: missing, of another length, readable by others, or the two halves do not belong
 * together. */
MUST_USE int keys_load(const char *data_dir, struct keys *ret_keys);

void keys_wipe(struct keys *keys);
