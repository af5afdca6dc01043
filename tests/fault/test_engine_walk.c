/* test_engine_walk.c: every call into LMDB may fail while jobs are published, leased and finished.
 *
 * One scenario runs again and again; in run N the Nth call fails with one code. A turn that faults
 * ends the broker, as exit 74 does: nothing of it is spoken, and the store is opened again. Then:
 * each acknowledged publish is stored, each acknowledged finish is done, no idempotency key has two
 * jobs, every job is in exactly one of ready, lease and done, and the broker goes on. The walk ends
 * with the first run that no failure reached. */
#include "fault/lmdb_fault.h"
#include "unit/engine_kit.h"

#include <errno.h>
#include <lmdb.h>

enum { PUBLISHES = 4, CALLS_MAX = 5000 };

struct ack {
    char job[40];
    bool is_finished;
};

struct walk {
    struct engine_kit k;
    struct ack acks[PUBLISHES];
    unsigned published, finished, refused, died;
};

/* After a fault the broker is gone; a new one opens the store. */
static void heal(struct walk *w)
{
    if (!w->k.fault)
        return;
    w->died++;
    w->k.fault = 0;
    fault_arm(0, 0);
    engine_kit_close(&w->k);
    engine_kit_open(&w->k);
}

static bool is_good(struct walk *w, const Rota__Reply *reply)
{
    if (reply && reply->error) {
        assert_true(reply->error->retryable);
        w->refused++;
    }
    bool good = reply && !reply->error;
    return good;
}

static void publish(struct walk *w, unsigned i)
{
    char key[16];
    snprintf(key, sizeof key, "key-%u", i);
    Rota__Reply *reply = kit_publish(&w->k, "", key);
    if (is_good(w, reply)) {
        snprintf(w->acks[i].job, sizeof w->acks[i].job, "%s", reply->publish->job);
        w->published++;
    }
    heal(w);
}

static void lease_and_finish(struct walk *w)
{
    struct kit_lease l;
    bool got = kit_lease(&w->k, "w", &l);
    heal(w);
    if (!got)
        return;
    bool good = is_good(w, kit_finish(&w->k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED));
    for (unsigned i = 0; good && i < PUBLISHES; i++)
        if (strcmp(w->acks[i].job, l.job) == 0)
            w->acks[i].is_finished = true;
    w->finished += good;
    heal(w);
}

static void scenario(struct walk *w)
{
    for (unsigned i = 0; i < PUBLISHES; i++)
        publish(w, i);
    for (unsigned i = 0; i < PUBLISHES - 1; i++)
        lease_and_finish(w);
}

/* What was said is true, and a repeat of each publish finds the one job of its key. */
static void judge(struct walk *w)
{
    struct engine_kit *k = &w->k;
    fault_arm(0, 0);
    k->may_fail = false;
    engine_kit_close(k);
    engine_kit_open(k);
    kit_check(k);
    for (unsigned i = 0; i < PUBLISHES; i++) {
        char key[16];
        snprintf(key, sizeof key, "key-%u", i);
        if (w->acks[i].is_finished)
            kit_state(k, w->acks[i].job, ROTA__STATE__SUCCEEDED);
        Rota__Reply *again = kit_publish(k, "", key);
        assert_string_equal(kit_error(again), "");
        if (w->acks[i].job[0]) {
            assert_true(again->publish->replayed);
            assert_string_equal(again->publish->job, w->acks[i].job);
        }
    }
    assert_int_equal(kit_rows(k, TABLE_JOB), PUBLISHES);
    kit_pass(k, k->lease_ms + 10); /* what was leased and not finished comes back */
    struct kit_lease l;
    while (kit_lease(k, "w2", &l))
        assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
    assert_int_equal(kit_rows(k, TABLE_DONE), PUBLISHES);
    kit_check(k);
}

static void walk_with(int code, const char *name)
{
    uint64_t n = 1, refused = 0, died = 0;
    for (;; n++) {
        assert_true(n < CALLS_MAX);
        struct walk w = {0};
        engine_kit_setup(&w.k, 64 << 20);
        w.k.may_fail = true;
        fault_arm(n, code);
        scenario(&w);
        bool hit = fault_hit() != NULL || w.died;
        judge(&w);
        refused += w.refused;
        died += w.died;
        engine_kit_teardown(&w.k);
        if (!hit)
            break;
    }
    printf(
        "%s: %llu of %llu calls failed in turn: %llu refusals, %llu restarts, 0 lost, 0 doubled\n",
        name, (unsigned long long)(n - 1), (unsigned long long)(n - 1), (unsigned long long)refused,
        (unsigned long long)died);
    assert_true(n > 50);
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

static void no_memory(void **state)
{
    (void)state;
    walk_with(ENOMEM, "ENOMEM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(eio), cmocka_unit_test(map_full),
                                       cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
