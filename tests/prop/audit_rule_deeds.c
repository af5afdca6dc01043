/* audit_rule_deeds.c: what operators set, time, restarts; and asking why. */
#include "audit_life.h"

void do_account(struct life *l)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    Rota__Rate rate = ROTA__RATE__INIT;
    set.account = life_account(l);
    if (life_chance(l, 2)) {
        set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
        set.tier = (Rota__Tier)life_pick(l, 4);
    }
    if (life_chance(l, 2)) {
        set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
        set.running_max = life_pick(l, 5);
    }
    if (life_chance(l, 3)) {
        rate.n = life_pick(l, 4);
        rate.per_ms = 1000 + life_pick(l, 4000);
        set.rate = &rate;
    }
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    request.account_set = &set;
    life_call(l, &request);
}

/* Caps of a tier, and the rates of all and of a tier. */
void do_limits(struct life *l)
{
    Rota__LimitsSet set = ROTA__LIMITS_SET__INIT;
    Rota__Limits limits = ROTA__LIMITS__INIT;
    Rota__Rate all = ROTA__RATE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    set.set_tier_case = ROTA__LIMITS_SET__SET_TIER_TIER;
    set.tier = (Rota__Tier)life_pick(l, 4);
    set.limits = &limits;
    limits.running_max = 1 + life_pick(l, 6);
    limits.builds_unlimited = true;
    if (life_chance(l, 3)) {
        limits.rate_n = life_pick(l, 6);
        limits.rate_ms = 1000 + life_pick(l, 4000);
    }
    if (life_chance(l, 4)) {
        all.n = life_pick(l, 12);
        all.per_ms = 1000 + life_pick(l, 4000);
        set.global_rate = &all;
    }
    request.op_case = ROTA__REQUEST__OP_LIMITS_SET;
    request.limits_set = &set;
    life_call(l, &request);
}

static void pause_fill(struct life *l, Rota__PauseSet *set)
{
    static const char *const names[][4] = {
        [ROTA__PAUSE_SCOPE__PAUSE_POOL] = {"task", "mix", "lone", "task"},
        [ROTA__PAUSE_SCOPE__PAUSE_TIER] = {"P0", "P1", "P2", "P3"},
        [ROTA__PAUSE_SCOPE__PAUSE_CLASS] = {"mix", "fine", "coarse", "lone"},
    };
    rota__pause_set__init(set);
    set->scope = (Rota__PauseScope)(1 + life_pick(l, 4));
    set->reason = (char *)"chosen by lot";
    set->name = set->scope == ROTA__PAUSE_SCOPE__PAUSE_ACCOUNT
                    ? life_account(l)
                    : (char *)names[set->scope][life_pick(l, 4)];
}

void do_pause(struct life *l)
{
    Rota__PauseSet set;
    Rota__Request request = ROTA__REQUEST__INIT;
    pause_fill(l, &set);
    if (life_chance(l, 2))
        set.until_ms = l->k.now.wall_ms + 1000 + life_pick(l, 4000);
    request.op_case = ROTA__REQUEST__OP_PAUSE_SET;
    request.pause_set = &set;
    life_call(l, &request);
}

void do_resume(struct life *l)
{
    Rota__PauseSet set;
    Rota__Request request = ROTA__REQUEST__INIT;
    pause_fill(l, &set);
    set.off = true;
    request.op_case = ROTA__REQUEST__OP_PAUSE_SET;
    request.pause_set = &set;
    life_call(l, &request);
}

void do_time(struct life *l)
{
    kit_pass(&l->k, life_chance(l, 20) ? 31000 : life_pick(l, 1500));
}

void do_restart(struct life *l)
{
    engine_kit_close(&l->k);
    l->k.now.boot_ms = life_pick(l, 1000);
    l->k.now.wall_ms = l->k.now.wall_ms + life_pick(l, 20000) - 10000; /* it may step either way */
    engine_kit_open(&l->k);
    l->restarts++;
}

/* As if the last one were long ago. */
void do_checkpoint(struct life *l)
{
    l->k.engine->cache.hot.checkpoint_seq = 0;
    l->k.engine->checkpoint_after_seq = 0;
    kit_turn(&l->k, NULL);
}

void do_why(struct life *l)
{
    enum { ASKED = 5 };
    for (unsigned i = 0; i < ASKED && l->jobs_n && !l->is_mutant; i++)
        log_audit_ask(&l->log, l->k.store, l->k.board, l->k.now.wall_ms, l->k.now.boot_ms,
                      life_job(l));
}
