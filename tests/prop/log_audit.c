/* log_audit.c: see log_audit.h. */
#undef NDEBUG
#include "log_audit.h"

#include "engine/query.h"
#include "store/keys.h"
#include "store/rows.h"

#include <assert.h>
#include <base/arena.h>
#include <stdio.h>

enum { ANSWER_BYTES_MAX = 4 << 20 };

void log_audit_begin(struct log_audit *l)
{
    *l = (struct log_audit){.tightest = UINT64_MAX};
    int r = audit_new(&l->audit);
    assert(r == 0);
}

void log_audit_end(struct log_audit *l)
{
    for (struct pledge *p = l->pledges, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    l->audit = audit_free(l->audit);
    l->pledges = NULL;
}

/* ---- bounds ---- */

enum fate { FATE_OPEN, FATE_KEPT, FATE_VOID };

static enum fate pledge_served(struct log_audit *l, const struct pledge *p, const Rota__Event *e)
{
    uint64_t others = e->number - p->number - 1;
    if (others > p->bound)
        printf("bound broken: %s was promised at most %llu others, %llu came first\n", e->job,
               (unsigned long long)p->bound, (unsigned long long)others);
    assert(others <= p->bound);
    if (p->bound - others < l->tightest)
        l->tightest = p->bound - others;
    return FATE_KEPT;
}

/* As long as its account stands in the ring and pool and tier are served, the promise binds. */
static enum fate pledge_fate(struct log_audit *l, const struct pledge *p, const Rota__Event *e)
{
    struct job_id job;
    struct audit_place place;
    bool is_own = job_id_parse(e->job, &job) == 0 && job_id_cmp(job, p->job) == 0;
    bool is_dispatch = e->kind == ROTA__EVENT_KIND__EVENT_DISPATCHED;
    if (is_own && is_dispatch)
        return pledge_served(l, p, e);
    if (is_own)
        return FATE_VOID;
    if (is_dispatch && e->account_number == p->account && strcmp(e->pool, p->pool) == 0)
        return FATE_VOID;
    bool stands = audit_stands(l->audit, p->pool, p->account, &place) && place.place &&
                  place.is_served && place.tier == p->tier;
    return stands ? FATE_OPEN : FATE_VOID;
}

static void pledges_look(struct log_audit *l, const Rota__Event *e)
{
    for (struct pledge **at = &l->pledges; *at;) {
        struct pledge *p = *at;
        enum fate fate = pledge_fate(l, p, e);
        if (fate == FATE_OPEN) {
            at = &p->next;
            continue;
        }
        l->kept += fate == FATE_KEPT;
        l->voided += fate == FATE_VOID;
        *at = p->next;
        free(p);
    }
}

/* ---- reading ---- */

static bool row_read(struct log_audit *l, struct span key, struct span value)
{
    struct event_row row;
    int r = row_decode(&event_row_type, key, value, &row);
    assert(r == 0);
    Rota__Event *e = rota__event__unpack(NULL, row.packed.n, row.packed.p);
    assert(e);
    assert(e->seq == get_be64(key.p));
    l->seq = e->seq;
    r = audit_event(l->audit, e);
    assert(r >= 0);
    l->is_off = r == AUDIT_DEVIATION;
    if (!l->is_off)
        pledges_look(l, e);
    rota__event__free_unpacked(e, NULL);
    return !l->is_off;
}

bool log_audit_read(struct log_audit *l, struct store *s)
{
    AUTO(txn) txn = NULL;
    AUTO(cursor) cursor = NULL;
    struct key_buf k;
    struct span key, value;
    if (l->is_off)
        return false;
    int r = store_snapshot(s, &txn);
    if (r == 0)
        r = cursor_open(txn, TABLE_EVENT, &cursor);
    assert(r == 0);
    for (r = cursor_seek(cursor, key_u64(&k, l->seq + 1), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value))
        if (!row_read(l, key, value))
            return false;
    assert(r == STORE_MISSING);
    return true;
}

/* ---- asking ---- */

/* SCHEDULING.md, G4: B of each tier while others come and go; and A2. */
static uint64_t formula(const struct audit_place *p)
{
    static const uint64_t b[] = {1, 11, 10, 9};
    return p->place * (b[p->tier] + 1) - 1;
}

static void pledge_add(struct log_audit *l, const Rota__WhyResult *why, uint64_t account,
                       const char *pool)
{
    struct audit_place place;
    struct pledge *p = calloc(1, sizeof *p);
    assert(p);
    bool known = audit_place(l->audit, pool, account, &place);
    if (!known || place.place != why->ring_place || why->bound != formula(&place))
        printf("%s: bound %llu at place %llu; by the log it stands at %llu of P%u\n", why->job,
               (unsigned long long)why->bound, (unsigned long long)why->ring_place,
               (unsigned long long)place.place, place.tier);
    assert(known && place.place == why->ring_place && why->bound == formula(&place));
    int r = job_id_parse(why->job, &p->job);
    assert(r == 0);
    p->account = account;
    p->number = place.number;
    p->bound = why->bound;
    p->tier = place.tier;
    snprintf(p->pool, sizeof p->pool, "%s", pool);
    p->next = l->pledges;
    l->pledges = p;
    l->stated++;
}

/* The pool that the job is in: its row's, or the one that it was moved to. */
static void pool_of(struct query *q, struct job_id id, char pool[POOL_NAME_MAX + 1],
                    uint64_t *ret_account)
{
    struct job_row row;
    struct state_row state;
    struct pool_row at;
    struct key_buf k;
    int r = row_get(q->txn, &job_row_type, key_id(&k, id), &row);
    assert(r == 0);
    uint16_t number = row.pool;
    *ret_account = row.account;
    if (row_get(q->txn, &state_row_type, key_id(&k, id), &state) == 0 && state.pool)
        number = state.pool;
    r = row_get(q->txn, &pool_row_type, key_u16(&k, number), &at);
    assert(r == 0 && at.name.n <= POOL_NAME_MAX);
    memset(pool, 0, POOL_NAME_MAX + 1);
    memcpy(pool, at.name.p, at.name.n);
}

static void answer_look(struct log_audit *l, struct query *q)
{
    const Rota__WhyResult *why = q->reply->why;
    struct job_id id;
    char pool[POOL_NAME_MAX + 1];
    uint64_t account;
    assert(why->reason[0] && why->text[0]);
    assert(!why->has_bound || (why->state == ROTA__STATE__READY && why->place == 1));
    if (!why->has_bound || job_id_parse(why->job, &id) != 0)
        return;
    pool_of(q, id, pool, &account);
    pledge_add(l, why, account, pool);
}

void log_audit_ask(struct log_audit *l, struct store *s, struct board *b, uint64_t wall_ms,
                   uint64_t boot_ms, const char *job)
{
    static const struct principal operator= {.role = ROTA__ROLE__OPERATOR, .account = 1};
    AUTO(txn) txn = NULL;
    struct arena *arena;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Reply reply = ROTA__REPLY__INIT;
    Rota__Why why = ROTA__WHY__INIT;
    int r = arena_new(ANSWER_BYTES_MAX, &arena);
    if (r == 0)
        r = store_snapshot(s, &txn);
    assert(r == 0);
    why.job = (char *)job;
    request.op_case = ROTA__REQUEST__OP_WHY;
    request.why = &why;
    struct query q = {.txn = txn,
                      .board = b,
                      .store = s,
                      .arena = arena,
                      .who = &operator,
                      .request = & request,
                      .reply = &reply,
                      .wall_ms = wall_ms,
                      .boot_ms = boot_ms,
                      .environment = "development"};
    enum error_code e = query_answer(&q);
    assert(e == E_OK || e == E_JOB_UNKNOWN);
    l->asked++;
    if (e == E_OK && !l->is_off)
        answer_look(l, &q);
    arena_free(arena);
}
