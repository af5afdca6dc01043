/* abuse_score.c: how much the case of one account looks like others'.
 *
 * Who shares a value stands in `signal` beside the account's own row, in the order of account
 * numbers, which is the order they were made in. The walk takes the nearest numbers on both sides,
 * so that however many share a value, those made on the same day are among the ones looked at. */
#include "engine/abuse_parts.h"

#include "store/keys.h"

#include <assert.h>
#include <errno.h>

enum { SIDE_MAX = ABUSE_LOOK_MAX / 2, SIGNAL_KEY_BYTES = 1 + SIGNAL_VALUE_BYTES + 8 };
static const uint64_t day_ms = 24ull * 3600 * 1000;

/* ---- links ---- */

static int other_take(struct turn *t, struct abuse_link *l, uint8_t kind, struct span key,
                      struct span value)
{
    struct signal_row row;
    int r = row_decode(&signal_row_type, key, value, &row);
    if (r < 0)
        return err_pass(r);
    if (signal_until_ms(kind, row.last_ms) <= t->now.wall_ms)
        return 0; /* its purge is due */
    l->others[l->n++] = (struct abuse_other){
        get_be64((const uint8_t *)key.p + SIGNAL_KEY_BYTES - sizeof(uint64_t)), row.published_ms};
    return 0;
}

typedef int cursor_step(struct cursor *c, struct span *ret_key, struct span *ret_value);

/* From the row that the cursor came to, `step` by step, while the value is the same. */
static int side_walk(struct turn *t, struct abuse_link *l, const struct key_buf *own,
                     struct cursor *cursor, int r, cursor_step *step, struct span key,
                     struct span value)
{
    unsigned looked = 0;
    for (; r == 0 && key.n == SIGNAL_KEY_BYTES &&
           memcmp(key.p, own->b, SIGNAL_KEY_BYTES - sizeof(uint64_t)) == 0;
         r = step(cursor, &key, &value)) {
        if (memcmp(key.p, own->b, SIGNAL_KEY_BYTES) == 0)
            continue;
        if (looked++ == SIDE_MAX) {
            l->has_more = true;
            return 0;
        }
        int taken = other_take(t, l, own->b[0], key, value);
        if (taken != 0)
            return taken;
    }
    return r < 0 ? err_pass(r) : 0;
}

static int link_read(struct turn *t, struct abuse_link *l, uint8_t kind, uint64_t account)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf own;
    struct span key = {0}, value = {0}, at = key_signal(&own, kind, l->value.b, account);
    int r = turn_store(cursor_open(t->txn, TABLE_SIGNAL, &cursor));
    if (r != 0)
        return r;
    r = cursor_before(cursor, at, &key, &value);
    r = side_walk(t, l, &own, cursor, r, cursor_prev, key, value);
    if (r != 0)
        return r;
    r = cursor_seek(cursor, at, &key, &value);
    return side_walk(t, l, &own, cursor, r, cursor_next, key, value);
}

int abuse_look(struct turn *t, struct abuse_case *c, uint8_t kind, const struct abuse_value *value)
{
    assert(kind >= 1 && kind <= ABUSE_LINKS);
    struct abuse_link *l = &c->link[kind - 1];
    unsigned least = kind == ROTA__SIGNAL_KIND__SIGNAL_HASH ? ABUSE_HASH_ACCOUNTS_MIN - 1 : 1;
    if (l->counts)
        return 0;
    *l = (struct abuse_link){.value = *value};
    int r = link_read(t, l, kind, c->account->number);
    l->counts = r == 0 && l->n >= least;
    return r;
}

/* ---- what follows from the links ---- */

static void few_add(struct abuse_few *few, uint64_t account)
{
    if (few->n < EVIDENCE_ACCOUNTS_MAX)
        few->accounts[few->n++] = account;
    few->total++;
}

static const struct abuse_other *link_find(const struct abuse_link *l, uint64_t account)
{
    for (unsigned i = 0; l->counts && i < l->n; i++)
        if (l->others[i].account == account)
            return &l->others[i];
    return NULL;
}

