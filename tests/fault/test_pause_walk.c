/* test_pause_walk.c: every call into LMDB may fail while a tier and a class are paused, jobs are
 * set aside and come back, and a breaker opens, tries and closes.
 *
 * One scenario runs again and again; in run N the Nth call fails with one code. A turn that faults
 * ends the broker, as exit 74 does, and the store is opened again. After each run: what was
 * acknowledged is in force, a job is set aside exactly when its row says so, and with everything
 * resumed and time passing each job ends. The walk ends with the first run that no failure
 * reached. */
#include "fault/lmdb_fault.h"
#include "unit/pause_kit.h"

#include "sched/breaker.h"

#include <errno.h>
#include <lmdb.h>

enum { CALLS_MAX = 5000, BAD = 12, GOOD = 2, HOUR_MS = 3600000 };

static const struct kit_place pair = {"pair", {"good", "bad"}, 2};

struct walk {
    struct engine_kit k;
    unsigned died, refused;
    bool is_paused, is_known; /* tier P3, as last acknowledged */
};

/* After a fault the broker is gone; a new one opens the store. True: the turn went well. */
static bool heal(struct walk *w)
{
    if (!w->k.fault)
        return true;
    w->died++;
    w->k.fault = 0;
    fault_arm(0, 0);
    engine_kit_close(&w->k);
    engine_kit_open(&w->k);
    return false;
}

static bool is_good(struct walk *w, const Rota__Reply *reply)
{
    bool good = heal(w) && reply && !reply->error;
    w->refused += reply && reply->error;
    return good;
}

static void tier(struct walk *w, bool pauses)
{
    Rota__Reply *reply = pauses ? kit_pause(&w->k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P3", "walk", 0)
                                : kit_resume(&w->k, ROTA__PAUSE_SCOPE__PAUSE_TIER, "P3");
    bool dies = w->k.fault != 0;
    if (is_good(w, reply)) {
        w->is_paused = pauses;
        w->is_known = true;
    } else if (dies) {
        w->is_known = false; /* committed or not: both are right */
    }
}

static void class(struct walk *w, bool pauses)
{
    is_good(w, pauses ? kit_pause(&w->k, ROTA__PAUSE_SCOPE__PAUSE_CLASS, "bad", "walk",
                                  w->k.now.wall_ms + HOUR_MS)
                      : kit_resume(&w->k, ROTA__PAUSE_SCOPE__PAUSE_CLASS, "bad"));
}

static bool run(struct walk *w, struct kit_run *ret_run)
{
    bool got = kit_run(&w->k, &pair, ret_run);
    return heal(w) && got;
}

/* Without faults: jobs of two classes, and seven faults in a row. */
static void begin(struct walk *w)
{
    struct kit_run runs[8];
    assert_int_equal(kit_runs(&w->k, &pair, 1, runs), 0);
    kit_account(&w->k, "a", ROTA__TIER__P0, 1000);
    kit_publish_class(&w->k, "a", "bad", 5, BAD);
    kit_publish_class(&w->k, "a", "good", 9, GOOD);
    assert_int_equal(kit_runs(&w->k, &pair, BREAKER_FAULTS - 1, runs), BREAKER_FAULTS - 1);
    kit_pass(&w->k, w->k.lease_ms + 1);
    assert_int_equal(cache_class(&w->k.engine->cache, "bad")->breaker.faults, BREAKER_FAULTS - 1);
}

static void scenario(struct walk *w)
{
    struct kit_run r;
    tier(w, true);
    class(w, true);
    if (run(w, &r)) { /* all of the paused class are set aside on the way */
        kit_succeed(&w->k, &r);
        heal(w);
    }
    class(w, false);
    if (run(w, &r)) {
        kit_give_back(&w->k, &r, true); /* the eighth fault */
        heal(w);
    }
    kit_pass(&w->k, BREAKER_OPEN_MS + 1);
    heal(w);
    if (run(w, &r)) {
        kit_succeed(&w->k, &r);
        heal(w);
    }
    tier(w, false);
}

static void judge(struct walk *w)
{
    struct engine_kit *k = &w->k;
    struct kit_run runs[64];
    fault_arm(0, 0);
    k->may_fail = false;
    engine_kit_restart(k);
    kit_check_asides(k);
    bool paused = k->engine->cache.tier_bars[3] & ROTA__BAR__BAR_PAUSED;
    assert_true(!w->is_known || paused == w->is_paused);
    kit_pass(k, 2ull * HOUR_MS); /* pauses end, leases run out, the breaker tries */
    kit_idle(k);
    kit_check_asides(k);
    for (unsigned i = 0; i < 60; i++) {
        size_t n = kit_runs(k, &pair, 64, runs);
        for (size_t j = 0; j < n; j++)
            kit_succeed(k, &runs[j]);
        if (kit_rows(k, TABLE_DONE) == BAD + GOOD)
            break;
        kit_pass(k, 60000);
    }
    assert_int_equal(kit_rows(k, TABLE_DONE), BAD + GOOD);
    assert_int_equal(kit_rows(k, TABLE_ASIDE), 0);
    kit_check(k);
}

static void walk_with(int code, const char *name)
{
    uint64_t n = 1, died = 0, refused = 0;
    for (;; n++) {
        assert_true(n < CALLS_MAX);
        struct walk w = {0};
        engine_kit_setup(&w.k, 64 << 20);
        begin(&w);
        w.k.may_fail = true;
        fault_arm(n, code);
        scenario(&w);
        bool hit = fault_hit() != NULL || w.died;
        judge(&w);
        died += w.died;
        refused += w.refused;
        engine_kit_teardown(&w.k);
        if (!hit)
            break;
    }
    printf("%s: %llu of %llu calls failed in turn while pauses and a breaker came and went: %llu "
           "refusals, %llu restarts, 0 jobs lost\n",
           name, (unsigned long long)(n - 1), (unsigned long long)(n - 1),
           (unsigned long long)refused, (unsigned long long)died);
    assert_true(n > 100);
}

static void eio(void **state)
{
    (void)state;
    walk_with(EIO, "EIO");
}

static void map_full(void **state)
{
    (void)state;
    walk_with(MDB_MAP_FULL, "MAP_FULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(eio), cmocka_unit_test(map_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
