/* supersede.c: the newest push of a branch is the one that counts.
 *
 * A job published with `supersede` stands in the table under its account, app, platform and ref
 * until it ends. The next one replaces it: a waiting job is cancelled at once, a running one is
 * told to stop, and either gives its month's build back. */
#include "engine/offer.h"

#include "store/keys.h"

#include <errno.h>
#include <sodium.h>

static struct span ref_key(struct key_buf *k, const struct job *j, struct span ref)
{
    uint8_t hash[SIGNAL_VALUE_BYTES];
    crypto_generichash(hash, sizeof hash, ref.p, ref.n, NULL, 0);
    return key_supersede(k, j->account->number, j->app, j->platform, hash);
}

static int ref_of(struct turn *t, const struct job *j, struct key_buf *k, struct span *ret_key)
{
    struct job_row row;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(k, j->id), &row));
    if (r == 0)
        *ret_key = ref_key(k, j, row.ref);
    return r;
}

/* Its row may be a newer job's by now. */
int supersede_forget(struct turn *t, const struct job *j)
{
    struct supersede_row row;
    struct key_buf k;
    struct span key;
    int r = ref_of(t, j, &k, &key);
    if (r != 0)
        return r;
    r = row_get(t->txn, &supersede_row_type, key, &row);
    if (r == STORE_MISSING || (r == 0 && job_id_cmp(row.job, j->id) != 0))
        return 0;
    return r == 0 ? turn_store(txn_del(t->txn, TABLE_SUPERSEDE, key)) : turn_store(r);
}

static int replace(struct turn *t, struct job *old, const char *newer)
{
    char *reason = arena_alloc(t->fx->arena, 64);
    if (!reason)
        return err_raise(-ENOMEM);
    snprintf(reason, 64, SUPERSEDED_BY "%s", newer);
    if (old->state == ROTA__STATE__LEASED)
        return job_cancel_leased(t, old->lease, reason);
    struct step s = step_of(ROTA__STATE__CANCELLED, ROTA__EVENT_KIND__EVENT_FINISHED, E_SUPERSEDED);
    s.reason = span_str(reason);
    s.refunds = true;
    return job_move(t, old, &s);
}

/* What stands there now, if anything. */
static int replace_present(struct turn *t, struct span key, Rota__PublishResult *result)
{
    struct supersede_row row;
    struct job old;
    int r = row_get(t->txn, &supersede_row_type, key, &row);
    if (r != 0)
        return r == STORE_MISSING ? 0 : turn_store(r);
    struct job_id id = row.job;
    r = job_load_known(t, id, &old);
    if (r == 0)
        r = replace(t, &old, result->job);
    result->superseded = turn_job(t, id);
    return r == 0 && !result->superseded ? err_raise(-ENOMEM) : r;
}

int supersede_publish(struct turn *t, const struct offer *o, const struct job *j,
                      Rota__PublishResult *result)
{
    struct supersede_row row = {.job = j->id};
    struct key_buf k;
    struct span key = ref_key(&k, j, span_str(o->q->ref));
    int r = replace_present(t, key, result);
    return r == 0 ? turn_store(row_put(t->txn, &supersede_row_type, key, &row)) : r;
}
