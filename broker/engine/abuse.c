/* abuse.c: when accounts are scored: at a publish, once it is accepted, and at a finish, when the
 * bundle's hash is known. Neither refuses anything.
 *
 * Most publishes are like the last one of their account: same address, same app. What was looked at
 * is remembered in RAM for a minute, so that they cost a comparison. */
#include "engine/abuse_parts.h"

#include "store/keys.h"

#include <errno.h>

enum { SEEN_S = 60, SHARED_LOOK_MAX = 4 };

/* ---- at a publish ---- */

/* Where the publisher is: what a gateway says of its client, or the other end of the connection
 * when that is the account's own. A gateway's or an operator's own address is nobody's sign. */
static const char *publisher_address(const struct turn *t)
{
    const char *address = "";
    if (t->who.role == ROTA__ROLE__GATEWAY && t->origin)
        address = t->origin->client_address;
    else if (t->who.role == ROTA__ROLE__ACCOUNT && t->in && !t->in->peer.is_loopback)
        address = t->in->peer.address;
    return address[0] ? address : NULL;
}

/* Has such a publish been looked at within a minute? If not, it is noted that it is now. */
static bool is_seen(struct turn *t, struct account *a, const char *address, uint64_t family)
{
    uint64_t what = hash_u64(family) ^ (address ? hash_bytes(address, strlen(address)) : 0);
    uint32_t now_s = (uint32_t)(t->bt_ms / 1000);
    struct account_seen *slot = NULL;
    for (unsigned i = 0; i < ACCOUNT_SEEN; i++)
        if (a->seen[i].what == what)
            slot = &a->seen[i];
    if (slot && now_s < slot->until_bt_s)
        return true;
    if (!slot) {
        slot = &a->seen[a->seen_next];
        SET(t->undo, a->seen_next, (uint8_t)((a->seen_next + 1) % ACCOUNT_SEEN));
    }
    struct account_seen seen = {what, now_s + SEEN_S};
    SET(t->undo, *slot, seen);
    return false;
}

static int look_at_address(struct turn *t, struct abuse_case *c, const char *address)
{
    struct abuse_value value;
    bool is_new;
    if (!address || !abuse_address_value(t->engine, address, &value))
        return 0;
    int r = address_note(t, c->account->number, address);
    if (r == 0)
        r = signal_note(t, ROTA__SIGNAL_KIND__SIGNAL_IP, &value, c->account->number,
                        c->published_ms, &is_new);
    return r == 0 ? abuse_look(t, c, ROTA__SIGNAL_KIND__SIGNAL_IP, &value) : r;
}

/* When it last published matters only while others are of the family. */
static int look_at_family(struct turn *t, struct abuse_case *c, uint64_t family)
{
    struct abuse_value value = abuse_family_value(family);
    bool is_new;
    if (!family)
        return 0;
    int r = abuse_look(t, c, ROTA__SIGNAL_KIND__SIGNAL_NAMES, &value);
    if (r == 0 && c->link[ROTA__SIGNAL_KIND__SIGNAL_NAMES - 1].counts && !c->at_finish)
        r = signal_note(t, ROTA__SIGNAL_KIND__SIGNAL_NAMES, &value, c->account->number,
                        c->published_ms, &is_new);
    return r;
}

/* Bundles that it left before, of those that four or more did. */
static int look_at_earlier_bundles(struct turn *t, struct abuse_case *c)
{
    struct abuse_own own[SHARED_LOOK_MAX];
    size_t n;
    int r = signals_own(t, c->account->number, SIGNAL_SHARED, own, SHARED_LOOK_MAX, &n);
    for (size_t i = 0; i < n && r == 0; i++) {
        bool counts;
        r = signal_counts(t, ROTA__SIGNAL_KIND__SIGNAL_HASH, &own[i].value, c->account->number,
                          &counts);
        if (r == 0 && counts)
            r = abuse_look(t, c, ROTA__SIGNAL_KIND__SIGNAL_HASH, &own[i].value);
    }
    return r;
}

static int conclude(struct turn *t, struct abuse_case *c)
{
    int r = abuse_judge(t, c);
    return r == 0 ? review_consider(t, c) : r;
}

static bool has_link(const struct abuse_case *c)
{
    for (unsigned i = 0; i < ABUSE_LINKS; i++)
        if (c->link[i].counts)
            return true;
    return false;
}

