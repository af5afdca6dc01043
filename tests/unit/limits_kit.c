/* limits_kit.c: see limits_kit.h. */
#include "limits_kit.h"

#include "sched/month.h"

void kit_plain(struct engine_kit *k, const char *id, Rota__Tier tier)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    set.account = (char *)id;
    set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    set.tier = tier;
    assert_string_equal(kit_error(kit_account_set(k, &set)), "");
}

Rota__Reply *kit_account_set(struct engine_kit *k, Rota__AccountSet *set)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    request.account_set = set;
    return kit_call(k, &request, NULL);
}

Rota__Reply *kit_limits_set(struct engine_kit *k, Rota__LimitsSet *set)
{
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_LIMITS_SET;
    request.limits_set = set;
    return kit_call(k, &request, NULL);
}

void kit_profile(struct engine_kit *k, const char *name)
{
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    set.profile = (char *)name;
    assert_string_equal(kit_error(kit_limits_set(k, &set)), "");
}

void kit_account_rate(struct engine_kit *k, uint32_t n, uint32_t per_ms)
{
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    Rota__Rate rate = ROTA__RATE__INIT;
    rate.n = n;
    rate.per_ms = per_ms;
    set.account_rate = &rate;
    assert_string_equal(kit_error(kit_limits_set(k, &set)), "");
}

Rota__Reply *kit_grant(struct engine_kit *k, const char *account, const char *addon,
                       uint64_t until_ms, bool dry_run)
{
    Rota__AddonGrant grant = ROTA__ADDON_GRANT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ADDON_GRANT;
    request.addon_grant = &grant;
    grant.account = (char *)account;
    grant.addon = (char *)addon;
    grant.until_ms = until_ms;
    grant.dry_run = dry_run;
    return kit_call(k, &request, NULL);
}

Rota__Reply *kit_retry(struct engine_kit *k, const char *job)
{
    Rota__Retry retry = ROTA__RETRY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_RETRY;
    request.retry = &retry;
    retry.job = (char *)job;
    return kit_call(k, &request, NULL);
}

const char *kit_text(const Rota__Reply *reply)
{
    return reply->error ? reply->error->text : "";
}

Rota__AccountGetResult *kit_account_get(struct engine_kit *k, const char *account,
                                        struct kit_answer *ret_answer)
{
    Rota__AccountGet get = ROTA__ACCOUNT_GET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_GET;
    request.account_get = &get;
    get.account = (char *)account;
    kit_ask(k, &request, ret_answer);
    assert_int_equal(ret_answer->code, E_OK);
    return ret_answer->reply.account_get;
}

Rota__UsageResult *kit_usage(struct engine_kit *k, const char *account, uint32_t months,
                             struct kit_answer *ret_answer)
{
    Rota__Usage usage = ROTA__USAGE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_USAGE;
    request.usage = &usage;
    usage.account = (char *)account;
    usage.months = months;
    kit_ask(k, &request, ret_answer);
    assert_int_equal(ret_answer->code, E_OK);
    return ret_answer->reply.usage;
}

uint64_t kit_used(struct engine_kit *k, const char *account)
{
    struct kit_answer answer;
    uint64_t used = kit_usage(k, account, 1, &answer)->month[0]->builds_used;
    kit_answer_end(&answer);
    return used;
}

void kit_publish_to(struct engine_kit *k, const char *account, char ret_job[40])
{
    Rota__Reply *reply = kit_publish(k, account, NULL);
    assert_string_equal(kit_error(reply), "");
    snprintf(ret_job, 40, "%s", reply->publish->job);
}

unsigned kit_publish_all(struct engine_kit *k, const char *account, unsigned most)
{
    unsigned n = 0;
    while (n < most && !kit_publish(k, account, NULL)->error)
        n++;
    return n;
}

void kit_kill(struct engine_kit *k)
{
    for (int attempt = 1; attempt <= 3; attempt++) {
        struct kit_run run = {0};
        assert_true(kit_lease(k, "w", &run.lease));
        assert_int_equal(run.lease.attempt, attempt);
        kit_give_back(k, &run, true);
        kit_pass(k, 30000); /* longer than any backoff */
    }
}

void kit_next_month(struct engine_kit *k)
{
    uint64_t next_ms = month_start_ms(month_of(k->now.wall_ms) + 1u) + 30000;
    kit_pass(k, next_ms - k->now.wall_ms);
}
