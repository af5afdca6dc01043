/* deeds.h: what clients do. One row each (deeds.c): what it asks, and what it makes of the answer.
 */
#pragma once

#include "sim/client.h"

/* A request in the making: the operation that the deed chooses, and room for its parts. */
struct asking {
    Rota__Request request;
    struct about about; /* the job that it cancels, the account that it publishes for */
    union {
        struct {
            Rota__Publish publish[BATCH_MAX], *list[BATCH_MAX];
            Rota__PublishMany many;
            char *after[BATCH_MAX][PAST_AFTER_MAX];
        };
        Rota__Cancel cancel;
        Rota__Hold hold;
        Rota__JobRelease job_release;
        Rota__Retry retry;
        Rota__Move move;
        struct {
            Rota__AccountSet account_set;
            Rota__Rate account_rate;
        };
        Rota__AccountErase account_erase;
        struct {
            Rota__LimitsSet limits_set;
            Rota__Limits limits;
            Rota__Rate rates[2];
        };
        Rota__AddonGrant addon_grant;
        struct {
            Rota__PauseSet pause_set;
            char pause_name[65];
        };
        struct {
            Rota__ScheduleSet schedule_set;
            Rota__Schedule schedule;
            Rota__Publish scheduled;
        };
        struct {
            Rota__BulkStart bulk_start;
            Rota__Where where;
        };
        Rota__BulkStop bulk_stop;
        Rota__Heat heat;
    };
};

/* False: there is nothing to do it to. */
typedef bool deed_ask(struct world *w, struct client *c, struct asking *q);
typedef void deed_told(struct world *w, struct client *c, const Rota__Reply *reply);

/* How often a deed is done: always, as its seed's operators like, when a life comes to its end. */
enum deed_time { DEED_DAILY, DEED_RULE, DEED_LAST };

struct deed {
    const char *name;
    enum deed_time time;
    unsigned weight; /* among those of its time */
    deed_ask *ask;
    deed_told *told;      /* NULL: no matter */
    const char *refusals; /* that may be the answer */
};

/* One of them, by their weights; NULL: none has any now. */
const struct deed *deed_choose(struct world *w);

/* publish_deeds.c */
deed_ask publish_ask, many_ask, repeat_ask, steady_ask;
deed_told publish_told, many_told, repeat_told;
#define PUBLISH_REFUSALS                                                                           \
    "DEPENDENCY_FAILED DEPENDENCY_UNKNOWN QUOTA_EXCEEDED ACCOUNT_ERASING ACCOUNT_UNKNOWN"

/* job_deeds.c: to a job that the client knows, or any held one */
deed_ask cancel_ask, hold_ask, release_ask, retry_ask, move_ask, bulk_ask, bulk_stop_ask,
    release_all_ask;
deed_told bulk_told;

/* rule_deeds.c: to accounts, limits and what may be paused */
deed_ask account_ask, account_free_ask, erase_ask, limits_ask, rates_off_ask, grant_ask,
    grant_end_ask, pause_ask, resume_ask, schedule_ask, schedule_end_ask, heat_ask;
deed_told grant_told;
