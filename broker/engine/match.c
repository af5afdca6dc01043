/* match.c: the filter is made of numbers once, then each job costs a few comparisons and, only when
 * the filter asks for it, the look-up of its place.
 *
 * Tables that can serve: the listing index of an account or of one app of it (complete up to the
 * fold; newer jobs stand in `job` alone), the index of finish times, and for states that have a
 * table of their own that table. An account's index and a state's table are walked together. */
#include "engine/match.h"

#include "engine/turn.h"

#include <assert.h>
#include <base/clock.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { REVIEWS_LOOK_MAX = 4096 };

__attribute__((format(printf, 3, 4))) static enum error_code
refuse(struct match *m, enum error_code code, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(m->text, sizeof m->text, format, ap);
    va_end(ap);
    return code;
}

static enum error_code store_error(int r)
{
    assert(r < 0);
    return r == -ENOMEM ? E_MEMORY : E_STORE_FAULT;
}

/* ---- the filter in numbers ---- */

static enum error_code take_account(struct match *m, struct txn *txn, const struct principal *who)
{
    if (who->role == ROTA__ROLE__OPERATOR && !*m->where->account)
        return E_OK;
    return auth_account(txn, who, m->where->account, &m->account);
}

static enum error_code take_app(struct match *m, struct txn *txn, const struct principal *who)
{
    struct key_buf k;
    struct app_row row;
    m->app_name = *m->where->app ? m->where->app : who->app;
    if (*m->app_name && auth_app(who, span_str(m->app_name)) != E_OK)
        return E_KEY_APP;
    if (!*m->app_name || !m->account)
        return E_OK;
    int r = row_get(txn, &app_row_type, key_named(&k, m->account, span_str(m->app_name)), &row);
    if (r != 0)
        return r < 0 ? store_error(r) : E_APP_UNKNOWN;
    m->app = row.number;
    return E_OK;
}

static enum error_code take_pool(struct match *m, struct txn *txn)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value, name = span_str(m->where->pool);
    struct pool_row row;
    if (!name.n)
        return E_OK;
    int r = cursor_open(txn, TABLE_POOL, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    for (; r == 0; r = cursor_next(cursor, &key, &value)) {
        r = row_decode(&pool_row_type, key, value, &row);
        if (r != 0)
            break;
        if (row.name.n == name.n && memcmp(row.name.p, name.p, name.n) == 0) {
            m->pool = get_be16(key.p);
            return E_OK;
        }
    }
    return r < 0 ? store_error(r)
                 : refuse(m, E_WHERE_INVALID, "there is no pool \"%s\"", m->where->pool);
}

static enum error_code take_class(struct match *m, struct txn *txn)
{
    struct class_row row;
    if (!*m->where->class_)
        return E_OK;
    int r = row_get(txn, &class_row_type, span_str(m->where->class_), &row);
    if (r == 0)
        return E_OK;
    return r < 0 ? store_error(r)
                 : refuse(m, E_WHERE_INVALID, "there is no class \"%s\"", m->where->class_);
}

static enum error_code take_platform(struct match *m)
{
    const char *name = m->where->platform;
    m->platform = (uint8_t)platform_by_name(name);
    return !*name || m->platform ? E_OK
                                 : refuse(m, E_WHERE_INVALID, "there is no platform \"%s\"", name);
}

static bool has_ended(Rota__State s)
{
    return s >= ROTA__STATE__SUCCEEDED;
}

static bool asks_finished(const struct match *m)
{
    return m->where->finished_from_ms || m->where->finished_to_ms;
}

/* The least id of this time; UINT64_MAX: above all ids. */
static struct job_id id_at(uint64_t ms)
{
    struct job_id id = {{0}};
    if (ms >> 48)
        memset(id.b, 0xff, sizeof id.b);
    else
        put_be64(id.b, ms << 16);
    return id;
}

