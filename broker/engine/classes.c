/* classes.c: the gate of each class: paused by an operator, closed by its breaker, or open.
 *
 * Pause and breaker stand in the class's row; the gate follows from them and the time, and is kept
 * because what hangs on it (the pool's bar, jobs to bring back) must be done once when it turns.
 * classes_note() sums up over the few classes there are what the turn asks each time: one time and
 * one bool. */
#include "engine/classes.h"

#include "store/keys.h"

enum { ASIDE_SLICE = 256, TRY_MS = 1000 };

static const char *const gate_words[] = {
    [GATE_OPEN] = "",
    [GATE_TRY] = "BREAKER_TRY",
    [GATE_PAUSED] = "PAUSED",
    [GATE_BREAKER] = "BREAKER_OPEN",
    [GATE_PROBE] = "BREAKER_PROBE",
};

static enum class_gate gate_now(const struct class *class, uint64_t bt_ms)
{
    const struct breaker *b = &class->breaker;
    if (class->is_paused)
        return GATE_PAUSED;
    if (b->state == BREAKER_CLOSED)
        return GATE_OPEN;
    if (breaker_may(b, bt_ms))
        return GATE_TRY;
    return b->state == BREAKER_HALF_OPEN ? GATE_PROBE : GATE_BREAKER;
}

struct class *class_of(const struct cache *c, struct span name)
{
    for (size_t i = 0; i < c->classes_n; i++) {
        const struct class *class = &c->classes[i];
        if (strlen(class->name) == name.n && memcmp(class->name, name.p, name.n) == 0)
            return (struct class *)(uintptr_t) class;
    }
    return NULL;
}

/* Broker time at which the class wants to be looked at again. */
static uint64_t class_due_ms(const struct class *class)
{
    if (class->gate == GATE_BREAKER)
        return class->breaker.until_ms;
    if (!class->has_aside || class_is_closed(class))
        return UINT64_MAX;
    return class->gate == GATE_TRY ? class->try_ms : 0;
}

void classes_note(struct turn *t)
{
    struct cache *c = t->cache;
    uint64_t due_ms = UINT64_MAX;
    bool odd = false;
    for (size_t i = 0; i < c->classes_n; i++) {
        const struct class *class = &c->classes[i];
        odd |= class->gate != GATE_OPEN || class->has_aside;
        if (class_due_ms(class) < due_ms)
            due_ms = class_due_ms(class);
    }
    SET(t->undo, c->classes_ms, due_ms);
    SET(t->undo, c->classes_odd, odd);
}

static int class_write(struct turn *t, const struct class *class)
{
    const struct breaker *b = &class->breaker;
    struct class_row row = {.pool = class->pool->number,
                            .is_paused = class->is_paused,
                            .breaker_state = b->state,
                            .breaker_faults = b->faults,
                            .breaker_open_ms = b->open_ms,
                            .breaker_until_ms = b->until_ms,
                            .breaker_probe = b->probe};
    return turn_store(row_put(t->txn, &class_row_type, span_str(class->name), &row));
}

/* ---- the gate ---- */

static bool pool_is_closed(const struct cache *c, const struct pool *p)
{
    bool has_class = false;
    for (size_t i = 0; i < c->classes_n; i++) {
        if (c->classes[i].pool != p)
            continue;
        has_class = true;
        if (!class_is_closed(&c->classes[i]))
            return false;
    }
    return has_class;
}

int pool_settle(struct turn *t, struct pool *p)
{
    return pool_bar(t, p, ROTA__BAR__BAR_PAUSED, p->is_paused || pool_is_closed(t->cache, p));
}

static int gate_event(struct turn *t, struct class *class)
{
    Rota__Event *event = event_new(t, ROTA__EVENT_KIND__EVENT_BARS);
    if (event) {
        event->scope = (char *)"class";
        event->class_ = class->name;
        event->pool = class->pool->name;
        event->bars = class_is_closed(class) ? ROTA__BAR__BAR_PAUSED : 0;
        event->reason = (char *)gate_words[class->gate];
        if (class->gate == GATE_BREAKER)
            event->until_ms = t->now.wall_ms + (class->breaker.until_ms - t->bt_ms);
    }
    return event_append(t, event);
}

static int class_settle(struct turn *t, struct class *class)
{
    enum class_gate gate = gate_now(class, t->bt_ms);
    if (gate == class->gate)
        return 0;
    SET(t->undo, class->gate, gate);
    SET(t->undo, class->try_ms, 0);
    classes_note(t);
    int r = gate_event(t, class);
    return r == 0 ? pool_settle(t, class->pool) : r;
}

