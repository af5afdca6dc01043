/* test_audit.c: the audit of the event log can say no. A right log of a real engine passes, from
 * any event on; and each way of falsifying it, at each place, is found out at the latest by the
 * next checkpoint. So "all as the rule says" means something. */
#include "audit_kit.h"

/* Four tiers, two pools, caps, a pause, a tier that changes, cancels: a little of everything. */
static void live(struct engine_kit *k)
{
    char name[16], job[40];
    struct kit_lease l, held[3];
    for (unsigned i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "a%u", i);
        kit_account(k, name, (Rota__Tier)(i % 4), 1 + i % 3);
        why_publish_many(k, name, 6);
    }
    kit_publish_class(k, "a1", "other", 0, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(kit_lease(k, "w", &held[i]));
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a2", 0);
    kit_paused(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P1", 0);
    for (unsigned i = 0; i < 12; i++) {
        assert_true(kit_lease(k, "w", &l));
        kit_finish(k, &l, i % 5 ? ROTA__OUTCOME__OUTCOME_SUCCEEDED : ROTA__OUTCOME__OUTCOME_FAILED);
    }
    audit_checkpoint(k);
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P1");
    kit_account(k, "a7", ROTA__TIER__P0, 2);
    kit_resumed(k, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, "a2");
    why_publish(k, "a3", 1, job);
    assert_string_equal(kit_error(kit_cancel(k, job)), "");
    for (unsigned i = 0; i < 3; i++)
        kit_finish(k, &held[i], ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    for (unsigned i = 0; i < 20 && kit_lease(k, "w", &l); i++)
        kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
    audit_checkpoint(k);
}

static void log_make(struct engine_kit *k, struct audit_log *log)
{
    log->n = 0;
    live(k);
    kit_events(k, 0, audit_note, log);
}

static void a_right_log_passes_from_any_event_on(void **state)
{
    static struct audit_log log;
    struct audit_counts c, whole;
    log_make(*state, &log);
    assert_int_equal(audit_check(&log, 0, &whole), 0);
    assert_int_equal(whole.begun_seq, 1);
    assert_int_equal(whole.checkpoints, 3);
    assert_true(whole.dispatches > 30);
    for (size_t from = 0; from < log.n; from++) {
        assert_int_equal(audit_check(&log, from, &c), 0);
        assert_int_equal(c.events + c.passed_over, log.n - from);
        assert_true(c.dispatches <= whole.dispatches);
    }
    printf("%zu events, %llu dispatches, passed from each of them on\n", log.n,
           (unsigned long long)whole.dispatches);
    audit_log_free(&log);
}

static unsigned count_kind(const struct audit_log *log, Rota__EventKind kind)
{
    unsigned n = 0;
    for (size_t i = 0; i < log->n; i++)
        n += log->event[i]->kind == kind;
    return n;
}

/* A newer program ships with another cap: at its start, accounts that were at the old one enter the
 * rings, in the order of their numbers, and the log says so once. */
static void caps_that_ship_may_change(void **state)
{
    struct engine_kit *k = *state;
    static struct audit_log log;
    struct audit_counts c;
    struct kit_lease l;
    char name[16];
    k->engine->cache.tiers.row[ROTA__TIER__P1].running_max = 1; /* as an older one shipped */
    audit_checkpoint(k);
    for (unsigned i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "a%u", i);
        kit_account(k, name, ROTA__TIER__P1, 0);
        why_publish_many(k, name, 3);
    }
    for (unsigned i = 0; i < 9; i++)
        assert_true(kit_lease(k, "w", &l));
    assert_false(kit_lease(k, "w", &l)); /* all at their cap */
    engine_kit_restart(k);
    for (unsigned i = 0; i < 9; i++)
        assert_true(kit_lease(k, "w", &l));
    assert_false(kit_lease(k, "w", &l)); /* two each */
    engine_kit_restart(k);
    kit_publish(k, "a0", NULL); /* a turn with an event */
    kit_check(k);
    log.n = 0;
    kit_events(k, 1, audit_note, &log); /* from the second checkpoint on */
    assert_int_equal(audit_check(&log, 0, &c), 0);
    assert_int_equal(c.dispatches, 18);
    assert_int_equal(c.checkpoints, 2);
    assert_int_equal(count_kind(&log, ROTA__EVENT_KIND__EVENT_LIMITS_SET), 1);
    audit_log_free(&log);
}

/* ---- falsifying ---- */

/* Each changes one event, or false: it does not fit that one. */
typedef bool falsify(Rota__Event *e);

static bool is_dispatch(const Rota__Event *e)
{
    return e->kind == ROTA__EVENT_KIND__EVENT_DISPATCHED;
}

static bool other_tier(Rota__Event *e)
{
    e->tier = (Rota__Tier)((e->tier + 1) % 4);
    return is_dispatch(e);
}

static bool other_account(Rota__Event *e)
{
    e->account_number++;
    return is_dispatch(e);
}

static bool larger_set(Rota__Event *e)
{
    e->eligible ^= 8;
    return is_dispatch(e);
}

static bool no_set(Rota__Event *e)
{
    e->eligible = 0;
    return is_dispatch(e);
}

static bool other_c(Rota__Event *e)
{
    e->c = e->c % 3 + 1;
    return is_dispatch(e);
}

static bool other_n(Rota__Event *e)
{
    e->n = (e->n + 1) % 4;
    return is_dispatch(e);
}

static bool number_ahead(Rota__Event *e)
{
    e->number++;
    return is_dispatch(e);
}

static bool other_pool(Rota__Event *e)
{
    bool fits = is_dispatch(e) && strcmp(e->pool, "task") == 0;
    if (fits)
        memcpy(e->pool, "mask", 4);
    return fits;
}

static bool other_cap(Rota__Event *e)
{
    e->running_own += 5;
    e->running_max += 5;
    bool is_a7 = e->account_number == 9; /* moved to P0 while it has jobs */
    return e->kind == ROTA__EVENT_KIND__EVENT_ACCOUNT_SET && is_a7 && e->tier == ROTA__TIER__P0;
}

static bool other_bars(Rota__Event *e)
{
    e->bars ^= ROTA__BAR__BAR_PAUSED;
    return e->kind == ROTA__EVENT_KIND__EVENT_BARS && strcmp(e->scope, "account") == 0;
}

static bool published_elsewhere(Rota__Event *e)
{
    e->account_number = e->account_number == 3 ? 4 : 3;
    return e->kind == ROTA__EVENT_KIND__EVENT_PUBLISHED;
}

static bool published_held(Rota__Event *e)
{
    e->state = ROTA__STATE__HELD;
    return e->kind == ROTA__EVENT_KIND__EVENT_PUBLISHED;
}

static bool finished_again_ready(Rota__Event *e)
{
    e->state = ROTA__STATE__READY;
    return e->kind == ROTA__EVENT_KIND__EVENT_FINISHED;
}

static bool unread_checkpoint(Rota__Event *e)
{
    if (e->checkpoint.len)
        e->checkpoint.data[0] ^= 0xff;
    return e->kind == ROTA__EVENT_KIND__EVENT_CHECKPOINT && e->seq > 1;
}

static const struct {
    const char *name;
    falsify *run;
} falsified[] = {
    {"other tier", other_tier},
    {"other account", other_account},
    {"another eligible set", larger_set},
    {"no eligible set", no_set},
    {"other c", other_c},
    {"other n", other_n},
    {"number ahead", number_ahead},
    {"other pool", other_pool},
    {"other cap", other_cap},
    {"other bars", other_bars},
    {"published by another account", published_elsewhere},
    {"published held", published_held},
    {"finished, ready again", finished_again_ready},
    {"a broken checkpoint", unread_checkpoint},
};

static Rota__Event *copy(const Rota__Event *event)
{
    struct audit_log one = {.n = 0};
    audit_note(&one, event);
    return one.event[0];
}

static void each_falsified_event_is_found_out(void **state)
{
    static struct audit_log log;
    struct audit_counts c;
    log_make(*state, &log);
    for (size_t f = 0; f < ARRAY_LEN(falsified); f++) {
        unsigned n = 0;
        for (size_t i = 0; i < log.n; i++) {
            Rota__Event *right = log.event[i], *wrong = copy(right);
            log.event[i] = wrong;
            if (falsified[f].run(wrong)) {
                n++;
                if (audit_check(&log, 0, &c) != AUDIT_DEVIATION)
                    fail_msg("event %zu, %s: not found out", i + 1, falsified[f].name);
                assert_true(c.deviation_seq >= right->seq);
            }
            log.event[i] = right;
            rota__event__free_unpacked(wrong, NULL);
        }
        printf("  %4u x %s\n", n, falsified[f].name);
        assert_true(n > 0);
    }
    audit_log_free(&log);
}

/* Left out, and the others numbered anew so that nothing shows but what follows from it. */
static void an_event_left_out_is_missed(void **state)
{
    static struct audit_log log;
    static const Rota__EventKind kinds[] = {
        ROTA__EVENT_KIND__EVENT_PUBLISHED,
        ROTA__EVENT_KIND__EVENT_DISPATCHED,
        ROTA__EVENT_KIND__EVENT_FINISHED,
        ROTA__EVENT_KIND__EVENT_BARS,
    };
    struct audit_counts c;
    log_make(*state, &log);
    for (size_t f = 0; f < ARRAY_LEN(kinds); f++) {
        unsigned n = 0;
        for (size_t i = 0; i < log.n; i++) {
            Rota__Event *out = log.event[i];
            bool is_class =
                out->kind == ROTA__EVENT_KIND__EVENT_BARS && !strcmp(out->scope, "class");
            if (out->kind != kinds[f] || is_class)
                continue;
            n++;
            memmove(&log.event[i], &log.event[i + 1], (log.n - i - 1) * sizeof(Rota__Event *));
            log.n--;
            assert_int_equal(audit_check(&log, 0, &c), AUDIT_DEVIATION); /* the gap shows */
            for (size_t j = i; j < log.n; j++)
                log.event[j]->seq--;
            if (audit_check(&log, 0, &c) != AUDIT_DEVIATION)
                fail_msg("event %zu left out: not found out", i + 1);
            for (size_t j = i; j < log.n; j++)
                log.event[j]->seq++;
            memmove(&log.event[i + 1], &log.event[i], (log.n - i) * sizeof(Rota__Event *));
            log.event[i] = out;
            log.n++;
        }
        printf("  %4u x kind %d left out\n", n, (int)kinds[f]);
        assert_true(n > 0);
    }
    audit_log_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_right_log_passes_from_any_event_on),
        ENGINE_CASE(caps_that_ship_may_change),
        ENGINE_CASE(each_falsified_event_is_found_out),
        ENGINE_CASE(an_event_left_out_is_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
