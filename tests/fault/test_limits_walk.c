/* test_limits_walk.c: every call into LMDB may fail while quotas are taken and given back, tokens
 * are taken, the table of tiers changes and add-ons are given.
 *
 * One scenario runs again and again; in run N the Nth call fails with one code. A turn that faults
 * ends the broker, as exit 74 does, and the store is opened again. After each run all counts are
 * made anew from the log and the tables and must be those that are stored, and with time passing
 * everybody who waits for a token gets one. The walk ends with the first run that no failure
 * reached. */
#include "fault/lmdb_fault.h"
#include "prop/quota_recount.h"

#include "sched/month.h"

#include <errno.h>
#include <lmdb.h>

enum { CALLS_MAX = 5000 };

struct walk {
    struct engine_kit k;
    unsigned died, refused;
    uint16_t first_month;
};

/* After a fault the broker is gone; a new one opens the store. NULL: there is no answer. */
static Rota__Reply *healed(struct walk *w, Rota__Reply *reply)
{
    if (w->k.fault) {
        w->died++;
        w->k.fault = 0;
        fault_arm(0, 0);
        engine_kit_close(&w->k);
        engine_kit_open(&w->k);
        return NULL;
    }
    w->refused += reply && reply->error;
    return reply && !reply->error ? reply : NULL;
}

static bool publish(struct walk *w, char job[40])
{
    Rota__Reply *reply = healed(w, kit_publish(&w->k, "shop", NULL));
    job[0] = '\0';
    if (reply)
        snprintf(job, 40, "%s", reply->publish->job);
    return reply != NULL;
}

static void table_change(struct walk *w, uint32_t running_max, uint32_t rate_n)
{
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    Rota__Limits limits = ROTA__LIMITS__INIT;
    Rota__Rate rate = ROTA__RATE__INIT;
    set.set_tier_case = ROTA__LIMITS_SET__SET_TIER_TIER;
    set.tier = ROTA__TIER__P3;
    set.limits = &limits;
    set.account_rate = &rate;
    limits.running_max = running_max;
    rate.n = rate_n;
    rate.per_ms = 10000;
    healed(w, kit_limits_set(&w->k, &set));
}

static void finish(struct walk *w, struct kit_lease *lease)
{
    Rota__Finish f = ROTA__FINISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    uint8_t hash[32] = {7};
    Rota__Artifact log = ROTA__ARTIFACT__INIT, *list[] = {&log};
    log.kind = ROTA__OBJECT_KIND__BUILD_LOG;
    log.size = 1000;
    log.sha256 = log.blake2b = (ProtobufCBinaryData){sizeof hash, hash};
    lease->ref.job = lease->job;
    f.lease = &lease->ref;
    f.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    f.artifact = list;
    f.n_artifact = 1;
    request.op_case = ROTA__REQUEST__OP_FINISH;
    request.finish = &f;
    struct inbound *in = kit_request(&w->k, &request, NULL);
    in->is_vetted = true;
    kit_turn(&w->k, in);
    healed(w, kit_reply(&w->k, w->k.request_id));
}

static void scenario(struct walk *w)
{
    char first[40], second[40];
    struct kit_lease lease;
    table_change(w, 2, 1);
    publish(w, first);
    if (publish(w, second)) {
        healed(w, kit_cancel(&w->k, second));
        healed(w, kit_retry(&w->k, second));
    }
    bool got = kit_lease(&w->k, "w", &lease); /* takes the only token */
    healed(w, NULL);
    if (got)
        finish(w, &lease);
    healed(w, kit_grant(&w->k, "shop", "plus-10", 0, false));
    kit_pass(&w->k, 10000); /* the next token */
    healed(w, NULL);
    table_change(w, 1, 0);
}

static void judge(struct walk *w)
{
    static struct recount r;
    struct engine_kit *k = &w->k;
    struct kit_lease lease;
    fault_arm(0, 0);
    k->may_fail = false;
    engine_kit_restart(k);
    kit_check(k);
    recount_check(k, w->first_month, &r);
    kit_pass(k, 60000); /* leases that were lost are lost now */
    for (int i = 0; i < 20 && kit_rows(k, TABLE_DONE) < kit_rows(k, TABLE_JOB); i++) {
        while (kit_lease(k, "w", &lease))
            kit_finish(k, &lease, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
        kit_pass(k, 10000);
    }
    assert_int_equal(kit_rows(k, TABLE_DONE), kit_rows(k, TABLE_JOB));
    kit_check(k);
    recount_check(k, w->first_month, &r);
}

static void walk_with(int code, const char *name)
{
    uint64_t n = 1, died = 0, refused = 0;
    for (;; n++) {
        assert_true(n < CALLS_MAX);
        struct walk w = {0};
        engine_kit_setup(&w.k, 64 << 20);
        w.first_month = month_of(w.k.now.wall_ms);
        kit_plain(&w.k, "shop", ROTA__TIER__P3);
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
    printf("%s: %llu of %llu calls failed in turn while builds and tokens were taken and given "
           "back: %llu refusals, %llu restarts, every count right\n",
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
