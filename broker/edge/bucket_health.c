/* bucket_health.c: how a bucket is, in the order in which one thing hides another: whose it is,
 * then whether it answers, then whether it lets us. */
#include "edge/bucket.h"
#include "sched/breaker.h"

#include <stdio.h>

static enum artifacts_state state_of(int root, const struct s3_health *s3)
{
    if (root == ROOT_FOREIGN)
        return ARTIFACTS_FOREIGN;
    if (s3->breaker != BREAKER_CLOSED)
        return ARTIFACTS_IS_AWAY;
    if (s3->is_refused)
        return ARTIFACTS_REFUSED;
    return root == ROOT_OURS ? ARTIFACTS_OK : ARTIFACTS_UNREACHED;
}

void bucket_health(struct artifacts *a, struct artifacts_health *ret_health)
{
    struct bucket *b = bucket_of(a);
    struct s3_health s3;
    int root = atomic_load(&b->root);
    s3_health(b->s3, &s3);
    ret_health->state = state_of(root, &s3);
    ret_health->breaker = s3.breaker;
    ret_health->faults = s3.faults;
    ret_health->open_ms = s3.open_ms;
    ret_health->since_ms = s3.since_ms;
    snprintf(ret_health->why, sizeof ret_health->why, "%s", s3.why);
    if (root != ROOT_FOREIGN)
        return;
    if (*b->owner)
        snprintf(ret_health->why, sizeof ret_health->why, "it belongs to environment %s, not to %s",
                 b->owner, b->environment);
    else
        snprintf(ret_health->why, sizeof ret_health->why,
                 "it holds objects and does not say whose; this broker is of environment %s",
                 b->environment);
}
