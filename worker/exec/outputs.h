/* outputs.h: what a sandboxed program left in /w/out: one-off outputs, private to the account, kept
 * until they were downloaded or for a day. */
#pragma once

#include "work.h"

enum { OUTPUTS_MAX = 4, OUTPUT_NAME_MAX = 100 };
_Static_assert((int)OUTPUTS_MAX <= (int)PRODUCTS_MAX, "each output is a product");

/* Hashes and uploads them. What cannot be taken is the job's failure, said in *ret: more than
 * OUTPUTS_MAX, something that is no regular file, a name of other characters than
 * [A-Za-z0-9._-]. <0: a fault. */
MUST_USE int outputs_deliver(struct build *b, const struct setup *setup, struct space *space,
                             struct build_result *ret);
