/* engine_random.c: the engine under a random life, from a seed: publishes with and without sources,
 * one by one and many at once, leases, finishes with artifacts, both in one trip and said twice,
 * faults, heartbeats, cancels, silence, pipes that go, heat, keys made and revoked, apps, cap and
 * tier changes, restarts, and a store so small that whole turns are undone.
 *
 * After every turn that failed the engine itself compares its cache with the store; after every
 * hundred steps so do we, and count: each accepted job in exactly one state, no account above its
 * cap by a new dispatch, nothing accepted lost, each source held by as many live jobs as name it;
 * and the event log passes the audit. Prints what it counted. argv: seeds, steps a seed. */
#include "engine_life.h"
#include "log_audit.h"

enum { MAP_BYTES = 4 << 20 };

unsigned life_pick(struct life *l, unsigned n)
{
    return (unsigned)(kit_random(&l->random) % n);
}

const char *account_name(unsigned i)
{
    static char name[16];
    snprintf(name, sizeof name, "acc-%u", i);
    return name;
}

static void do_publish(struct life *l)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    static uint8_t spec[12000];
    struct inbound *list = NULL;
    unsigned n = 1 + life_pick(l, 12);
    uint64_t first = l->k.request_id + 1;
    memset(spec, ' ', sizeof spec);
    spec[0] = '{';
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = (char *)"task";
    for (unsigned i = 0; i < n; i++) {
        size_t bytes = 2 + life_pick(l, sizeof spec - 2);
        spec[bytes - 1] = '}';
        publish.spec = (ProtobufCBinaryData){bytes, spec};
        publish.account = (char *)account_name(life_pick(l, ACCOUNTS));
        publish.priority = life_pick(l, 10);
        struct inbound *in = kit_request(&l->k, &request, NULL);
        spec[bytes - 1] = ' ';
        in->next = list;
        list = in;
    }
    kit_turn(&l->k, list);
    for (uint64_t id = first; id <= l->k.request_id; id++) {
        Rota__Reply *reply = kit_reply(&l->k, id);
        assert_non_null(reply);
        if (reply->error) {
            assert_string_equal(reply->error->name, "STORE_FULL");
            l->refused++;
            continue;
        }
        l->accepted++;
        snprintf(l->some_job, sizeof l->some_job, "%s", reply->publish->job);
        if (!life_pick(l, 4))
            note_job(l, l->some_job);
    }
}

/* A dispatch never takes an account above its cap. */
void check_cap(struct life *l, const char *id)
{
    size_t bucket;
    for (struct map_node *n = map_begin(&l->k.engine->cache.accounts, &bucket); n;
         n = map_after(&l->k.engine->cache.accounts, n, &bucket)) {
        const struct account *a = CONTAINER(n, account, by_number);
        if (strcmp(a->id, id) == 0)
            assert_true(a->running <= account_running_max(a));
    }
}

static void do_lease(struct life *l)
{
    char worker[8];
    if (l->leases_n == LEASES_MAX)
        return;
    snprintf(worker, sizeof worker, "w%u", life_pick(l, 5));
    struct kit_lease *lease = &l->leases[l->leases_n];
    l->k.may_fail = true; /* a store that is full refuses the lease too */
    if (kit_lease(&l->k, worker, lease)) {
        check_cap(l, lease->account);
        check_not_paused(l, "task", "task", lease->account, lease->tier);
        assert_true(lease->ref.token > l->numbers);
        l->numbers = lease->ref.token;
        l->dispatched++;
        l->leases_n++;
    }
    l->k.may_fail = false;
    assert_int_equal(l->k.fault, 0);
}

struct kit_lease take_lease(struct life *l)
{
    unsigned i = life_pick(l, (unsigned)l->leases_n);
    struct kit_lease lease = l->leases[i];
    l->leases[i] = l->leases[--l->leases_n];
    return lease;
}

static void do_finish(struct life *l)
{
    if (!l->leases_n)
        return;
    struct kit_lease lease = take_lease(l);
    const char *error = kit_error(kit_finish(&l->k, &lease, (Rota__Outcome)(1 + life_pick(l, 3))));
    l->finished += !error[0];
    assert_true(!error[0] || strcmp(error, "LEASE_LOST") == 0 || strcmp(error, "CANCELLED") == 0 ||
                strcmp(error, "STORE_FULL") == 0);
}

static void do_release(struct life *l)
{
    if (!l->leases_n)
        return;
    struct kit_lease lease = take_lease(l);
    Rota__LeaseRelease release = ROTA__LEASE_RELEASE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
    request.lease_release = &release;
    lease.ref.job = lease.job;
    release.lease = &lease.ref;
    release.infrastructure_fault = life_pick(l, 2) == 1;
    assert_non_null(kit_call(&l->k, &request, NULL));
}

static void do_cancel(struct life *l)
{
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    if (!l->some_job[0])
        return;
    request.op_case = ROTA__REQUEST__OP_CANCEL;
    request.cancel = &cancel;
    cancel.job = l->leases_n && life_pick(l, 2) ? l->leases[0].job : l->some_job;
    assert_non_null(kit_call(&l->k, &request, NULL));
}

