/* checkpoint_cost.c: what a checkpoint of the event log costs at a thousand and at a hundred
 * thousand active accounts, beside how seldom it comes; each part stays small, the whole is one cut
 * that the audit reads, and the jobs that are handed out behind it are as the rule says.
 * argv: accounts... */
#include "log_audit.h"
#include "store/keys.h"
#include "store/rows.h"
#include "unit/why_kit.h"

#include <base/clock.h>

enum { AT_ONCE = 500, PART_BYTES_MAX = 48 << 10, DISPATCHES = 50 };

static void accounts_make(struct engine_kit *k, unsigned accounts)
{
    for (unsigned at = 0; at < accounts; at += AT_ONCE) {
        struct inbound *list = NULL, **end = &list;
        for (unsigned i = at; i < at + AT_ONCE && i < accounts; i++) {
            char name[16];
            Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
            Rota__Publish publish = ROTA__PUBLISH__INIT;
            Rota__Request request = ROTA__REQUEST__INIT;
            snprintf(name, sizeof name, "a%u", i);
            set.account = publish.account = name;
            set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
            set.tier = (Rota__Tier)(i % 4);
            request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
            request.account_set = &set;
            *end = kit_request(k, &request, NULL);
            end = &(*end)->next;
            publish.app = publish.class_ = (char *)"task";
            request.op_case = ROTA__REQUEST__OP_PUBLISH;
            request.publish = &publish;
            *end = kit_request(k, &request, NULL);
            end = &(*end)->next;
        }
        kit_turn(k, list);
    }
}

static double turn_ms(struct engine_kit *k)
{
    uint64_t began_ns = clock_boot_ns();
    kit_turn(k, NULL);
    return (double)(clock_boot_ns() - began_ns) / 1e6;
}

struct cost {
    uint64_t parts, bytes, most;
};

static void part_visit(void *arg, const Rota__Event *event)
{
    struct cost *cost = arg;
    if (event->kind != ROTA__EVENT_KIND__EVENT_CHECKPOINT)
        return;
    uint64_t n = rota__event__get_packed_size(event);
    cost->parts++;
    cost->bytes += n;
    cost->most = n > cost->most ? n : cost->most;
}

/* As if the last one were long ago. */
static void make_due(struct engine_kit *k)
{
    k->engine->cache.hot.checkpoint_seq = 0;
    k->engine->checkpoint_after_seq = 0;
}

static void audit_all(struct engine_kit *k, uint64_t after_seq, unsigned accounts)
{
    struct log_audit log;
    struct audit_counts c;
    log_audit_begin(&log);
    log.seq = after_seq;
    assert_true(log_audit_read(&log, k->store));
    audit_counts(log.audit, &c);
    assert_int_equal(c.checkpoints, 1);
    assert_int_equal(c.dispatches, DISPATCHES);
    assert_true(c.accounts >= accounts);
    log_audit_end(&log);
}

static void measure(unsigned accounts)
{
    static struct engine_kit k;
    struct cost cost = {0};
    struct kit_lease l;
    engine_kit_setup(&k, 4ull << 30);
    accounts_make(&k, accounts);
    assert_true(k.engine->cache.accounts_active == accounts);
    uint64_t seq = kit_seq(&k);
    double plain_ms = turn_ms(&k);
    make_due(&k);
    double ms = turn_ms(&k);
    kit_events(&k, seq, part_visit, &cost);
    assert_true(cost.parts > 0 && cost.most <= PART_BYTES_MAX);
    for (unsigned i = 0; i < DISPATCHES; i++)
        assert_true(kit_lease(&k, "w", &l));
    audit_all(&k, seq, accounts);
    uint64_t every = accounts * 10ull > 10000 ? accounts * 10ull : 10000;
    printf("%6u accounts: %llu parts, %.1f KiB, the largest %.1f KiB; the turn %.1f ms (an empty "
           "one %.1f); once in %llu events, %.2f bytes an event\n",
           accounts, (unsigned long long)cost.parts, (double)cost.bytes / 1024,
           (double)cost.most / 1024, ms, plain_ms, (unsigned long long)every,
           (double)cost.bytes / (double)every);
    engine_kit_teardown(&k);
}

int main(int argc, char **argv)
{
    static const unsigned few[] = {1000, 5000};
    if (argc < 2)
        for (size_t i = 0; i < ARRAY_LEN(few); i++)
            measure(few[i]);
    for (int i = 1; i < argc; i++)
        measure((unsigned)strtoul(argv[i], NULL, 10));
    return 0;
}
