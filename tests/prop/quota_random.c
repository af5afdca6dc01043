/* quota_random.c: quotas under a random life, from a seed: publishes good and bad, one by one and
 * many at once, said twice, superseding, held and put off; leases, ends, faults, cancels, retries;
 * other limits, rates, restarts, a clock that passes month after month, and for every second seed a
 * store so small that whole turns are undone.
 *
 * After each publish: what was refused changed no count, what was accepted is within its quota. At
 * every hundredth step all counts are made anew from jobs, ends, log and objects and compared with
 * the rows. Prints what it counted. argv: seeds, steps a
 * seed, first seed. */
#include "quota_recount.h"

#include "sched/month.h"

enum { JOBS_MAX = 4096, LEASES_MAX = 32, SMALL_BYTES = 3 << 20 };

struct quota_life {
    struct engine_kit k;
    uint64_t random;
    uint16_t first_month;
    char jobs[JOBS_MAX][40]; /* ever accepted */
    size_t jobs_n;
    struct kit_run runs[LEASES_MAX];
    size_t runs_n;
    unsigned keys; /* idempotency keys given so far */
    Rota__Publish last;
    char last_key[24]; /* of `last` */
};

static struct totals {
    unsigned long long accepted, quota, storage, other, replays, full, retries, cancels, refunded,
        months, restarts, rows, checks;
} total;

static unsigned pick(struct quota_life *l, unsigned n)
{
    return (unsigned)(kit_random(&l->random) % n);
}

static const char *account_pick(struct quota_life *l)
{
    static const char *const names[QUOTA_ACCOUNTS] = {"q0", "q1", "q2", "q3", "q4", "q5"};
    return names[pick(l, QUOTA_ACCOUNTS)];
}

static void job_note(struct quota_life *l, const char *job)
{
    assert_true(l->jobs_n < JOBS_MAX);
    snprintf(l->jobs[l->jobs_n++], sizeof l->jobs[0], "%s", job);
    total.accepted++;
}

static void refusal_note(const char *name)
{
    unsigned long long *at = &total.other;
    if (strcmp(name, "QUOTA_EXCEEDED") == 0)
        at = &total.quota;
    else if (strcmp(name, "STORAGE_QUOTA") == 0)
        at = &total.storage;
    else if (strcmp(name, "STORE_FULL") == 0)
        at = &total.full;
    ++*at;
}

/* ---- publishing ---- */

/* One in three is wrong in some way. */
/* `key` has room for 24 bytes. */
static void publish_fill(struct quota_life *l, Rota__Publish *p, char *key)
{
    static char bad_job[] = "job_00000000000000000000000000";
    static char *bad_after[] = {bad_job};
    static uint8_t spec[16000] = "{";
    if (l->last_key[0] && !pick(l, 20)) { /* the same once more, whatever became of it */
        *p = l->last;
        p->idempotency_key = memcpy(key, l->last_key, sizeof l->last_key);
        return;
    }
    rota__publish__init(p);
    memset(spec + 1, ' ', sizeof spec - 2);
    spec[sizeof spec - 1] = '}';
    if (l->k.map_bytes == SMALL_BYTES)
        p->spec = (ProtobufCBinaryData){sizeof spec, spec};
    p->account = (char *)account_pick(l);
    p->app = p->class_ = (char *)"task";
    switch (pick(l, 15)) {
    case 0:
        p->timeout_ms = 7200001;
        break;
    case 1:
        p->priority = 10;
        break;
    case 2:
        p->supersede = true;
        break;
    case 3:
        p->run_at_ms = p->delay_ms = 5;
        break;
    case 4:
        p->after = bad_after;
        p->n_after = 1;
        break;
    default:
        p->hold = !pick(l, 12);
        p->delay_ms = pick(l, 10) ? 0 : pick(l, 100000);
        p->supersede = !pick(l, 3);
        p->ref = (char *)(pick(l, 2) ? "main" : "next");
    }
    if (pick(l, 5))
        return;
    snprintf(key, 24, "key-%u", pick(l, 2) ? l->keys++ : pick(l, l->keys + 1));
    p->idempotency_key = key;
    l->last = *p;
    memcpy(l->last_key, key, sizeof l->last_key);
}

/* Is what the account has taken within what it may take? */
static void assert_within(struct quota_life *l, const char *account, uint64_t before)
{
    struct kit_answer answer;
    Rota__UsageMonth *m = kit_usage(&l->k, account, 1, &answer)->month[0];
    assert_true(m->builds_unlimited || m->builds_used <= m->builds_limit ||
                m->builds_used <= before);
    kit_answer_end(&answer);
}