static void do_account(struct life *l)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    request.account_set = &set;
    set.account = (char *)account_name(life_pick(l, ACCOUNTS));
    set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    set.tier = (Rota__Tier)life_pick(l, 4);
    set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
    set.running_max = life_pick(l, 6);
    assert_non_null(kit_call(&l->k, &request, NULL));
}

static void do_time(struct life *l)
{
    kit_pass(&l->k, life_pick(l, 20) ? life_pick(l, 2000) : 31000);
}

static void do_restart(struct life *l)
{
    engine_kit_close(&l->k);
    l->k.now.boot_ms = life_pick(l, 1000);
    l->k.now.wall_ms =
        l->k.now.wall_ms + life_pick(l, 100000) - 50000; /* the clock may step either way */
    engine_kit_open(&l->k);
    l->restarts++;
}

static const struct {
    void (*run)(struct life *l);
    unsigned weight;
} deeds[] = {{do_publish, 22},       {do_lease, 40},       {do_finish, 24},
             {do_release, 6},        {do_cancel, 6},       {do_account, 4},
             {do_time, 10},          {do_restart, 1},      {do_heartbeat, 8},
             {do_publish_source, 6}, {do_publish_many, 3}, {do_both, 12},
             {do_heat, 2},           {do_app, 2},          {do_key, 3},
             {do_park_and_go, 2},    {do_pause, 3},        {do_resume, 6},
             {do_pair_publish, 8},   {do_pair_run, 16},    {do_minute, 1},
             {do_act, 10},           {do_publish_later, 4}};

static void step(struct life *l)
{
    unsigned sum = 0, at;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        sum += deeds[i].weight;
    at = life_pick(l, sum);
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
        if (at < deeds[i].weight) {
            deeds[i].run(l);
            return;
        }
        at -= deeds[i].weight;
    }
}

static void log_check(struct life *l, struct log_audit *log)
{
    if (!log_audit_read(log, l->k.store))
        printf("%s\n", audit_text(log->audit));
    assert_false(log->is_off);
}

static void live(uint64_t seed, unsigned steps, struct life *total)
{
    struct life l = {.random = seed * 0x9e3779b97f4a7c15ull + 1};
    struct log_audit log;
    struct audit_counts audited;
    engine_kit_setup(&l.k, MAP_BYTES);
    log_audit_begin(&log);
    for (unsigned i = 0; i < ACCOUNTS; i++)
        kit_account(&l.k, account_name(i), (Rota__Tier)(i % 4), 0);
    for (unsigned i = 0; i < steps; i++) {
        step(&l);
        if (i % 100 != 99)
            continue;
        check_asides(&l);
        check_sources(&l);
        log_check(&l, &log);
    }
    log_check(&l, &log);
    audit_counts(log.audit, &audited);
    log_audit_end(&log);
    assert_int_equal(kit_rows(&l.k, TABLE_JOB), l.accepted);
    engine_kit_teardown(&l.k);
    total->accepted += l.accepted;
    total->refused += l.refused;
    total->dispatched += l.dispatched;
    total->audited += audited.dispatches;
    total->finished += l.finished;
    total->restarts += l.restarts;
    total->beats += l.beats;
    total->trips += l.trips;
    total->many += l.many;
    total->keys += l.keys;
    total->replays += l.replays;
    total->sources += l.sources;
    total->pauses += l.pauses;
    total->acts += l.acts;
    total->later += l.later;
    total->breakers += l.breakers;
    if (l.asides_most > total->asides_most)
        total->asides_most = l.asides_most;
}

int main(int argc, char **argv)
{
    unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
    unsigned steps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    static struct life total;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        fprintf(stderr, "seed %u\r", seed);
        live(seed, steps, &total);
    }
    printf(
        "%u seeds of %u steps: %llu accepted, %llu refused (full), %llu dispatched, %llu finished, "
        "%llu restarts, 0 lost\n",
        seeds, steps, (unsigned long long)total.accepted, (unsigned long long)total.refused,
        (unsigned long long)total.dispatched, (unsigned long long)total.finished,
        (unsigned long long)total.restarts);
    printf(
        "%llu heartbeats, %llu trips of finish and lease, %llu of them repeated, %llu publishes of "
        "many, %llu sources, %llu keys revoked\n",
        (unsigned long long)total.beats, (unsigned long long)total.trips,
        (unsigned long long)total.replays, (unsigned long long)total.many,
        (unsigned long long)total.sources, (unsigned long long)total.keys);
    printf("%llu pauses, %llu times a breaker was open, up to %llu jobs set aside, %llu acts on "
           "jobs, %llu jobs put off\n",
           (unsigned long long)total.pauses, (unsigned long long)total.breakers,
           (unsigned long long)total.asides_most, (unsigned long long)total.acts,
           (unsigned long long)total.later);
    printf("%llu dispatches in the log, all as the rule says\n", (unsigned long long)total.audited);
    assert(total.audited >= total.dispatched);
    assert(total.pauses > 0 && total.acts > 0 && total.later > 0 && total.asides_most > 0);
    assert(total.beats > 0 && total.replays > 0 && total.many > 0 && total.sources > 0);
    assert(total.keys > 0);
    assert(total.refused > 0 && total.dispatched > 0 && total.restarts > 0);
    return 0;
}
