/* audit_kit.c: see audit_kit.h. */
#include "audit_kit.h"

void audit_note(void *arg, const Rota__Event *event)
{
    struct audit_log *log = arg;
    uint8_t packed[60000];
    size_t n = rota__event__get_packed_size(event);
    assert_true(log->n < EVENTS_MAX && n <= sizeof packed);
    rota__event__pack(event, packed);
    log->event[log->n++] = rota__event__unpack(NULL, n, packed);
}

void audit_log_free(struct audit_log *log)
{
    for (size_t i = 0; i < log->n; i++)
        rota__event__free_unpacked(log->event[i], NULL);
    log->n = 0;
}

void audit_checkpoint(struct engine_kit *k)
{
    k->engine->cache.hot.checkpoint_seq = 0;
    k->engine->checkpoint_after_seq = 0;
    kit_turn(k, NULL);
}

int audit_check(const struct audit_log *log, size_t from, struct audit_counts *ret_counts)
{
    AUTO(audit) audit = NULL;
    int r = audit_new(&audit);
    assert_int_equal(r, 0);
    for (size_t i = from; i < log->n && r == 0; i++)
        r = audit_event(audit, log->event[i]);
    audit_counts(audit, ret_counts);
    assert_true((r == 0) == (audit_text(audit)[0] == '\0'));
    return r;
}