static bool is_known(const struct abuse_case *c, unsigned link, uint64_t account)
{
    for (unsigned i = 0; i < link; i++)
        if (link_find(&c->link[i], account))
            return true;
    return false;
}

static int created_day(struct turn *t, uint64_t account, uint64_t *ret_day)
{
    struct account_row row;
    struct key_buf k;
    int r = row_get(t->txn, &account_row_type, key_u64(&k, account), &row);
    *ret_day = r == 0 ? row.created_ms / day_ms : 0;
    return r == STORE_MISSING ? 0 : turn_store(r); /* erased: of no day */
}

static bool is_near(uint64_t a_ms, uint64_t b_ms)
{
    return (a_ms > b_ms ? a_ms - b_ms : b_ms - a_ms) <= ABUSE_WINDOW_MS;
}

/* An account that is not in RAM: its newest job, as far as jobs are listed. */
static int newest_job_ms(struct turn *t, uint64_t account, uint64_t *ret_ms)
{
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    struct job_id last;
    memset(last.b, 0xff, sizeof last.b);
    *ret_ms = 0;
    int r = turn_store(cursor_open(t->txn, TABLE_JOB_OF, &cursor));
    if (r != 0)
        return r;
    struct span end = key_of_account(&k, account, last);
    r = cursor_before(cursor, end, &key, &value);
    if (r == 0 && key.n == end.n && memcmp(key.p, end.p, end.n - sizeof last.b) == 0)
        *ret_ms = job_id_ms(key_tail_id(key));
    return r < 0 ? err_pass(r) : 0;
}

/* Did it publish within minutes of this job? By the jobs that the links were seen with, and by its
 * last one. */
static int published_near(struct turn *t, const struct abuse_case *c, uint64_t account,
                          bool *ret_near)
{
    uint64_t last_ms = 0;
    int r = 0;
    *ret_near = false;
    for (unsigned i = 0; i < ABUSE_LINKS; i++) {
        const struct abuse_other *o = link_find(&c->link[i], account);
        *ret_near |= o && is_near(o->published_ms, c->published_ms);
    }
    if (*ret_near)
        return 0;
    const struct account *known = cache_account_known(t->cache, account);
    if (known && known->published_ms)
        last_ms = known->published_ms;
    else
        r = newest_job_ms(t, account, &last_ms);
    *ret_near = is_near(last_ms, c->published_ms);
    return r;
}

static int judge_other(struct turn *t, struct abuse_case *c, uint64_t own_day, uint64_t account)
{
    uint64_t day;
    bool near;
    int r = created_day(t, account, &day);
    if (r == 0)
        r = published_near(t, c, account, &near);
    if (r != 0)
        return r;
    if (day == own_day)
        few_add(&c->day, account);
    if (near)
        few_add(&c->minutes, account);
    return 0;
}

static int judge_others(struct turn *t, struct abuse_case *c)
{
    uint64_t own_day;
    int r = created_day(t, c->account->number, &own_day);
    for (unsigned link = 0; link < ABUSE_LINKS; link++) {
        const struct abuse_link *l = &c->link[link];
        for (unsigned i = 0; l->counts && i < l->n && r == 0; i++)
            if (!is_known(c, link, l->others[i].account))
                r = judge_other(t, c, own_day, l->others[i].account);
    }
    return r;
}

int abuse_judge(struct turn *t, struct abuse_case *c)
{
    static const unsigned by_link[ABUSE_LINKS] = {ABUSE_HASH, ABUSE_IP, ABUSE_NAMES};
    int r = 0;
    c->signals = 0;
    c->day = c->minutes = (struct abuse_few){0};
    for (unsigned i = 0; i < ABUSE_LINKS; i++)
        c->signals |= c->link[i].counts ? by_link[i] : 0;
    /* Most accounts share one thing with somebody: no need to look further at those. */
    if (abuse_verdict(abuse_score(c->signals | ABUSE_SAME_DAY | ABUSE_MINUTES)) != ABUSE_FINE)
        r = judge_others(t, c);
    c->signals |= c->day.total ? ABUSE_SAME_DAY : 0;
    c->signals |= c->minutes.total ? ABUSE_MINUTES : 0;
    return r;
}