static enum error_code check_range(struct match *m, const char *what, uint64_t from_ms,
                                   uint64_t to_ms)
{
    char from[RFC3339_LEN + 1], to[RFC3339_LEN + 1];
    if (!to_ms || from_ms < to_ms)
        return E_OK;
    return refuse(m, E_WHERE_INVALID, "%s: nothing lies from %s on and before %s", what,
                  rfc3339(from_ms, from), rfc3339(to_ms, to));
}

static enum error_code take_times(struct match *m)
{
    const Rota__Where *w = m->where;
    enum error_code e = check_range(m, "published", w->published_from_ms, w->published_to_ms);
    if (e == E_OK)
        e = check_range(m, "finished", w->finished_from_ms, w->finished_to_ms);
    if (e == E_OK && asks_finished(m) && w->state && !has_ended(w->state))
        e = refuse(m, E_WHERE_INVALID, "a job of this state has not finished at any time");
    m->lo = id_at(w->published_from_ms);
    m->hi = id_at(w->published_to_ms ? w->published_to_ms : UINT64_MAX);
    return e;
}

static enum error_code take_fold(struct match *m, struct txn *txn)
{
    struct meta_row row;
    int r = row_get(txn, &meta_row_type, span_str("fold"), &row);
    if (r == 0 && row.value.n == sizeof m->fold.b)
        memcpy(m->fold.b, row.value.p, row.value.n);
    return r < 0 ? store_error(r) : E_OK;
}

/* BAR_REVIEW and BAR_BLOCKED of an account. */
static int review_bars(struct txn *txn, uint64_t account, uint8_t *ret_bars)
{
    struct account_row row;
    struct key_buf k;
    int r = row_get(txn, &account_row_type, key_u64(&k, account), &row);
    *ret_bars = r == 0 ? row.bars & (ROTA__BAR__BAR_REVIEW | ROTA__BAR__BAR_BLOCKED) : 0;
    return r < 0 ? err_pass(r) : 0;
}

/* Does a review bar any account at all? Too many to look at count as yes. */
static int any_barred(struct txn *txn, bool *ret_any)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    uint8_t bars = 0;
    int r = cursor_open(txn, TABLE_REVIEW_OPEN, &cursor);
    if (r == 0)
        r = cursor_seek(cursor, span_of("", 0), &key, &value);
    for (int i = 0; r == 0 && i < REVIEWS_LOOK_MAX; i++) {
        r = review_bars(txn, get_be64(key.p), &bars);
        if (r == 0 && !bars)
            r = cursor_next(cursor, &key, &value);
        if (bars)
            break;
    }
    *ret_any = r == 0;
    return r < 0 ? err_pass(r) : 0;
}

static enum error_code take_barred(struct match *m, struct txn *txn)
{
    uint8_t bars = 0;
    int r = 0;
    if (m->where->state != ROTA__STATE__HELD)
        return E_OK;
    if (m->account)
        r = review_bars(txn, m->account, &bars);
    else
        r = any_barred(txn, &m->has_barred);
    m->has_barred |= bars != 0;
    return r < 0 ? store_error(r) : E_OK;
}

enum error_code match_init(struct match *m, struct txn *txn, const struct principal *who,
                           const Rota__Where *where)
{
    *m = (struct match){.where = where, .tiers = (uint8_t)where->tiers};
    enum error_code e = take_times(m);
    if (e == E_OK)
        e = take_platform(m);
    if (e == E_OK)
        e = take_account(m, txn, who);
    if (e == E_OK)
        e = take_app(m, txn, who);
    if (e == E_OK)
        e = take_barred(m, txn);
    if (e == E_OK)
        e = take_pool(m, txn);
    if (e == E_OK)
        e = take_class(m, txn);
    return e == E_OK ? take_fold(m, txn) : e;
}

/* ---- where to look ---- */

