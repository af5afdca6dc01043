/* apikey.c: 32 random bytes are 43 characters of unpadded base64url; behind the 10 characters of
 * the prefix that makes 53. The hash is keyed, so that a stolen database alone cannot tell whether
 * a guessed key is one of ours. */
#include "apikey.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum { PREFIX_LEN = 10, RANDOM_BYTES = 32, RANDOM_LEN = 43 };
static_assert(PREFIX_LEN + RANDOM_LEN == APIKEY_TEXT_LEN, "prefix and random part fill the key");
static_assert(APIKEY_HASH_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

static const char live[] = "rota_live_", test[] = "rota_test_";

void apikey_make(bool is_live, char text[APIKEY_TEXT_LEN + 1])
{
    uint8_t random[RANDOM_BYTES];
    randombytes_buf(random, sizeof random);
    memcpy(text, is_live ? live : test, PREFIX_LEN);
    sodium_bin2base64(text + PREFIX_LEN, RANDOM_LEN + 1, random, sizeof random,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof random);
}

bool apikey_is_wellformed(const char *text)
{
    if (strlen(text) != APIKEY_TEXT_LEN)
        return false;
    if (memcmp(text, live, PREFIX_LEN) != 0 && memcmp(text, test, PREFIX_LEN) != 0)
        return false;
    uint8_t random[RANDOM_BYTES];
    size_t n = 0;
    int r = sodium_base642bin(random, sizeof random, text + PREFIX_LEN, RANDOM_LEN, NULL, &n, NULL,
                              sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof random);
    return r == 0 && n == RANDOM_BYTES;
}

void apikey_hash(const uint8_t hash_key[32], const char *text, uint8_t ret_hash[APIKEY_HASH_BYTES])
{
    int r = crypto_generichash(ret_hash, APIKEY_HASH_BYTES, (const uint8_t *)text, strlen(text),
                               hash_key, 32);
    assert(r == 0);
    (void)r;
}
