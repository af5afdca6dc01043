/* where.h: which jobs, as a filter's options and its short form say it. Main thread; pure but for
 * memory.
 *
 *   state=ready account=acme tier=P2,P3 published<2026-11-01 finished>=2h reason="out of disk"
 *
 * Words are the names of the options; all must hold. Times are compared by <, <=, > and >=; a date
 * stands for its whole day, an age for the moment so long ago. */
#pragma once

#include "rota.pb-c.h"

#include <base/option.h>

/* A member of the settings of each command that takes a filter. */
struct where_options {
    const char *account, *app, *platform, *class, *pool, *state, *tier, *published_from,
        *published_to, *finished_from, *finished_to, *error, *reason, *ref, *where;
};

/* The rows for a member `m` of settings `type`. */
#define WHERE_ROW(type, m, field, name, meta, help)                                                \
    OPTION_STR(type, m.field, name, meta, NULL, help)
#define WHERE_ROWS(type, m)                                                                        \
    WHERE_ROW(type, m, account, "account", "ID", "only this account's jobs"),                      \
        WHERE_ROW(type, m, app, "app", "APP", "only this app's"),                                  \
        WHERE_ROW(type, m, platform, "platform", "PLATFORM", "only android or ios"),               \
        WHERE_ROW(type, m, class, "class", "CLASS", "only of this class"),                         \
        WHERE_ROW(type, m, pool, "pool", "POOL", "only in this pool, where they are now"),         \
        WHERE_ROW(type, m, state, "state", "STATE",                                                \
                  "only ready, delayed, held, leased, succeeded, failed, timed_out, cancelled or " \
                  "dead ones"),                                                                    \
        WHERE_ROW(type, m, tier, "tier", "TIER", "only of these tiers at publish, as P2,P3"),      \
        WHERE_ROW(type, m, published_from, "published-from", "TIME",                               \
                  "published then or later: 2026-11-20, 2026-11-20T09:12Z, or an age as 2h, 3d"),  \
        WHERE_ROW(type, m, published_to, "published-to", "TIME", "published before that"),         \
        WHERE_ROW(type, m, finished_from, "finished-from", "TIME", "finished then or later"),      \
        WHERE_ROW(type, m, finished_to, "finished-to", "TIME", "finished before that"),            \
        WHERE_ROW(type, m, error, "error", "NAME", "only with this error, as RUNNER_FAILED"),      \
        WHERE_ROW(type, m, reason, "reason", "TEXT", "only with this reason, or its first words"), \
        WHERE_ROW(type, m, ref, "ref", "REF", "only of this branch or tag"),                       \
        WHERE_ROW(type, m, where, "where", "FILTER",                                               \
                  "the same in short: 'state=ready tier=P3 published<2026-11-01'")

/* A filter and the memory of its words. */
struct where {
    Rota__Where where;
    char *words;
    uint32_t has; /* which words were given: a bit for each */
};
void where_deinit(struct where *w);

enum { WHERE_FAULT_LEN = 199 };

enum where_outcome { WHERE_WRONG = 1 };

/* WHERE_WRONG: `fault` says what and where: "--where, column 7: there is no ...". */
__attribute__((warn_unused_result)) int where_read(const struct where_options *o, uint64_t now_ms,
                                                   struct where *ret_where,
                                                   char fault[WHERE_FAULT_LEN + 1]);

/* A filter in its short form; the caller frees it. where_read() reads it back. */
char *where_text(const Rota__Where *where);
