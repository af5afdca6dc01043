/* s3_health.c: how the calls to a bucket go. The breaker is the scheduler's; its time runs
 * BREAKER_PACE times as fast here, as a store that is back should not be waited for as long as a
 * class of jobs. It counts what did not answer; what refuses us has answered, and is told apart. */
#include "edge/s3_impl.h"

#include <base/clock.h>
#include <base/log.h>
#include <stdio.h>
#include <string.h>

enum { BREAKER_PACE = 12 };

static uint64_t breaker_now(void)
{
    return clock_boot_ms() * BREAKER_PACE;
}

bool s3_call_begin(struct s3 *s, uint64_t *ret_token)
{
    pthread_mutex_lock(&s->lock);
    bool may = !s->stops && breaker_may(&s->breaker, breaker_now());
    if (may) {
        *ret_token = ++s->calls;
        breaker_start(&s->breaker, *ret_token);
    }
    pthread_mutex_unlock(&s->lock);
    return may;
}

/* Holding the lock. A refusal that was asked for is no news. */
static void health_note(struct s3 *s, int r, bool is_good, const char *why)
{
    s->faults = r < 0 || r == S3_AWAY ? s->faults + 1 : 0;
    if (is_good) {
        s->since_ms = 0;
        return;
    }
    if (!s->since_ms)
        s->since_ms = clock_wall_ms();
    s->is_refused = r == S3_REFUSED;
    snprintf(s->why, sizeof s->why, "%s", why);
}

bool s3_is_refusal(const struct s3_body *body, int r)
{
    return r == S3_REFUSED && !body->may_be_refused;
}

void s3_call_end(struct s3 *s, uint64_t token, const struct s3_body *body, int r, const char *why)
{
    bool is_fault = r < 0 || r == S3_AWAY;
    pthread_mutex_lock(&s->lock);
    uint8_t before = s->breaker.state;
    if (is_fault)
        breaker_fault(&s->breaker, token, breaker_now());
    else
        breaker_good(&s->breaker, token);
    uint8_t after = s->breaker.state;
    uint32_t open_ms = s->breaker.open_ms / BREAKER_PACE;
    health_note(s, r, !is_fault && !s3_is_refusal(body, r), why);
    pthread_mutex_unlock(&s->lock);
    if (after == BREAKER_OPEN && before != BREAKER_OPEN)
        log_warn("artifacts.away", "for_ms=%u why=\"%s\"", open_ms, why);
    else if (after == BREAKER_CLOSED && before != BREAKER_CLOSED)
        log_info("artifacts.back", "endpoint=%s", s->endpoint);
}

void s3_health(struct s3 *s, struct s3_health *ret_health)
{
    uint64_t now_ms = breaker_now();
    pthread_mutex_lock(&s->lock);
    *ret_health = (struct s3_health){.breaker = s->breaker.state,
                                     .faults = s->faults,
                                     .is_refused = s->since_ms && s->is_refused,
                                     .since_ms = s->since_ms};
    if (s->breaker.state == BREAKER_OPEN && s->breaker.until_ms > now_ms)
        ret_health->open_ms = (s->breaker.until_ms - now_ms) / BREAKER_PACE;
    if (s->since_ms)
        memcpy(ret_health->why, s->why, sizeof s->why);
    pthread_mutex_unlock(&s->lock);
}
