/* bulk_random.c: bulk acts in a random life, from a seed: begun, stopped, run dry, many at once,
 * over jobs that are published, leased, ended and cancelled meanwhile, with restarts, in a store so
 * small that whole turns are undone with their slices in them.
 *
 * After each undone turn the engine itself compares its memory with the store; after every fifty
 * steps so do we, and the acts' own counts must agree: matched = done + refused, and those that run
 * are those whose rows say so. In the end every act comes to its end. Prints what it counted. argv:
 * seeds, steps a seed. */
#include "unit/engine_calls.h"

enum { MAP_BYTES = 4 << 20, ACCOUNTS = 4, ROOM_TURNS_MAX = 20000 };

struct life {
    struct engine_kit k;
    uint64_t random, jobs, full, begun, limited, stopped, restarts, acted, refused;
};

static unsigned pick(struct life *l, unsigned n)
{
    return (unsigned)(kit_random(&l->random) % n);
}

static const char *const accounts[ACCOUNTS] = {"amber", "birch", "cedar", "delta"};

static char *account_name(struct life *l)
{
    return (char *)(uintptr_t)accounts[pick(l, ACCOUNTS)];
}

static void do_publish(struct life *l)
{
    struct inbound *list = publish_many(&l->k, 1 + pick(l, 2), 1 + pick(l, 60), false);
    kit_turn(&l->k, list);
    Rota__Reply *reply = kit_reply(&l->k, l->k.request_id);
    assert_non_null(reply);
    for (size_t i = 0; !reply->error && i < reply->publish_many->n_outcome; i++) {
        l->jobs += reply->publish_many->outcome[i]->accepted != NULL;
        l->full += reply->publish_many->outcome[i]->error != NULL;
    }
    l->full += reply->error != NULL;
}

static void do_publish_one(struct life *l)
{
    Rota__Publish q = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    static uint8_t spec[15000];
    memset(spec, ' ', sizeof spec);
    spec[0] = '{';
    spec[sizeof spec - 1] = '}';
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &q;
    q.app = q.class_ = (char *)"task";
    q.account = account_name(l);
    q.spec = (ProtobufCBinaryData){sizeof spec, spec};
    q.hold = pick(l, 5) == 0;
    q.delay_ms = pick(l, 5) == 0 ? 20000 : 0;
    l->full += kit_call(&l->k, &request, NULL)->error != NULL;
}

static void do_run(struct life *l)
{
    struct kit_lease lease;
    l->k.may_fail = true;
    for (int i = 0; i < 3 && kit_lease(&l->k, "w", &lease); i++)
        if (pick(l, 4))
            kit_finish(&l->k, &lease, (Rota__Outcome)(1 + pick(l, 3)));
    l->k.may_fail = false;
    assert_int_equal(l->k.fault, 0);
}

static void do_begin(struct life *l)
{
    Rota__BulkStart q = ROTA__BULK_START__INIT;
    Rota__Where where = ROTA__WHERE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_BULK_START;
    request.bulk_start = &q;
    q.verb = (Rota__BulkVerb)(1 + pick(l, 5));
    q.where = &where;
    q.dry_run = pick(l, 4) == 0;
    q.priority = q.verb == ROTA__BULK_VERB__BULK_MOVE ? 1 + pick(l, 9) : 0;
    where.state = (Rota__State)pick(l, 10);
    if (!where.state || pick(l, 2))
        where.account = pick(l, 2) ? account_name(l) : (char *)"local";
    const char *error = kit_error(kit_call(&l->k, &request, NULL));
    assert_true(!*error || !strcmp(error, "BULK_LIMIT") || !strcmp(error, "STORE_FULL"));
    l->begun += !*error;
    l->limited += strcmp(error, "BULK_LIMIT") == 0;
}