static void do_publish(struct quota_life *l)
{
    Rota__Publish p;
    Rota__Request request = ROTA__REQUEST__INIT;
    char key[24] = "";
    if (l->jobs_n == JOBS_MAX)
        return;
    publish_fill(l, &p, key);
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &p;
    kit_turn(&l->k, NULL); /* what was due would else come between the two looks */
    uint64_t before = kit_used(&l->k, p.account);
    struct job_id last = l->k.engine->cache.hot.last_job;
    Rota__Reply *reply = kit_call(&l->k, &request, NULL);
    assert_non_null(reply);
    if (reply->error) {
        refusal_note(reply->error->name);
        assert_int_equal(kit_used(&l->k, p.account), before);
        assert_int_equal(job_id_cmp(l->k.engine->cache.hot.last_job, last), 0);
    } else if (reply->publish->replayed) {
        assert_int_equal(kit_used(&l->k, p.account), before);
        total.replays++;
    } else {
        job_note(l, reply->publish->job);
        assert_within(l, p.account, before);
    }
}

static void do_publish_many(struct quota_life *l)
{
    Rota__Publish p[20], *list[20];
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char keys[20][24] = {""};
    unsigned n = 1 + pick(l, 20);
    if (l->jobs_n + n > JOBS_MAX)
        return;
    for (unsigned i = 0; i < n; i++) {
        publish_fill(l, &p[i], keys[i]);
        list[i] = &p[i];
    }
    many.publish = list;
    many.n_publish = n;
    request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
    request.publish_many = &many;
    Rota__Reply *reply = kit_call(&l->k, &request, NULL);
    assert_non_null(reply);
    if (reply->error)
        return;
    for (size_t i = 0; i < reply->publish_many->n_outcome; i++) {
        const Rota__PublishOutcome *o = reply->publish_many->outcome[i];
        if (o->error)
            refusal_note(o->error->name);
        else if (!o->accepted->replayed)
            job_note(l, o->accepted->job);
    }
}

/* ---- working ---- */

static void do_lease(struct quota_life *l)
{
    if (l->runs_n == LEASES_MAX)
        return;
    l->k.may_fail = true; /* a store that is full refuses the lease too */
    if (kit_lease(&l->k, pick(l, 2) ? "w" : "v", &l->runs[l->runs_n].lease))
        l->runs_n++;
    l->k.may_fail = false;
    assert_int_equal(l->k.fault, 0);
}

static bool run_take(struct quota_life *l, struct kit_run *run)
{
    if (!l->runs_n)
        return false;
    unsigned i = pick(l, (unsigned)l->runs_n);
    *run = l->runs[i];
    l->runs[i] = l->runs[--l->runs_n];
    return true;
}

/* With a bundle and a log, of few contents, so that jobs share objects; some are too large. */
static void do_finish(struct quota_life *l)
{
    struct kit_run run;
    Rota__Artifact a[2], *list[] = {&a[0], &a[1]};
    uint8_t hash[2][32];
    if (!run_take(l, &run))
        return;
    for (unsigned i = 0; i < 2; i++) {
        unsigned content = pick(l, 40);
        memset(hash[i], (int)content, 32);
        rota__artifact__init(&a[i]);
        a[i].kind = i ? ROTA__OBJECT_KIND__BUILD_LOG : ROTA__OBJECT_KIND__BUNDLE;
        a[i].sha256 = a[i].blake2b = (ProtobufCBinaryData){32, hash[i]};
        a[i].size = 1 + 400000 * (uint64_t)content;
    }
    Rota__Outcome outcome = (Rota__Outcome)(1 + pick(l, 3));
    kit_finish_left(&l->k, &run.lease, outcome, list, pick(l, 3));
}

static void do_release(struct quota_life *l)
{
    struct kit_run run;
    Rota__LeaseRelease release = ROTA__LEASE_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    if (!run_take(l, &run))
        return;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &release;
    run.lease.ref.job = run.lease.job;
    release.lease = &run.lease.ref;
    release.infrastructure_fault = pick(l, 4) != 0;
    assert_non_null(kit_call(&l->k, &request, NULL));
}

static void do_cancel(struct quota_life *l)
{
    if (!l->jobs_n)
        return;
    Rota__Reply *reply = kit_cancel(&l->k, l->jobs[pick(l, (unsigned)l->jobs_n)]);
    total.cancels += !reply->error;
}

/* Dead and cancelled ones take their build again, if there is one. */
static void do_retry(struct quota_life *l)
{
    if (!l->jobs_n)
        return;
    Rota__Reply *reply = kit_retry(&l->k, l->jobs[pick(l, (unsigned)l->jobs_n)]);
    total.retries += !reply->error;
    if (reply->error && strcmp(reply->error->name, "QUOTA_EXCEEDED") == 0)
        total.quota++;
}

/* ---- the world ---- */

