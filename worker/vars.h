/* vars.h: the environment variables that an account set for its app, secrets included, as the
 * broker gives them to whoever holds the job's lease. Fetched once per job; the values are wiped
 * with vars_deinit(). They never stand in a log, an argument or an error. */
#pragma once

#include "runner.h"

struct vars {
    Rota__Reply *reply; /* owns the values */
    struct build_var *var;
    size_t n;
    bool is_token_withheld; /* see struct build */
};

enum vars_outcome { VARS_REFUSED = 1 };

/* 0, or VARS_REFUSED: *result says why, and how the job ends for it. */
MUST_USE int vars_fetch(const struct build *b, struct vars *ret_vars, struct build_result *result);
void vars_deinit(struct vars *v);
