/* app_keys.h: the keys that seal the secrets of apps, one per app, in a file of their own beside
 * the database: DATA/keys/app.keys, 0600.
 *
 * What was once in the database can be read from its freed pages; a key that is overwritten here is
 * gone, and with it every sealed value, also those in old backups. The file is therefore backed up
 * apart from the database, or not at all. Thread-safe. */
#pragma once

#include <base/auto.h>
#include <base/bytes.h>
#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct app_keys;

/* What is wrong was logged with what to do about it. */
enum app_keys_outcome { APP_KEYS_REFUSED = 1, APP_KEYS_MISSING, APP_KEYS_FORGED };

MUST_USE int app_keys_open(const char *data_dir, struct app_keys **ret_keys);
struct app_keys *app_keys_free(struct app_keys *k);
DEFINE_FREEP(app_keys)

/* Whose secret it is; bound to the sealed bytes, so that one app's cannot be put in another's
 * place. */
struct app_secret {
    uint64_t account;
    uint32_t app;
    const char *name;
};

enum { APP_SECRET_EXTRA = 24 + 16 }; /* sealed: nonce and tag */

/* Seals n bytes into n + APP_SECRET_EXTRA; makes the app's key when it has none. */
MUST_USE int app_keys_seal(struct app_keys *k, const struct app_secret *whose, struct span plain,
                           uint8_t *ret_sealed);
/* n - APP_SECRET_EXTRA bytes into ret_plain. APP_KEYS_MISSING: the key is gone, or was never
 * restored. APP_KEYS_FORGED: the bytes are not what was sealed. */
MUST_USE int app_keys_unseal(struct app_keys *k, const struct app_secret *whose, struct span sealed,
                             uint8_t *ret_plain);

/* Overwrites the keys of all apps of the account with random bytes, on the disk. */
MUST_USE int app_keys_destroy(struct app_keys *k, uint64_t account);

/* Calls `is_gone` for each account that has keys here, and destroys the keys of those for which it
 * says so: what a crash between a commit and app_keys_destroy() left. */
typedef bool app_keys_is_gone(void *arg, uint64_t account);
MUST_USE int app_keys_sweep(struct app_keys *k, app_keys_is_gone *is_gone, void *arg);
