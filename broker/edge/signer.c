/* signer.c: one lock around a few hundred bytes. */
#include "edge/signer.h"

#include <base/auto.h>
#include <base/log.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct signer {
    pthread_mutex_t lock; /* all below */
    char data_dir[PATH_MAX];
    struct sign_pair pair;
    uint8_t old[KEYS_OLD_MAX][SIGN_PUBLIC_BYTES];
    size_t old_n;
};

void sign_pair_wipe(struct sign_pair *pair)
{
    sodium_memzero(pair, sizeof *pair);
}

/* Moves the key over and reads the list of old ones. */
static int signer_set(struct signer *s, struct keys *keys)
{
    uint8_t old[KEYS_OLD_MAX][SIGN_PUBLIC_BYTES];
    size_t old_n;
    int r = keys_old(s->data_dir, old, &old_n);
    if (r < 0)
        return err_pass(r);
    pthread_mutex_lock(&s->lock);
    memcpy(s->pair.secret, keys->sign_secret, sizeof s->pair.secret);
    memcpy(s->pair.public, keys->sign_public, sizeof s->pair.public);
    sign_key_id(s->pair.public, s->pair.id);
    memcpy(s->old, old, sizeof old);
    s->old_n = old_n;
    log_info("keys.signing", "key=%s old_keys=%zu", s->pair.id, old_n);
    pthread_mutex_unlock(&s->lock);
    sodium_memzero(keys->sign_secret, sizeof keys->sign_secret);
    return 0;
}

int signer_new(const char *data_dir, struct keys *keys, struct signer **ret_signer)
{
    struct signer *s = calloc(1, sizeof *s);
    if (!s)
        return err_raise(-ENOMEM);
    pthread_mutex_init(&s->lock, NULL);
    snprintf(s->data_dir, sizeof s->data_dir, "%s", data_dir);
    int r = signer_set(s, keys);
    if (r < 0) {
        signer_free(s);
        return err_pass(r);
    }
    *ret_signer = s;
    return 0;
}

struct signer *signer_free(struct signer *s)
{
    if (!s)
        return NULL;
    pthread_mutex_destroy(&s->lock);
    sodium_memzero(s, sizeof *s);
    free(s);
    return NULL;
}

void signer_reload(struct signer *s)
{
    struct keys keys;
    char why[200];
    int r = keys_load(s->data_dir, &keys);
    if (r == 0)
        r = signer_set(s, &keys);
    keys_wipe(&keys);
    if (r != 0)
        log_error("keys.kept", "why=\"%s\"", r < 0 ? err_trace(why, sizeof why) : "refused");
}

void signer_take(struct signer *s, struct sign_pair *ret_pair)
{
    pthread_mutex_lock(&s->lock);
    *ret_pair = s->pair;
    pthread_mutex_unlock(&s->lock);
}

/* Holding the lock: NULL when no key has this id. */
static const uint8_t *public_find(const struct signer *s, const char *key_id)
{
    char id[SIGN_KEY_ID_LEN + 1];
    if (strcmp(s->pair.id, key_id) == 0)
        return s->pair.public;
    for (size_t i = 0; i < s->old_n; i++) {
        sign_key_id(s->old[i], id);
        if (strcmp(id, key_id) == 0)
            return s->old[i];
    }
    return NULL;
}

int signer_public(struct signer *s, const char *key_id, uint8_t ret_public[SIGN_PUBLIC_BYTES])
{
    pthread_mutex_lock(&s->lock);
    const uint8_t *found = public_find(s, key_id);
    if (found)
        memcpy(ret_public, found, SIGN_PUBLIC_BYTES);
    pthread_mutex_unlock(&s->lock);
    return found ? 0 : SIGNER_UNKNOWN;
}
