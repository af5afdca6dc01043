/* signer.h: the signing key in use and the public halves of those before it, while rotad runs. Any
 * thread.
 *
 * A bundle that was attested just before a rotation is finished after it, so the broker knows its
 * own old signatures too. */
#pragma once

#include "edge/keys.h"

struct sign_pair {
    uint8_t secret[SIGN_SECRET_BYTES];
    uint8_t public[SIGN_PUBLIC_BYTES];
    char id[SIGN_KEY_ID_LEN + 1];
};

struct signer;
enum signer_outcome { SIGNER_UNKNOWN = 1 };

/* Takes the signing key out of `keys` (it is zero there afterwards). */
MUST_USE int signer_new(const char *data_dir, struct keys *keys, struct signer **ret_signer);
struct signer *signer_free(struct signer *s);

/* Reads the key anew. What is not readable or refused was logged, and the old one stays. */
void signer_reload(struct signer *s);

/* A copy of the key in use; sign_pair_wipe() it. */
void signer_take(struct signer *s, struct sign_pair *ret_pair);
void sign_pair_wipe(struct sign_pair *pair);

/* The public half of this id, in use or before. SIGNER_UNKNOWN. */
MUST_USE int signer_public(struct signer *s, const char *key_id,
                           uint8_t ret_public[SIGN_PUBLIC_BYTES]);