static void do_stop(struct life *l)
{
    Rota__BulkStop q = ROTA__BULK_STOP__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_BULK_STOP;
    request.bulk_stop = &q;
    if (!l->begun)
        return;
    q.bulk = 1 + pick(l, (unsigned)l->begun);
    l->stopped += kit_call(&l->k, &request, NULL)->error == NULL;
}

static void do_time(struct life *l)
{
    kit_pass(&l->k, pick(l, 20) ? pick(l, 1500) : 31000);
}

static void do_restart(struct life *l)
{
    engine_kit_restart(&l->k);
    l->restarts++;
}

static const struct {
    void (*run)(struct life *l);
    unsigned weight;
} deeds[] = {{do_publish, 8}, {do_publish_one, 20}, {do_run, 16},   {do_begin, 10},
             {do_stop, 2},    {do_time, 14},        {do_restart, 2}};

static void step(struct life *l)
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

/* What the rows of the acts say; *ret_done and *ret_refused: in all. */
static void check(struct life *l, uint64_t *ret_done, uint64_t *ret_refused)
{
    AUTO(txn) txn = kit_snapshot(l->k.store);
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    size_t running = 0;
    *ret_done = *ret_refused = 0;
    assert_int_equal(engine_check(l->k.engine), 0);
    assert_int_equal(cursor_open(txn, TABLE_BULK, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        struct bulk_row row;
        assert_int_equal(row_decode(&bulk_row_type, key, value, &row), 0);
        Rota__Bulk *b = rota__bulk__unpack(NULL, row.packed.n, row.packed.p);
        assert_non_null(b);
        assert_int_equal(b->matched, b->done + b->refused);
        assert_true(b->seen >= b->matched && (b->refused == 0) == !*b->last_error);
        assert_int_equal(row.has_ended, b->ended_ms != 0);
        running += !row.has_ended;
        *ret_done += b->dry_run ? 0 : b->done;
        *ret_refused += b->refused;
        rota__bulk__free_unpacked(b, NULL);
    }
    assert_int_equal(running, l->k.engine->cache.bulks_n);
}

static void live(uint64_t seed, unsigned steps, struct life *total)
{
    struct life l = {.random = seed * 0x9e3779b97f4a7c15ull + 1};
    engine_kit_setup(&l.k, MAP_BYTES);
    for (int i = 0; i < ACCOUNTS; i++)
        kit_account(&l.k, accounts[i], (Rota__Tier)i, 0);
    for (unsigned i = 0; i < steps; i++) {
        step(&l);
        if (i % 50 == 49)
            check(&l, &l.acted, &l.refused);
    }
    engine_kit_close(&l.k);
    l.k.map_bytes = 64 << 20; /* room at last: all come to their end */
    engine_kit_open(&l.k);
    for (int turns = 0; l.k.engine->cache.bulks_n; turns++) {
        assert_true(turns < ROOM_TURNS_MAX);
        kit_turn(&l.k, NULL);
    }
    check(&l, &l.acted, &l.refused);
    kit_check(&l.k);
    engine_kit_teardown(&l.k);
    total->jobs += l.jobs;
    total->full += l.full;
    total->begun += l.begun;
    total->limited += l.limited;
    total->stopped += l.stopped;
    total->restarts += l.restarts;
    total->acted += l.acted;
    total->refused += l.refused;
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
    printf("%u seeds of %u steps: %llu bulk acts begun (%llu refused: too many), %llu stopped, "
           "%llu jobs acted on, %llu refused; %llu requests met a full store, %llu restarts\n",
           seeds, steps, (unsigned long long)total.begun, (unsigned long long)total.limited,
           (unsigned long long)total.stopped, (unsigned long long)total.acted,
           (unsigned long long)total.refused, (unsigned long long)total.full,
           (unsigned long long)total.restarts);
    assert(total.begun > 0 && total.acted > 0 && total.refused > 0 && total.full > 0);
    assert(total.stopped > 0 && total.restarts > 0);
    return 0;
}