int abuse_publish(struct turn *t, struct account *a, uint64_t family, struct job_id job)
{
    const char *address = publisher_address(t);
    uint64_t now_ms = t->now.wall_ms;
    SET(t->undo, a->published_ms, now_ms);
    if ((!address && !family) || is_seen(t, a, address, family))
        return 0;
    struct abuse_case c = {.account = a, .job = job, .published_ms = now_ms};
    int r = look_at_address(t, &c, address);
    if (r == 0)
        r = look_at_family(t, &c, family);
    if (r != 0 || (!address && !has_link(&c)))
        return r;
    r = look_at_earlier_bundles(t, &c);
    return r == 0 ? conclude(t, &c) : r;
}

/* ---- at a finish ---- */

static const uint8_t *bundle_sha256(const Rota__Finish *q)
{
    for (size_t i = 0; i < q->n_artifact; i++)
        if (q->artifact[i]->kind == ROTA__OBJECT_KIND__BUNDLE && q->artifact[i]->sha256.len == 32)
            return q->artifact[i]->sha256.data;
    return NULL;
}

/* From the fourth account on a bundle counts: then for those before it as well. */
static int note_shared(struct turn *t, const struct abuse_case *c)
{
    const struct abuse_link *l = &c->link[ROTA__SIGNAL_KIND__SIGNAL_HASH - 1];
    if (!l->counts)
        return 0;
    int r = signal_note_own(t, SIGNAL_SHARED, &l->value, c->account->number);
    for (unsigned i = 0; l->n < ABUSE_HASH_ACCOUNTS_MIN && i < l->n && r == 0; i++)
        r = signal_note_own(t, SIGNAL_SHARED, &l->value, l->others[i].account);
    return r;
}

static int look_at_bundle(struct turn *t, struct abuse_case *c, const uint8_t sha256[32])
{
    struct abuse_value value = abuse_bundle_value(t->engine, sha256);
    bool is_new;
    int r = signal_note(t, ROTA__SIGNAL_KIND__SIGNAL_HASH, &value, c->account->number,
                        c->published_ms, &is_new);
    if (r == 0)
        r = abuse_look(t, c, ROTA__SIGNAL_KIND__SIGNAL_HASH, &value);
    return r == 0 && is_new ? note_shared(t, c) : r;
}

/* Where the job was published from is kept with the account and not with the job: the addresses
 * that were in use at that moment. */
static int look_at_own_addresses(struct turn *t, struct abuse_case *c)
{
    struct abuse_own own[ABUSE_OWN_MAX];
    size_t n;
    int r =
        signals_own(t, c->account->number, ROTA__SIGNAL_KIND__SIGNAL_IP, own, ABUSE_OWN_MAX, &n);
    for (size_t i = 0; i < n && r == 0; i++) {
        const struct signal_row *row = &own[i].row;
        if (signal_until_ms(ROTA__SIGNAL_KIND__SIGNAL_IP, row->last_ms) > t->now.wall_ms &&
            row->first_ms <= c->published_ms && row->last_ms + SEEN_S * 1000ull >= c->published_ms)
            r = abuse_look(t, c, ROTA__SIGNAL_KIND__SIGNAL_IP, &own[i].value);
    }
    return r;
}

static int job_facts(struct turn *t, struct abuse_case *c, uint64_t *ret_family)
{
    struct job_row job;
    struct app_row app;
    struct key_buf k;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, c->job), &job));
    if (r != 0)
        return r;
    c->published_ms = job.published_ms;
    r = row_get(t->txn, &app_row_type, key_named(&k, c->account->number, job.app_name), &app);
    *ret_family = r == 0 ? app.family : 0;
    return r == STORE_MISSING ? 0 : turn_store(r);
}

int abuse_finish(struct turn *t, struct account *a, struct job_id job, const Rota__Finish *q)
{
    struct abuse_case c = {.account = a, .job = job, .at_finish = true};
    const uint8_t *sha256 = bundle_sha256(q);
    uint64_t family;
    if (!sha256 || q->outcome != ROTA__OUTCOME__OUTCOME_SUCCEEDED)
        return 0;
    int r = job_facts(t, &c, &family);
    if (r == 0)
        r = look_at_bundle(t, &c, sha256);
    if (r == 0)
        r = look_at_own_addresses(t, &c);
    if (r == 0)
        r = look_at_family(t, &c, family);
    return r == 0 ? conclude(t, &c) : r;
}
