/* deeds.c: the table of deeds. */
#include "sim/deeds.h"

static const struct deed deeds[] = {
    {"publish", DEED_DAILY, 50, publish_ask, publish_told, PUBLISH_REFUSALS},
    {"publish many", DEED_DAILY, 20, many_ask, many_told, ""},
    {"publish again", DEED_DAILY, 8, repeat_ask, repeat_told, PUBLISH_REFUSALS},
    {"cancel", DEED_DAILY, 8, cancel_ask, NULL, "JOB_ENDED JOB_UNKNOWN"},
    {"hold", DEED_DAILY, 4, hold_ask, NULL, "JOB_ENDED JOB_RUNNING JOB_UNKNOWN"},
    {"release", DEED_DAILY, 6, release_ask, NULL, "JOB_NOT_HELD JOB_UNKNOWN"},
    {"retry", DEED_DAILY, 6, retry_ask, NULL,
     "JOB_NOT_ENDED JOB_SUCCEEDED JOB_UNKNOWN QUOTA_EXCEEDED SOURCE_GONE DEPENDENCY_FAILED"},
    {"move", DEED_DAILY, 4, move_ask, NULL, "JOB_ENDED JOB_RUNNING JOB_UNKNOWN"},
    {"heat", DEED_DAILY, 2, heat_ask, NULL, ""},

    {"account set", DEED_RULE, 12, account_ask, NULL, ""},
    {"limits set", DEED_RULE, 6, limits_ask, NULL, "LIMITS_CHANGED"},
    {"rates off", DEED_RULE, 4, rates_off_ask, NULL, ""},
    {"pause", DEED_RULE, 12, pause_ask, NULL, "PAUSE_UNKNOWN UNTIL_INVALID"},
    {"resume", DEED_RULE, 14, resume_ask, NULL, "PAUSE_UNKNOWN"},
    {"give an add-on", DEED_RULE, 4, grant_ask, grant_told,
     "ADDON_UNTIL GRANT_LIMIT ACCOUNT_UNKNOWN"},
    {"end an add-on", DEED_RULE, 3, grant_end_ask, NULL, "GRANT_UNKNOWN ACCOUNT_UNKNOWN"},
    {"schedule", DEED_RULE, 5, schedule_ask, NULL, "ACCOUNT_UNKNOWN"},
    {"end a schedule", DEED_RULE, 2, schedule_end_ask, NULL, "SCHEDULE_UNKNOWN ACCOUNT_UNKNOWN"},
    {"bulk act", DEED_RULE, 5, bulk_ask, bulk_told, "BULK_LIMIT ACCOUNT_UNKNOWN"},
    {"stop a bulk act", DEED_RULE, 2, bulk_stop_ask, NULL, "BULK_UNKNOWN"},
    {"erase an account", DEED_RULE, 6, erase_ask, NULL, "ACCOUNT_ERASING ACCOUNT_UNKNOWN"},

    {"release", DEED_LAST, 2, release_ask, NULL, "JOB_NOT_HELD JOB_UNKNOWN"},
    {"release all", DEED_LAST, 1, release_all_ask, NULL, "BULK_LIMIT"},
    {"resume", DEED_LAST, 6, resume_ask, NULL, "PAUSE_UNKNOWN"},
    {"rates off", DEED_LAST, 1, rates_off_ask, NULL, ""},
    {"account set", DEED_LAST, 3, account_free_ask, NULL, ""},
};

static const struct deed steady = {"publish", DEED_DAILY, 1, steady_ask, publish_told, ""};

const struct deed *deed_choose(struct world *w)
{
    unsigned sum = 0, i = 0;
    enum deed_time time = w->is_ending                        ? DEED_LAST
                          : world_chance(w, w->rule_permille) ? DEED_RULE
                                                              : DEED_DAILY;
    if (w->kind.is_steady)
        return w->is_ending ? NULL : &steady;
    for (size_t k = 0; k < ARRAY_LEN(deeds); k++)
        sum += deeds[k].time == time ? deeds[k].weight : 0;
    for (unsigned at = world_below(w, sum);; i++) {
        unsigned weight = deeds[i].time == time ? deeds[i].weight : 0;
        if (at < weight)
            return &deeds[i];
        at -= weight;
    }
}