/* The table whose ids are the jobs of the state that is asked for, or a few more; false: none. */
static bool state_leg(const struct match *m, struct leg *ret_leg)
{
    static const enum table tables[] = {
        [ROTA__STATE__DELAYED] = TABLE_STATE,  [ROTA__STATE__HELD] = TABLE_HELD,
        [ROTA__STATE__LEASED] = TABLE_LEASE,   [ROTA__STATE__SUCCEEDED] = TABLE_DONE,
        [ROTA__STATE__FAILED] = TABLE_DONE,    [ROTA__STATE__TIMED_OUT] = TABLE_DONE,
        [ROTA__STATE__CANCELLED] = TABLE_DONE, [ROTA__STATE__DEAD] = TABLE_DONE,
    };
    Rota__State state = m->where->state;
    if (state == ROTA__STATE__STATE_NONE && asks_finished(m))
        state = ROTA__STATE__SUCCEEDED;
    if ((size_t)state >= ARRAY_LEN(tables) || state <= ROTA__STATE__READY)
        return false;
    if (state == ROTA__STATE__HELD && m->has_barred)
        return false;
    *ret_leg = leg_of(tables[state], span_of("", 0));
    return true;
}

static struct stretch stretch_of(struct job_id lo, struct job_id hi)
{
    return (struct stretch){.spot_n = sizeof(struct job_id), .lo = spot_of(lo), .hi = spot_of(hi)};
}

static void add_leg(struct stretch *s, struct leg leg)
{
    assert(s->legs_n < WALK_LEGS_MAX);
    s->leg[s->legs_n++] = leg;
}

/* All of [lo, hi), without an index of accounts. */
static struct stretch plan_all(const struct match *m, struct job_id lo, struct job_id hi)
{
    struct stretch s = stretch_of(lo, hi);
    struct leg leg;
    add_leg(&s, state_leg(m, &leg) ? leg : leg_of(TABLE_JOB, span_of("", 0)));
    return s;
}

static struct stretch plan_account(const struct match *m, struct job_id lo, struct job_id hi)
{
    static const struct job_id none;
    struct stretch s = stretch_of(lo, hi);
    struct key_buf k;
    struct leg leg;
    struct span prefix =
        m->app ? key_of_app(&k, m->account, m->app, none) : key_of_account(&k, m->account, none);
    prefix.n -= sizeof none.b;
    add_leg(&s, leg_of(TABLE_JOB_OF, prefix));
    if (state_leg(m, &leg))
        add_leg(&s, leg);
    return s;
}

static struct stretch plan_finished(const struct match *m)
{
    const Rota__Where *w = m->where;
    struct stretch s = {.spot_n = 8 + sizeof(struct job_id)};
    put_be64(s.lo.b, w->finished_from_ms);
    put_be64(s.hi.b, w->finished_to_ms ? w->finished_to_ms : UINT64_MAX);
    add_leg(&s, leg_of(TABLE_JOB_OF, span_of("F", 1)));
    return s;
}

static struct job_id lesser(struct job_id a, struct job_id b)
{
    return job_id_cmp(a, b) < 0 ? a : b;
}

static struct job_id greater(struct job_id a, struct job_id b)
{
    return job_id_cmp(a, b) < 0 ? b : a;
}

size_t match_plan(const struct match *m, bool is_up, struct stretch ret_all[STRETCHES_MAX])
{
    if (!m->account) {
        ret_all[0] = asks_finished(m) && !is_up ? plan_finished(m) : plan_all(m, m->lo, m->hi);
        return 1;
    }
    /* A batch that is being folded stands in both: the index counts only up to the fold. */
    struct job_id tail = job_id_after(m->fold);
    ret_all[!is_up] = plan_account(m, m->lo, lesser(m->hi, tail));
    ret_all[is_up] = plan_all(m, greater(m->lo, tail), m->hi);
    return STRETCHES_MAX;
}

size_t match_edge_bytes(const struct match *m, bool is_up)
{
    struct stretch all[STRETCHES_MAX];
    match_plan(m, is_up, all);
    return all[0].spot_n;
}

/* ---- does a job fit? ---- */

static bool is_text(struct span s, const char *text)
{
    size_t n = strlen(text);
    return n == 0 || (s.n == n && memcmp(s.p, text, n) == 0);
}

