/* audit_random.c: the event log of an engine under a random life (audit_deeds.c), checked event by
 * event after each deed by an audit that shares no code with the engine: no deviation may be found.
 * Now and then `why` is asked; each bound that it states must be the formula of the place that the
 * audit finds, and must be kept to the letter unless something that it depends on has changed.
 *
 * With a third argument "deviates" the engine is a wrong one (see meson.build), and the test passes
 * only when the audit finds that out, within the seeds given: so the checker can fail.
 * argv: seeds, steps a seed, ["deviates"]. */
#include "audit_life.h"

unsigned life_pick(struct life *l, unsigned n)
{
    return (unsigned)(kit_random(&l->random) % n);
}

bool life_chance(struct life *l, unsigned one_of)
{
    return life_pick(l, one_of) == 0;
}

char *life_account(struct life *l)
{
    static char name[16];
    snprintf(name, sizeof name, "acc-%u", life_pick(l, ACCOUNTS));
    return name;
}

char *life_job(struct life *l)
{
    return l->jobs_n ? l->jobs[life_pick(l, (unsigned)l->jobs_n)] : NULL;
}

Rota__Reply *life_call(struct life *l, Rota__Request *request)
{
    Rota__Reply *reply = kit_call(&l->k, request, NULL);
    l->refused += reply && reply->error;
    return reply;
}

static const struct {
    deed *run;
    unsigned weight;
} deeds[] = {{do_publish, 20}, {do_lease, 24},  {do_finish, 18}, {do_give_back, 6},
             {do_cancel, 4},   {do_hold, 3},    {do_release, 3}, {do_retry, 3},
             {do_move, 4},     {do_account, 4}, {do_limits, 1},  {do_pause, 3},
             {do_resume, 4},   {do_time, 10},   {do_restart, 1}, {do_checkpoint, 2},
             {do_why, 16}};

static void step(struct life *l)
{
    unsigned sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        sum += deeds[i].weight;
    unsigned at = life_pick(l, sum);
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
        if (at < deeds[i].weight) {
            deeds[i].run(l);
            l->deeds++;
            return;
        }
        at -= deeds[i].weight;
    }
}

/* Figures over all seeds. */
static struct {
    struct audit_counts audit;
    uint64_t deeds, refused, restarts, heads, asked, stated, kept, voided, tightest;
} total = {.tightest = UINT64_MAX};

static void total_add(const struct life *l)
{
    struct audit_counts c;
    audit_counts(l->log.audit, &c);
    total.audit.events += c.events;
    total.audit.dispatches += c.dispatches;
    total.audit.checkpoints += c.checkpoints;
    total.deeds += l->deeds;
    total.refused += l->refused;
    total.restarts += l->restarts;
    total.heads += l->heads;
    total.asked += l->log.asked;
    total.stated += l->log.stated;
    total.kept += l->log.kept;
    total.voided += l->log.voided;
    if (l->log.tightest < total.tightest)
        total.tightest = l->log.tightest;
}

static void accounts_make(struct life *l)
{
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "acc-%u", i);
        kit_account(&l->k, name, (Rota__Tier)(i % 4), 0);
    }
}

void check_heads(struct life *l)
{
    AUTO(txn) txn = kit_snapshot(l->k.store);
    AUTO(cursor) tallies = NULL;
    AUTO(cursor) ready = NULL;
    static const struct job_id zero;
    struct key_buf k;
    struct span key, value, head, mark;
    assert_int_equal(cursor_open(txn, TABLE_TALLY, &tallies), 0);
    assert_int_equal(cursor_open(txn, TABLE_READY, &ready), 0);
    for (int r = cursor_seek(tallies, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(tallies, &key, &value)) {
        struct tally_row row;
        uint64_t account = get_be64(key.p);
        uint16_t pool = get_be16((const uint8_t *)key.p + 8);
        assert_int_equal(row_decode(&tally_row_type, key, value, &row), 0);
        if (!row.ready) {
            assert_int_equal(row.head_ms, 0);
            continue;
        }
        assert_int_equal(cursor_seek(ready, key_ready(&k, pool, account, 0, zero), &head, &mark),
                         0);
        assert_int_equal(row.head_ms, job_id_ms(key_tail_id(head)));
        l->heads++;
    }
}

/* false: a deviation. */
static bool live(uint64_t seed, unsigned steps, bool is_mutant)
{
    static struct life l;
    l = (struct life){.random = seed * 0x9e3779b97f4a7c15ull + 1, .is_mutant = is_mutant};
    engine_kit_setup(&l.k, 256 << 20);
    log_audit_begin(&l.log);
    accounts_make(&l);
    do_workers(&l);
    bool right = true;
    for (unsigned i = 0; i < steps && right; i++) {
        step(&l);
        right = log_audit_read(&l.log, l.k.store);
        if (right && i % 100 == 99) {
            kit_check(&l.k);
            check_heads(&l);
        }
    }
    total_add(&l);
    if (!right)
        printf("seed %llu: %s\n", (unsigned long long)seed, audit_text(l.log.audit));
    log_audit_end(&l.log);
    engine_kit_teardown(&l.k);
    return right;
}

static void print_total(unsigned seeds, unsigned steps)
{
    printf("%u seeds of %u steps: %llu events, %llu dispatches, %llu checkpoints, %llu restarts, "
           "%llu refusals\n",
           seeds, steps, (unsigned long long)total.audit.events,
           (unsigned long long)total.audit.dispatches, (unsigned long long)total.audit.checkpoints,
           (unsigned long long)total.restarts, (unsigned long long)total.refused);
    if (!total.asked)
        return;
    printf("%llu heads looked up, each as its tally says\n", (unsigned long long)total.heads);
    printf("why was asked %llu times: %llu bounds stated, %llu kept (the tightest by %llu), %llu "
           "void\n",
           (unsigned long long)total.asked, (unsigned long long)total.stated,
           (unsigned long long)total.kept, (unsigned long long)total.tightest,
           (unsigned long long)total.voided);
}

int main(int argc, char **argv)
{
    unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
    unsigned steps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    unsigned first = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 1;
    bool is_mutant = argc > 3 && strcmp(argv[3], "deviates") == 0;
    bool right = true;
    for (unsigned seed = first; seed < first + seeds && right; seed++)
        right = live(seed, steps, is_mutant);
    print_total(seeds, steps);
    if (is_mutant) {
        printf(right ? "the wrong engine was not found out\n" : "the wrong engine was found out\n");
        return right;
    }
    assert(!right || (total.kept > 0 && total.audit.dispatches > 0 && total.restarts > 0));
    return !right;
}
