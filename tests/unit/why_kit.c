/* why_kit.c: see why_kit.h. */
#include "why_kit.h"

#include "engine_calls.h"

void why_publish(struct engine_kit *k, const char *account, uint32_t priority, char ret_job[40])
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    publish.account = (char *)account;
    publish.app = publish.class_ = (char *)"task";
    publish.priority = priority;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    snprintf(ret_job, 40, "%s", reply->publish->job);
}

void why_publish_many(struct engine_kit *k, const char *account, unsigned n)
{
    enum { AT_ONCE = 500 };
    Rota__Publish publish = ROTA__PUBLISH__INIT, *list[AT_ONCE];
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    publish.account = (char *)account;
    publish.app = publish.class_ = (char *)"task";
    for (size_t i = 0; i < AT_ONCE; i++)
        list[i] = &publish;
    many.publish = list;
    request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
    request.publish_many = &many;
    while (n) {
        many.n_publish = n < AT_ONCE ? n : AT_ONCE;
        n -= (unsigned)many.n_publish;
        Rota__Reply *reply = kit_call(k, &request, NULL);
        assert_string_equal(kit_error(reply), "");
        for (size_t i = 0; i < reply->publish_many->n_outcome; i++)
            assert_non_null(reply->publish_many->outcome[i]->accepted);
    }
}

void why_worker(struct engine_kit *k, const char *worker, uint32_t slots, bool is_draining)
{
    struct call c;
    beat_fill(&c, worker, NULL, "");
    c.beat.slots = slots;
    c.beat.draining = is_draining;
    assert_string_equal(kit_error(kit_call(k, &c.request, NULL)), "");
}

void why_run(struct engine_kit *k, uint64_t ms)
{
    struct kit_lease l;
    assert_true(kit_lease(k, "runner", &l));
    kit_pass(k, ms - 2); /* the turn of the pass and that of the finish take a millisecond each */
    assert_string_equal(kit_error(kit_finish(k, &l, ROTA__OUTCOME__OUTCOME_SUCCEEDED)), "");
}

Rota__WhyResult *why_ask(struct engine_kit *k, const char *job, struct kit_answer *ret_answer)
{
    Rota__Why why = ROTA__WHY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    why.job = (char *)job;
    request.op_case = ROTA__REQUEST__OP_WHY;
    request.why = &why;
    kit_ask(k, &request, ret_answer);
    assert_int_equal(ret_answer->code, E_OK);
    return ret_answer->reply.why;
}

Rota__WhyResult *why_is(struct engine_kit *k, const char *job, const char *reason,
                        struct kit_answer *ret_answer)
{
    Rota__WhyResult *why = why_ask(k, job, ret_answer);
    printf("  %s: %s\n", why->reason, why->text);
    assert_string_equal(why->reason, reason);
    assert_true(why->text[0] != '\0');
    assert_string_equal(why->job, job);
    return why;
}

void why_says(struct engine_kit *k, const char *job, const char *reason)
{
    struct kit_answer answer;
    why_is(k, job, reason, &answer);
    kit_answer_end(&answer);
}

Rota__NextResult *why_next(struct engine_kit *k, uint32_t count, Rota__WhatIf *what_if,
                           uint32_t slots, struct kit_answer *ret_answer)
{
    Rota__Next next = ROTA__NEXT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    next.pool = (char *)"task";
    next.count = count;
    next.slots = slots;
    next.what_if = &what_if;
    next.n_what_if = what_if ? 1 : 0;
    request.op_case = ROTA__REQUEST__OP_NEXT;
    request.next = &next;
    kit_ask(k, &request, ret_answer);
    return ret_answer->code == E_OK ? ret_answer->reply.next : NULL;
}