static bool begins_with_words(struct span s, const char *text)
{
    size_t n = strlen(text);
    return s.n >= n && (n == 0 || memcmp(s.p, text, n) == 0) &&
           (n == 0 || s.n == n || ((const char *)s.p)[n] == ' ');
}

bool match_row(const struct match *m, struct job_id id, const struct job_row *row)
{
    if (job_id_cmp(id, m->lo) < 0 || job_id_cmp(id, m->hi) >= 0)
        return false;
    if (m->account && row->account != m->account)
        return false;
    if (m->app ? row->app != m->app : !is_text(row->app_name, m->app_name))
        return false;
    if (m->platform && row->platform != m->platform)
        return false;
    if (m->tiers && !(m->tiers & 1u << row->tier))
        return false;
    return is_text(row->class, m->where->class_) && is_text(row->ref, m->where->ref);
}

bool match_asks_place(const struct match *m)
{
    const Rota__Where *w = m->where;
    return w->state || m->pool || asks_finished(m) || *w->error || *w->reason;
}

/* Where a job is, as far as a filter can ask for it. Spans are borrowed from the store. */
struct facts {
    Rota__State state;
    uint16_t pool;
    uint64_t finished_ms;
    struct span reason, error;
};

static void facts_done(const struct done_row *done, struct facts *f)
{
    f->state = (Rota__State)done->state;
    f->finished_ms = done->finished_ms;
    f->reason = done->reason;
    f->error = done->error_name;
    if (done->pool)
        f->pool = done->pool;
}

static void facts_waiting(const struct state_row *state, struct facts *f)
{
    if (state->state)
        f->state = (Rota__State)state->state;
    f->reason = state->reason;
    f->error = state->error_name;
    if (state->pool)
        f->pool = state->pool;
}

/* A ready job of an account that a review bars. */
static int facts_barred(struct txn *txn, uint64_t account, struct facts *f)
{
    uint8_t bars;
    int r = review_bars(txn, account, &bars);
    if (r < 0 || !bars)
        return r;
    f->state = ROTA__STATE__HELD;
    f->reason = span_str(bars & ROTA__BAR__BAR_BLOCKED ? "BLOCKED" : "HELD_FOR_REVIEW");
    return 0;
}

static int facts_read(struct txn *txn, struct job_id id, uint64_t account, struct facts *f)
{
    struct key_buf k;
    struct done_row done;
    struct lease_row lease;
    struct state_row state;
    int r = row_get(txn, &done_row_type, key_id(&k, id), &done);
    if (r == 0)
        facts_done(&done, f);
    if (r != STORE_MISSING)
        return r < 0 ? err_pass(r) : 0;
    r = row_get(txn, &lease_row_type, key_id(&k, id), &lease);
    if (r == 0) {
        f->state = ROTA__STATE__LEASED;
        f->pool = lease.pool;
        f->reason = lease.cancel_reason;
    }
    if (r != STORE_MISSING)
        return r < 0 ? err_pass(r) : 0;
    r = row_get(txn, &state_row_type, key_id(&k, id), &state);
    if (r == 0)
        facts_waiting(&state, f);
    if (r >= 0 && f->state == ROTA__STATE__READY)
        r = facts_barred(txn, account, f);
    return r < 0 ? err_pass(r) : 0;
}

static bool fits_facts(const struct match *m, const struct facts *f)
{
    const Rota__Where *w = m->where;
    if ((w->state && f->state != w->state) || (m->pool && f->pool != m->pool))
        return false;
    if (asks_finished(m) && (!has_ended(f->state) || f->finished_ms < w->finished_from_ms ||
                             (w->finished_to_ms && f->finished_ms >= w->finished_to_ms)))
        return false;
    return is_text(f->error, w->error) && begins_with_words(f->reason, w->reason);
}

int match_place(const struct match *m, struct txn *txn, struct job_id id, const struct job_row *row,
                bool *ret_fits)
{
    struct facts f = {.state = ROTA__STATE__READY, .pool = row->pool};
    int r = facts_read(txn, id, row->account, &f);
    if (r == 0)
        *ret_fits = fits_facts(m, &f);
    return r;
}