static void do_account(struct quota_life *l)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    set.account = (char *)account_pick(l);
    set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    set.tier = (Rota__Tier)(1 + pick(l, 3));
    set.set_storage_case = ROTA__ACCOUNT_SET__SET_STORAGE_STORAGE_BYTES_MAX;
    set.storage_bytes_max = pick(l, 2) ? 0 : 30000000;
    if (pick(l, 2)) {
        set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_MONTH;
        set.builds_month = pick(l, 30);
    } else {
        set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
        set.builds_unlimited = !pick(l, 4);
    }
    assert_non_null(kit_account_set(&l->k, &set));
}

static void do_limits(struct quota_life *l)
{
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    Rota__Limits limits = ROTA__LIMITS__INIT;
    Rota__Rate rate = ROTA__RATE__INIT;
    if (pick(l, 2)) {
        set.set_tier_case = ROTA__LIMITS_SET__SET_TIER_TIER;
        set.tier = (Rota__Tier)pick(l, 4);
        set.limits = &limits;
        limits.builds_month = 1 + pick(l, 40);
        limits.running_max = 1 + pick(l, 6);
    } else {
        set.account_rate = &rate;
        rate.n = pick(l, 3) ? 0 : 1 + pick(l, 5);
        rate.per_ms = 1000 + pick(l, 100000);
    }
    assert_non_null(kit_limits_set(&l->k, &set));
}

static void do_time(struct quota_life *l)
{
    if (pick(l, 12)) {
        kit_pass(&l->k, pick(l, 8) ? pick(l, 3000) : 31000);
    } else if (month_of(l->k.now.wall_ms) + 2 < l->first_month + QUOTA_MONTHS) {
        kit_next_month(&l->k);
        total.months++;
    }
}

static void do_restart(struct quota_life *l)
{
    engine_kit_close(&l->k);
    l->k.now.boot_ms = pick(l, 1000);
    engine_kit_open(&l->k);
    total.restarts++;
}

static const struct {
    void (*run)(struct quota_life *l);
    unsigned weight;
} deeds[] = {{do_publish, 30}, {do_publish_many, 3}, {do_lease, 34}, {do_finish, 16},
             {do_release, 12}, {do_cancel, 6},       {do_retry, 14}, {do_account, 4},
             {do_limits, 3},   {do_time, 16},        {do_restart, 1}};

static void step(struct quota_life *l)
{
    unsigned sum = 0, at;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        sum += deeds[i].weight;
    at = pick(l, sum);
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
        if (at < deeds[i].weight) {
            deeds[i].run(l);
            return;
        }
        at -= deeds[i].weight;
    }
}

static void check(struct quota_life *l)
{
    static struct recount r;
    kit_check(&l->k);
    recount_check(&l->k, l->first_month, &r);
    assert_int_equal(r.lives, l->jobs_n);
    total.rows += r.rows;
    total.refunded += r.refunded;
    total.checks++;
}

static void live(uint64_t seed, unsigned steps)
{
    static struct quota_life l;
    l = (struct quota_life){.random = seed * 0x9e3779b97f4a7c15ull + 1};
    engine_kit_setup(&l.k, seed % 2 ? 1 << 30 : SMALL_BYTES);
    l.first_month = month_of(l.k.now.wall_ms);
    for (unsigned i = 0; i < QUOTA_ACCOUNTS; i++) {
        char name[] = {'q', (char)('0' + i), '\0'};
        kit_plain(&l.k, name, (Rota__Tier)(1 + i % 3));
    }
    for (unsigned i = 0; i < steps; i++) {
        step(&l);
        if (i % 100 == 99)
            check(&l);
    }
    check(&l);
    engine_kit_teardown(&l.k);
}

int main(int argc, char **argv)
{
    unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
    unsigned steps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    unsigned first = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
    for (unsigned seed = first; seed < first + seeds; seed++) {
        fprintf(stderr, "seed %u\r", seed);
        live(seed, steps);
    }
    printf("%u seeds of %u steps over %llu months: %llu accepted, %llu replayed; refused: %llu by "
           "quota, %llu by storage, %llu full, %llu others\n",
           seeds, steps, total.months, total.accepted, total.replays, total.quota, total.storage,
           total.full, total.other);
    printf("%llu cancels, %llu retries, %llu restarts; %llu times counted anew: %llu usage rows "
           "with %llu refunds as they stand\n",
           total.cancels, total.retries, total.restarts, total.checks, total.rows, total.refunded);
    assert(total.quota > 0 && total.retries > 0 && total.cancels > 0 && total.refunded > 0);
    fflush(stdout);
    assert(seeds < 2 || total.full > 0);
    assert(total.replays > 0 && total.months > 0 && total.restarts > 0 && total.storage > 0);
    return 0;
}
