/* quota_recount.c: see quota_recount.h. */
#include "quota_recount.h"

#include "sched/month.h"

/* One job as the log tells of it. */
struct life {
    char job[40];
    uint64_t account, granted_ms;
    uint16_t paid; /* the month that pays for it; 0: it was given back */
    unsigned attempts;
    bool is_refunded;
};

struct counting {
    struct recount *r;
    struct txn *txn;
    struct life *lives; /* in the order of their publishes */
    size_t lives_n, lives_cap;
};

typedef void each_row(struct counting *c, struct span key, struct span value);

static void each(struct counting *c, enum table table, each_row *row)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    assert_int_equal(cursor_open(c->txn, table, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value))
        row(c, key, value);
}

static struct usage_row *month_at(struct counting *c, uint64_t account, uint16_t month)
{
    assert_in_range(account, 1, QUOTA_ACCOUNTS + 1);
    assert_in_range(month, c->r->first_month, c->r->first_month + QUOTA_MONTHS - 1);
    return &c->r->month[account][month - c->r->first_month];
}

/* ---- the log: each job from its publish to its end, and again ---- */

static int by_job(const void *x, const void *y)
{
    return strcmp(((const struct life *)x)->job, ((const struct life *)y)->job);
}

/* Ids rise with time, and their texts with them. */
static struct life *life_find(struct counting *c, const char *job)
{
    struct life sought;
    snprintf(sought.job, sizeof sought.job, "%s", job);
    return c->lives_n ? bsearch(&sought, c->lives, c->lives_n, sizeof sought, by_job) : NULL;
}

static void life_begin(struct counting *c, const Rota__Event *e)
{
    if (c->lives_n == c->lives_cap) {
        c->lives_cap = c->lives_cap ? c->lives_cap * 2 : 1024;
        c->lives = realloc(c->lives, c->lives_cap * sizeof *c->lives);
        assert_non_null(c->lives);
    }
    struct life *l = &c->lives[c->lives_n++];
    *l = (struct life){.account = e->account_number, .paid = month_of(e->at_ms)};
    snprintf(l->job, sizeof l->job, "%s", e->job);
    assert_true(c->lives_n == 1 || by_job(l - 1, l) < 0);
    month_at(c, l->account, l->paid)->used++;
}

static bool has_ended(Rota__State state)
{
    return state >= ROTA__STATE__SUCCEEDED;
}

static void life_end(struct counting *c, struct life *l, const Rota__Event *e)
{
    struct usage_row *m = month_at(c, l->account, month_of(e->at_ms));
    bool is_superseded = strncmp(e->reason, SUPERSEDED_BY, strlen(SUPERSEDED_BY)) == 0;
    m->succeeded += e->state == ROTA__STATE__SUCCEEDED;
    m->failed += e->state == ROTA__STATE__FAILED || e->state == ROTA__STATE__TIMED_OUT;
    m->cancelled += e->state == ROTA__STATE__CANCELLED;
    m->dead += e->state == ROTA__STATE__DEAD;
    l->is_refunded = e->state == ROTA__STATE__DEAD ||
                     (e->state == ROTA__STATE__CANCELLED && (!l->attempts || is_superseded));
    if (l->is_refunded)
        month_at(c, l->account, l->paid)->used--;
}

static void life_again(struct counting *c, struct life *l, const Rota__Event *e)
{
    l->attempts = 0;
    if (!l->is_refunded)
        return;
    l->is_refunded = false;
    l->paid = month_of(e->at_ms);
    month_at(c, l->account, l->paid)->used++;
}

static void life_goes_on(struct counting *c, struct life *l, const Rota__Event *e)
{
    if (e->kind == ROTA__EVENT_KIND__EVENT_DISPATCHED) {
        l->granted_ms = e->at_ms;
        l->attempts++;
    } else if (e->from == ROTA__STATE__LEASED && e->state != ROTA__STATE__LEASED) {
        month_at(c, l->account, month_of(e->at_ms))->worker_ms += e->at_ms - l->granted_ms;
        l->attempts -=
            e->kind == ROTA__EVENT_KIND__EVENT_RELEASED && e->state == ROTA__STATE__READY;
    }
    if (has_ended(e->state) && !has_ended(e->from))
        life_end(c, l, e);
    else if (has_ended(e->from) && !has_ended(e->state))
        life_again(c, l, e);
}

