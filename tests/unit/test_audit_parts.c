/* test_audit_parts.c: a checkpoint may be cut into many parts: the audit takes them as one when
 * they are whole and in order, and else not at all. Made by hand here, as it takes many accounts.
 */
#include "audit_kit.h"

/* So many accounts of tier P1 with one ready job each, placed in the ring in the order of their
 * numbers; `per_part` in a part. */
static void parts_make(struct audit_log *log, uint64_t accounts, uint64_t per_part)
{
    uint32_t caps[4] = {50, 3, 2, 1}, bars[4] = {0};
    Rota__CheckpointPool pool = ROTA__CHECKPOINT_POOL__INIT, *pools[] = {&pool};
    pool.pool = (char *)"task";
    pool.c = pool.n_max = 3;
    log->n = 0;
    for (uint64_t at = 0; at < accounts; at += per_part) {
        Rota__Checkpoint part = ROTA__CHECKPOINT__INIT;
        Rota__CheckpointAccount account[100], *list[100];
        Rota__CheckpointTally tally[100], *tallies[100];
        uint8_t packed[60000];
        Rota__Event event = ROTA__EVENT__INIT;
        part.part = (uint32_t)(at / per_part);
        part.is_last = at + per_part >= accounts;
        if (!at) {
            part.tier_running_max = caps;
            part.tier_bars = bars;
            part.n_tier_running_max = part.n_tier_bars = 4;
            part.pool = pools;
            part.n_pool = 1;
        }
        part.account = list;
        for (; part.n_account < per_part && at + part.n_account < accounts; part.n_account++) {
            size_t i = part.n_account;
            rota__checkpoint_account__init(&account[i]);
            rota__checkpoint_tally__init(&tally[i]);
            account[i].account_number = at + i + 1;
            account[i].tier = 1;
            tally[i].pool = (char *)"task";
            tally[i].ready = 1;
            tally[i].turn = at + i + 1;
            tallies[i] = &tally[i];
            account[i].tally = &tallies[i];
            account[i].n_tally = 1;
            list[i] = &account[i];
        }
        event.seq = log->n + 1;
        event.kind = ROTA__EVENT_KIND__EVENT_CHECKPOINT;
        event.checkpoint.data = packed;
        event.checkpoint.len = rota__checkpoint__pack(&part, packed);
        audit_note(log, &event);
    }
}

static void dispatch_note(struct audit_log *log, uint64_t number, uint64_t account)
{
    Rota__Event event = ROTA__EVENT__INIT;
    event.seq = log->n + 1;
    event.kind = ROTA__EVENT_KIND__EVENT_DISPATCHED;
    event.pool = (char *)"task";
    event.number = number;
    event.account_number = account;
    event.tier = ROTA__TIER__P1;
    event.eligible = 2;
    event.c = 1; /* the top tier's own turn, each time */
    audit_note(log, &event);
}

static void a_checkpoint_of_many_parts_is_one(void **state)
{
    (void)state;
    struct audit_log log;
    struct audit_counts c;
    parts_make(&log, 450, 100);
    assert_int_equal(log.n, 5);
    for (uint64_t i = 1; i <= 450; i++)
        dispatch_note(&log, i, i);
    assert_int_equal(audit_check(&log, 0, &c), 0);
    assert_int_equal(c.checkpoints, 1);
    assert_int_equal(c.begun_seq, 5);
    assert_int_equal(c.dispatches, 450);
    assert_int_equal(audit_check(&log, 2, &c), 0); /* from its middle on there is none */
    assert_int_equal(c.begun_seq, 0);
    assert_int_equal(c.dispatches, 0);
    log.event[7]->account_number = 1; /* one that was just served */
    assert_int_equal(audit_check(&log, 0, &c), AUDIT_DEVIATION);
    audit_log_free(&log);
}

static void parts_in_the_wrong_order_are_none(void **state)
{
    (void)state;
    struct audit_log log;
    struct audit_counts c;
    parts_make(&log, 300, 100);
    Rota__Event *second = log.event[1];
    log.event[1] = log.event[2];
    log.event[2] = second;
    log.event[1]->seq = 2;
    log.event[2]->seq = 3;
    dispatch_note(&log, 1, 1);
    assert_int_equal(audit_check(&log, 0, &c), 0);
    assert_int_equal(c.begun_seq, 0);
    audit_log_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkpoint_of_many_parts_is_one),
        cmocka_unit_test(parts_in_the_wrong_order_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
