/* engine_rules.c: what the rule book adds to the random life of an engine: pauses of everything
 * that can be paused, a pool of two classes, jobs that are held, moved, tried again, put off, and
 * that wait for others. */
#include "engine_life.h"

#include "unit/pause_kit.h"

static const struct kit_place pair = {"pair", {"good", "bad"}, 2};

/* Something that can be paused. */
static Rota__PauseScope thing(struct life *l, const char **ret_name)
{
    static const char *const tiers[] = {"P0", "P1", "P2", "P3"};
    static const char *const pools[] = {"task", "pair"};
    static const char *const classes[] = {"task", "good", "bad", "bad"};
    switch (life_pick(l, 4)) {
    case 0:
        *ret_name = tiers[life_pick(l, 4)];
        return ROTA__PAUSE_SCOPE__PAUSE_TIER;
    case 1:
        *ret_name = pools[life_pick(l, 2)];
        return ROTA__PAUSE_SCOPE__PAUSE_POOL;
    case 2:
        *ret_name = account_name(life_pick(l, ACCOUNTS));
        return ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT;
    default:
        *ret_name = classes[life_pick(l, 4)];
        return ROTA__PAUSE_SCOPE__PAUSE_CLASS;
    }
}

void do_pause(struct life *l)
{
    const char *name;
    Rota__PauseScope scope = thing(l, &name);
    uint64_t until_ms = life_pick(l, 4) ? l->k.now.wall_ms + 1 + life_pick(l, 10000) : 0;
    Rota__Reply *reply = kit_pause(&l->k, scope, name, "random", until_ms);
    assert_non_null(reply);
    l->pauses += !reply->error;
}

void do_resume(struct life *l)
{
    const char *name;
    for (unsigned i = 0; i < 8; i++) {
        Rota__PauseScope scope = thing(l, &name);
        assert_non_null(kit_resume(&l->k, scope, name));
    }
}

static bool is_paused(struct life *l, struct txn *txn, Rota__PauseScope scope, const char *name)
{
    struct key_buf k;
    struct pause_row row;
    int r = row_get(txn, &pause_row_type, key_pause(&k, (uint8_t)scope, span_str(name)), &row);
    assert_true(r == 0 || r == STORE_MISSING);
    return r == 0 && (!row.until_ms || row.until_ms > l->k.now.wall_ms);
}

void check_not_paused(struct life *l, const char *pool, const char *class, const char *account,
                      Rota__Tier tier)
{
    AUTO(txn) txn = kit_snapshot(l->k.store);
    char word[] = {'P', (char)('0' + (int)tier), '\0'};
    assert_false(is_paused(l, txn, ROTA__PAUSE_SCOPE__PAUSE_POOL, pool));
    assert_false(is_paused(l, txn, ROTA__PAUSE_SCOPE__PAUSE_CLASS, class));
    assert_false(is_paused(l, txn, ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT, account));
    assert_false(is_paused(l, txn, ROTA__PAUSE_SCOPE__PAUSE_TIER, word));
}

void check_asides(struct life *l)
{
    kit_check_asides(&l->k);
}

/* ---- two classes in a pool ---- */

void do_pair_publish(struct life *l)
{
    uint64_t jobs = kit_rows(&l->k, TABLE_JOB);
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct inbound *list = NULL;
    unsigned n = 1 + life_pick(l, 6);
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = (char *)"task";
    for (unsigned i = 0; i < n; i++) {
        publish.account = (char *)account_name(life_pick(l, ACCOUNTS));
        publish.class_ = (char *)(life_pick(l, 2) ? "good" : "bad");
        publish.priority = life_pick(l, 10);
        struct inbound *in = kit_request(&l->k, &request, NULL);
        in->next = list;
        list = in;
    }
    kit_turn(&l->k, list);
    l->accepted += kit_rows(&l->k, TABLE_JOB) - jobs;
}

