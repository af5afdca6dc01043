/* keys.h: the broker's secrets: files in DATA/keys, 0600 in a folder of 0700.
 *
 *   hash.key        keys API keys' hashes
 *   sign.key        the signing key in use
 *   sign.pub        its public half
 *   sign.pub.KEYID  public halves of the keys before it: bundles that they signed still verify
 *   sign.pub.next   only while a rotation is under way
 *
 * Read at start and on SIGHUP (signer.h); written by `rotad init` and `rotad key rotate`. */
#pragma once

#include "sign.h"

#include <base/err.h>
#include <limits.h>
#include <stdint.h>

enum { HASH_KEY_BYTES = 32, KEYS_OLD_MAX = 64 };

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
 * together. Puts sign.pub right after a rotation that was cut off. */
MUST_USE int keys_load(const char *data_dir, struct keys *ret_keys);

/* A new signing key in the place of the one in use, whose public half is kept. After a crash
 * anywhere in it keys_load() finds the old key or the new one, whole. KEYS_REFUSED: as keys_load();
 * or the folder is another user's, another rotation is under way, or KEYS_OLD_MAX are kept. */
MUST_USE int keys_rotate(const char *data_dir, char ret_old_id[SIGN_KEY_ID_LEN + 1],
                         char ret_new_id[SIGN_KEY_ID_LEN + 1]);

/* Public halves of the keys before, at most KEYS_OLD_MAX, in no order. What is no key under its own
 * id is passed over. */
MUST_USE int keys_old(const char *data_dir, uint8_t ret_public[KEYS_OLD_MAX][SIGN_PUBLIC_BYTES],
                      size_t *ret_n);

/* DATA/keys/NAME, or the folder when `name` is empty. */
void keys_path(const char *data_dir, const char *name, char path[PATH_MAX]);

void keys_wipe(struct keys *keys);
