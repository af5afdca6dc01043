/* broker_logs.c: the log of a running job, from its worker's calls to its reader's.
 *
 * Shows: each chunk is counted, a stale lease adds nothing, and of a log longer than the spool the
 * end is kept and the reader is told where it begins. Why it matters: the reason why a build failed
 * stands in its last lines. */
#include "broker_group.h"

static int makers_up(void **state)
{
    int code = group_up(state);
    rig_account(&rig, "maker", ROTA__TIER__P3, 50);
    return code;
}

static void test_a_log_keeps_its_last_words(void **state)
{
    (void)state;
    char job[32], line[1000];
    Rota__Request r;
    Rota__Reply *leased, *reply;
    publish_task(rig.root, "maker", "app", job);
    Rota__LeasedJob *got = lease_one(rig.root, "task", "writer", 5000, &leased);
    assert_non_null(got);
    Rota__Log log = ROTA__LOG__INIT;
    log.lease = got->lease;
    for (unsigned i = 0; i < 400; i++) {
        snprintf(line, sizeof line, "%0999u", i);
        log.data = (ProtobufCBinaryData){1000, (uint8_t *)line};
        line[999] = '\n';
        reply = must(rig.root, ASK(r, LOG, log, &log));
        assert_int_equal(reply->log->size, 1000ull * (i + 1));
        rota_reply_free(reply);
    }
    Rota__LeaseRef old = *got->lease;
    old.token++;
    log.lease = &old;
    must_fail(rig.root, ASK(r, LOG, log, &log), "LEASE_LOST");
    uint64_t offset = 0, first = UINT64_MAX, lines = 0;
    bool has_ended = false;
    finish_ok(rig.root, got->lease);
    while (!has_ended) {
        Rota__LogRead read = ROTA__LOG_READ__INIT;
        read.job = job;
        read.offset = offset;
        reply = must(rig.root, ASK(r, LOG_READ, log_read, &read));
        if (first == UINT64_MAX)
            first = reply->log_read->offset;
        for (size_t i = 0; i < reply->log_read->data.len; i++)
            lines += reply->log_read->data.data[i] == '\n';
        offset = reply->log_read->next;
        has_ended = reply->log_read->ended;
        rota_reply_free(reply);
    }
    assert_int_equal(offset, 400000);
    assert_int_equal(first, 400000 - 256 * 1024);
    assert_int_equal(lines, 263); /* 262,144 bytes of lines of 1,000: the first one cut */
    printf("400,000 bytes said, the last %llu kept\n", (unsigned long long)(offset - first));
    rota_reply_free(leased);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    group_init(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_keeps_its_last_words),
    };
    return cmocka_run_group_tests(tests, makers_up, group_down);
}