int class_pause(struct turn *t, struct class *class, bool on)
{
    if (class->is_paused == on)
        return 0;
    SET(t->undo, class->is_paused, on);
    int r = class_write(t, class);
    return r == 0 ? class_settle(t, class) : r;
}

/* ---- the breaker ---- */

static bool breaker_eq(const struct breaker *a, const struct breaker *b)
{
    return a->state == b->state && a->faults == b->faults && a->open_ms == b->open_ms &&
           a->until_ms == b->until_ms && a->probe == b->probe;
}

static int class_breaker_set(struct turn *t, struct class *class, const struct breaker *b)
{
    if (breaker_eq(&class->breaker, b))
        return 0;
    SET(t->undo, class->breaker, *b);
    int r = class_write(t, class);
    return r == 0 ? class_settle(t, class) : r;
}

int class_trust(struct turn *t, struct class *class)
{
    static const struct breaker as_new;
    return class_breaker_set(t, class, &as_new);
}

/* Names a run of the class wherever it is: a job may have been moved to another pool, whose numbers
 * are its own. */
static uint64_t run_of(const struct lease *l)
{
    return (uint64_t)l->tally->pool->number << 48 | l->token;
}

int class_run_started(struct turn *t, struct lease *l)
{
    if (!l->class || l->class->breaker.state == BREAKER_CLOSED)
        return 0;
    struct breaker b = l->class->breaker;
    breaker_start(&b, run_of(l));
    return class_breaker_set(t, l->class, &b);
}

/* A lease of before the start knows its class only by the job's row. */
static int lease_class(struct turn *t, struct lease *l)
{
    struct job_row row;
    struct key_buf k;
    if (l->class)
        return 0;
    int r = turn_store(row_get(t->txn, &job_row_type, key_id(&k, l->job), &row));
    if (r == 0)
        SET(t->undo, l->class, class_of(t->cache, row.class));
    return r;
}

/* The worker lacks what this app asks for, and an app may ask for what nobody has: no sign that the
 * class is broken, or one account could close it for all. */
static bool is_lack(const struct step *s)
{
    static const enum error_code lacks[] = {E_MANAGER_MISSING, E_NODE_UNAVAILABLE};
    for (size_t i = 0; i < ARRAY_LEN(lacks); i++) {
        const char *name = error_row(lacks[i])->name;
        if (s->error_name.n == strlen(name) && memcmp(s->error_name.p, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

int class_run_ended(struct turn *t, struct lease *l, const struct step *s)
{
    int r = lease_class(t, l);
    if (r != 0 || !l->class)
        return r;
    struct breaker b = l->class->breaker;
    if (s->to == ROTA__STATE__SUCCEEDED || s->to == ROTA__STATE__FAILED ||
        s->to == ROTA__STATE__TIMED_OUT)
        breaker_good(&b, run_of(l));
    else if (s->to == ROTA__STATE__CANCELLED || s->forgives || is_lack(s))
        breaker_void(&b, run_of(l));
    else
        breaker_fault(&b, run_of(l), t->bt_ms);
    return class_breaker_set(t, l->class, &b);
}

/* ---- what falls due ---- */

/* While one run may be tried, jobs come back one by one: more than the one that is needed would
 * only be set aside again. */
static int class_back(struct turn *t, struct class *class, size_t *left)
{
    size_t most = class->gate == GATE_TRY ? 1 : *left, n = 0;
    if (!class->has_aside || class_is_closed(class) || !most)
        return 0;
    if (class->gate == GATE_TRY && t->bt_ms < class->try_ms)
        return 0;
    int r = asides_back(t, class, most, &n);
    *left -= n;
    SET(t->undo, class->try_ms, t->bt_ms + TRY_MS);
    return r;
}

int classes_some(struct turn *t)
{
    struct cache *c = t->cache;
    size_t left = ASIDE_SLICE;
    int r = 0;
    if (t->bt_ms < c->classes_ms)
        return 0;
    for (size_t i = 0; i < c->classes_n && r == 0; i++)
        r = class_settle(t, &c->classes[i]);
    for (size_t i = 1; i <= POOLS_MAX && r == 0; i++)
        r = c->pools[i] ? pool_settle(t, c->pools[i]) : 0;
    for (size_t i = 0; i < c->classes_n && r == 0; i++)
        r = class_back(t, &c->classes[i], &left);
    classes_note(t);
    if (c->classes_ms <= t->bt_ms)
        t->engine->has_more = true;
    return r;
}
