/* follow.c: long polls with the version last seen. The broker being away is no end: it is asked
 * again until it was away for AWAY_MS_MAX in one go, because its jobs outlive it. */
#include "follow.h"

#include "job.h"
#include "text.h"

#include <base/clock.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { POLL_MS = 20000, AWAY_MS_MAX = 300000, RETRY_MS = 500 };

uint32_t follow_left_ms(uint64_t deadline_boot_ms, uint32_t most_ms)
{
    uint64_t now_ms = clock_boot_ms();
    if (!deadline_boot_ms)
        return most_ms;
    if (deadline_boot_ms <= now_ms)
        return 0;
    uint64_t left_ms = deadline_boot_ms - now_ms;
    return left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}

int follow_is_passing(const Rota__Error *error)
{
    return error->retryable;
}

void follow_pause(uint32_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
}

static int deadline_passed(const struct follow *f)
{
    return cli_error(E_TIMEOUT, "%s is not over yet; it goes on without this command", f->job),
           EXIT_TIMEOUT;
}

/* The broker is away or too busy: 0 to go on, or the exit code. */
static int away(const struct follow *f, const Rota__Error *error, uint64_t *since_ms)
{
    if (!*since_ms)
        *since_ms = clock_boot_ms();
    if (!follow_is_passing(error) || clock_boot_ms() - *since_ms > AWAY_MS_MAX)
        return cli_refused(error);
    uint32_t pause_ms = follow_left_ms(f->deadline_boot_ms, RETRY_MS);
    if (!pause_ms)
        return deadline_passed(f);
    term_live(stderr, "the broker is away; trying again");
    follow_pause(pause_ms);
    return 0;
}

static int poll_once(struct cli *cli, const struct follow *f, uint64_t version,
                     Rota__Reply **ret_reply)
{
    Rota__Watch op = ROTA__WATCH__INIT;
    op.job = (char *)f->job;
    op.version = version;
    op.wait_ms = follow_left_ms(f->deadline_boot_ms, POLL_MS);
    CLI_REQUEST(request, WATCH, watch, &op);
    return cli_try(cli, &request, op.wait_ms, ret_reply);
}

/* What one answer means: `*ret_over`, or the code to end with. */
static int answer(const struct follow *f, const Rota__Reply *reply, uint64_t *version,
                  bool *ret_over)
{
    const Rota__Job *job = reply->watch->job;
    if (!job)
        return cli_error(E_MALFORMED, "the broker's answer holds no job");
    bool is_new = reply->watch->version != *version || job_is_over(job);
    *version = reply->watch->version;
    *ret_over = job_is_over(job);
    return is_new && f->changed ? f->changed(f->arg, job) : 0;
}

int follow_job(struct cli *cli, const struct follow *f, Rota__Reply **ret_reply)
{
    uint64_t version = 0, away_since_ms = 0;
    for (;;) {
        AUTO_REPLY reply = NULL;
        bool over = false;
        int code = poll_once(cli, f, version, &reply);
        if (code)
            return code;
        if (reply->error) {
            code = away(f, reply->error, &away_since_ms);
        } else {
            away_since_ms = 0;
            code = answer(f, reply, &version, &over);
        }
        if (code)
            return code;
        if (over) {
            *ret_reply = TAKE(reply);
            return 0;
        }
        if (!follow_left_ms(f->deadline_boot_ms, 1))
            return deadline_passed(f);
    }
}