void do_pair_run(struct life *l)
{
    struct kit_run run;
    if (l->leases_n == LEASES_MAX)
        return;
    l->k.may_fail = true;
    bool got = kit_run(&l->k, &pair, &run);
    l->k.may_fail = false;
    assert_int_equal(l->k.fault, 0);
    if (!got)
        return;
    check_not_paused(l, "pair", run.class, run.lease.account, run.lease.tier);
    check_cap(l, run.lease.account);
    assert_true(run.lease.ref.token > l->pair_numbers);
    l->pair_numbers = run.lease.ref.token;
    l->dispatched++;
    l->leases[l->leases_n++] = run.lease;
    uint64_t asides = kit_rows(&l->k, TABLE_ASIDE);
    l->asides_most = asides > l->asides_most ? asides : l->asides_most;
}

/* Long enough for a breaker to try again; every lease runs out. */
void do_minute(struct life *l)
{
    const struct class *class = cache_class(&l->k.engine->cache, life_pick(l, 2) ? "bad" : "task");
    l->breakers += class && class->breaker.state != BREAKER_CLOSED;
    kit_pass(&l->k, 61000);
}

/* ---- acts on jobs ---- */

void note_job(struct life *l, const char *job)
{
    snprintf(l->jobs[l->jobs_n++ % JOBS_KNOWN], sizeof l->jobs[0], "%s", job);
}

static char *known_job(struct life *l)
{
    size_t n = l->jobs_n < JOBS_KNOWN ? l->jobs_n : JOBS_KNOWN;
    return n ? l->jobs[life_pick(l, (unsigned)n)] : NULL;
}

void do_act(struct life *l)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Hold hold = ROTA__HOLD__INIT;
    Rota__JobRelease release = ROTA__JOB_RELEASE__INIT;
    Rota__Retry retry = ROTA__RETRY__INIT;
    Rota__Move move = ROTA__MOVE__INIT;
    char *job = known_job(l);
    if (!job)
        return;
    hold.job = release.job = retry.job = move.job = job;
    hold.reason = (char *)"random";
    switch (life_pick(l, 4)) {
    case 0:
        request.op_case = ROTA__REQUEST__OP_HOLD;
        request.hold = &hold;
        break;
    case 1:
        request.op_case = ROTA__REQUEST__OP_JOB_RELEASE;
        request.job_release = &release;
        break;
    case 2:
        request.op_case = ROTA__REQUEST__OP_RETRY;
        request.retry = &retry;
        break;
    default:
        request.op_case = ROTA__REQUEST__OP_MOVE;
        request.move = &move;
        move.priority = 1 + life_pick(l, 9);
        move.pool = (char *)(life_pick(l, 4) ? "" : life_pick(l, 2) ? "pair" : "task");
    }
    Rota__Reply *reply = kit_call(&l->k, &request, NULL);
    assert_non_null(reply);
    l->acts += !reply->error;
}

/* Not before a moment, after other jobs, or held from the start. */
void do_publish_later(struct life *l)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char *after[2];
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = (char *)"task";
    publish.account = (char *)account_name(0); /* of the account that the jobs are known of */
    publish.attempts_max = 1 + life_pick(l, 4);
    switch (life_pick(l, 4)) {
    case 0:
        publish.delay_ms = 1 + life_pick(l, 5000);
        break;
    case 1:
        publish.run_at_ms = l->k.now.wall_ms + life_pick(l, 10000);
        break;
    case 2:
        publish.hold = true;
        break;
    default:
        publish.after = after;
        after[0] = known_job(l);
        after[1] = known_job(l);
        publish.n_after = after[0] ? 1 + life_pick(l, 2) : 0;
    }
    Rota__Reply *reply = kit_call(&l->k, &request, NULL);
    assert_non_null(reply);
    if (reply->error)
        return;
    l->accepted++;
    l->later++;
    note_job(l, reply->publish->job);
}