static void count_event(struct counting *c, struct span key, struct span value)
{
    struct event_row row;
    assert_int_equal(row_decode(&event_row_type, key, value, &row), 0);
    Rota__Event *e = rota__event__unpack(NULL, row.packed.n, row.packed.p);
    assert_non_null(e);
    struct life *l = e->job[0] ? life_find(c, e->job) : NULL;
    if (e->kind == ROTA__EVENT_KIND__EVENT_PUBLISHED)
        life_begin(c, e);
    else if (l)
        life_goes_on(c, l, e);
    rota__event__free_unpacked(e, NULL);
}

/* ---- the tables ---- */

static void count_done(struct counting *c, struct span key, struct span value)
{
    struct done_row done;
    char text[JOB_ID_TEXT_LEN + 1];
    assert_int_equal(row_decode(&done_row_type, key, value, &done), 0);
    const struct life *l = life_find(c, job_id_text(key_tail_id(key), text));
    assert_non_null(l);
    assert_int_equal(done.is_refunded, l->is_refunded);
    c->r->refunded += done.is_refunded;
    c->r->kept[l->account].succeeded += done.state == ROTA__STATE__SUCCEEDED;
    c->r->kept[l->account].failed += done.state != ROTA__STATE__SUCCEEDED;
}

static void count_object(struct counting *c, struct span key, struct span value)
{
    struct object_row row;
    assert_int_equal(row_decode(&object_row_type, key, value, &row), 0);
    if (*(const uint8_t *)key.p != ROTA__OBJECT_KIND__SOURCE)
        c->r->storage[get_be64((const uint8_t *)key.p + 1)] += row.size;
}

/* ---- comparing ---- */

static void assert_same(uint64_t account, unsigned month, const struct usage_row *stored,
                        const struct usage_row *counted)
{
    if (memcmp(stored, counted, sizeof *stored) == 0)
        return;
    const uint64_t *s = &stored->used, *n = &counted->used;
    for (size_t i = 0; i < sizeof *stored / sizeof *s; i++)
        fprintf(stderr, "account %llu, month %u, column %zu: stored %llu, counted %llu\n",
                (unsigned long long)account, month, i, (unsigned long long)s[i],
                (unsigned long long)n[i]);
    fail();
}

/* What was compared is set to zero, so that what is left was in no row. */
static void compare_usage(struct counting *c, struct span key, struct span value)
{
    static const struct usage_row none;
    struct usage_row row;
    uint64_t account = get_be64(key.p);
    uint16_t month = get_be16((const uint8_t *)key.p + 8);
    assert_int_equal(row_decode(&usage_row_type, key, value, &row), 0);
    struct usage_row *counted = month ? month_at(c, account, month) : &c->r->kept[account];
    assert_same(account, month, &row, counted);
    *counted = none;
    c->r->rows++;
}

static void compare_account(struct counting *c, struct span key, struct span value)
{
    struct account_row row;
    uint64_t account = get_be64(key.p);
    assert_int_equal(row_decode(&account_row_type, key, value, &row), 0);
    assert_int_equal(row.storage_bytes, c->r->storage[account]);
}

void recount_check(struct engine_kit *k, uint16_t first_month, struct recount *r)
{
    static const struct usage_row none;
    AUTO(txn) txn = kit_snapshot(k->store);
    struct counting c = {.r = r, .txn = txn};
    *r = (struct recount){.first_month = first_month};
    each(&c, TABLE_EVENT, count_event);
    each(&c, TABLE_DONE, count_done);
    each(&c, TABLE_OBJECT, count_object);
    each(&c, TABLE_USAGE, compare_usage);
    each(&c, TABLE_ACCOUNT, compare_account);
    for (uint64_t a = 0; a < QUOTA_ACCOUNTS + 2; a++) {
        assert_same(a, 0, &none, &r->kept[a]);
        for (unsigned m = 0; m < QUOTA_MONTHS; m++)
            assert_same(a, first_month + m, &none, &r->month[a][m]);
    }
    r->lives = c.lives_n;
    free(c.lives);
}
