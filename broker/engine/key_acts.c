/* key_acts.c: a key is revoked, and shown with what it has done. */
#include "engine/keyring.h"

#include <errno.h>

/* An admin's key does not touch what belongs to an owner. */
static int check_rank(struct turn *t, const struct key_row *key)
{
    Rota__MemberRole mine, theirs;
    int r = caller_rank(t, &mine);
    if (r != 0 || !key->member.n || mine == ROTA__MEMBER_ROLE__OWNER)
        return r;
    r = member_role(t->txn, key->account, key->member, &theirs);
    if (r == 0 && theirs == ROTA__MEMBER_ROLE__OWNER)
        return turn_refuse(t, E_NOT_ALLOWED, "the key is an owner's: only an owner may revoke it");
    return r == STORE_MISSING ? 0 : turn_store(r);
}

int turn_key_revoke(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__KeyRevoke *q = request->key_revoke;
    struct key_held key;
    reply->key_revoke = arena_alloc(t->fx->arena, sizeof *reply->key_revoke);
    int r = reply->key_revoke ? key_find(t, q->serial, q->prefix, &key) : err_raise(-ENOMEM);
    if (r == 0)
        r = check_rank(t, &key.row);
    if (r == 0 && !key.row.revoked_ms)
        r = trail_note(t, turn_str(t, key.row.prefix), "revokes key %u", key.row.serial);
    if (r == 0)
        r = key_revoke(t, &key);
    if (r != 0)
        return r;
    rota__key_revoke_result__init(reply->key_revoke);
    return key_message(t, &key.row, &reply->key_revoke->key);
}

/* ---- usage ---- */

static int counts_fill(struct turn *t, const struct key_use_row *row, Rota__KeyUsageResult *result)
{
    const struct {
        Rota__State state;
        uint64_t jobs;
    } counts[] = {{ROTA__STATE__SUCCEEDED, row->succeeded},
                  {ROTA__STATE__FAILED, row->failed},
                  {ROTA__STATE__TIMED_OUT, row->timed_out},
                  {ROTA__STATE__CANCELLED, row->cancelled},
                  {ROTA__STATE__DEAD, row->dead}};
    Rota__StateCount *all = arena_alloc(t->fx->arena, ARRAY_LEN(counts) * sizeof *all);
    result->count = arena_alloc(t->fx->arena, ARRAY_LEN(counts) * sizeof(Rota__StateCount *));
    if (!all || !result->count)
        return err_raise(-ENOMEM);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        rota__state_count__init(&all[i]);
        all[i].state = counts[i].state;
        all[i].jobs = counts[i].jobs;
        result->count[i] = &all[i];
    }
    result->n_count = ARRAY_LEN(counts);
    return 0;
}

int turn_key_usage(struct turn *t, const Rota__Request *request, Rota__Reply *reply)
{
    const Rota__KeyUsage *q = request->key_usage;
    struct key_held key;
    struct key_use_row row;
    Rota__KeyUsageResult *result = arena_alloc(t->fx->arena, sizeof *result);
    int r = result ? key_find(t, q->serial, q->prefix, &key) : err_raise(-ENOMEM);
    if (r != 0)
        return r;
    rota__key_usage_result__init(result);
    r = key_use_now(t, key.row.serial, &row);
    if (r == 0)
        r = key_message(t, &key.row, &result->key);
    if (r != 0)
        return r;
    result->key->last_used_ms = row.last_used_ms;
    result->requests = row.requests;
    result->builds = row.builds;
    result->builds_used = key_use_of_month(&row, t->now.wall_ms);
    reply->key_usage = result;
    return counts_fill(t, &row, result);
}
