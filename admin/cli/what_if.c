/* what_if.c: `rota what-if`: the next dispatches as they are, and beside them as they would be with
 * an account in another tier or under another cap, or with other slots. Nothing is changed. */
#include "commands.h"
#include "pbjson.h"
#include "preview.h"
#include "table.h"
#include "text.h"
#include "tiername.h"

#include <stdio.h>
#include <string.h>

struct what_if_settings {
    struct common common;
    const char *account, *tier, *pool;
    uint64_t running_max, slots;
};

static const struct option_row rows[] = {
    OPTION_STR(struct what_if_settings, account, "account", "ID", NULL, "suppose of this account"),
    OPTION_STR(struct what_if_settings, tier, "tier", "TIER", NULL,
               "that it were free, starter, pro or enterprise (P3 to P0)"),
    OPTION_U64(struct what_if_settings, running_max, "running-max", "N", 0, 0, 100000,
               "that it might run N jobs at the same time"),
    OPTION_U64(struct what_if_settings, slots, "slots", "N", 0, 0, 10000,
               "suppose that N slots of the pool worked"),
    OPTION_STR(struct what_if_settings, pool, "pool", "NAME", NULL,
               "in this pool; without: in bundle, or in the only pool that has ready jobs"),
};

/* What is supposed; 0 or the exit code, said. */
static int suppose(const struct cli *cli, Rota__WhatIf *what_if, Rota__Next *op)
{
    const struct what_if_settings *s = cli->settings;
    if (s->account && !s->tier && !s->running_max)
        return cli_usage(cli, "--account needs --tier or --running-max");
    if (!s->account && (s->tier || s->running_max))
        return cli_usage(cli, "--tier and --running-max need --account");
    if (!s->account && !s->slots)
        return cli_usage(cli,
                         "suppose something: --account with --tier or --running-max, or --slots");
    op->slots = (uint32_t)s->slots;
    if (!s->account)
        return 0;
    what_if->account = (char *)s->account;
    op->n_what_if = 1;
    if (s->running_max) {
        what_if->set_running_case = ROTA__WHAT_IF__SET_RUNNING_RUNNING_MAX;
        what_if->running_max = (uint32_t)s->running_max;
    }
    if (s->tier) {
        int tier = tier_by_name(s->tier);
        if (tier < 0)
            return cli_error(E_TIER_UNKNOWN, "there is no tier %s", s->tier);
        what_if->set_tier_case = ROTA__WHAT_IF__SET_TIER_TIER;
        what_if->tier = (Rota__Tier)tier;
    }
    return 0;
}

/* One side of one row; `other`: what stands on the other side, which marks what moved. */
static void side_print(struct table *t, const Rota__NextResult *side, const Rota__NextResult *other,
                       size_t i)
{
    char tier[PB_WORD_LEN + 1], start[PREVIEW_START_LEN + 1];
    const Rota__NextJob *job = i < side->n_job ? side->job[i] : NULL;
    bool is_same = job && i < other->n_job && !strcmp(job->job, other->job[i]->job);
    enum style style = is_same ? STYLE_DIM : STYLE_PLAIN;
    table_cell(t, style, "%s", job ? pb_word(&rota__tier__descriptor, (int)job->tier, tier) : "-");
    table_cell(t, style, "%s", job ? job->job : "-");
    table_cell(t, style, "%s", job ? job->account : "-");
    table_cell(t, style, "%s", job ? preview_start(job, start) : "-");
}

static void both_print(const Rota__NextResult *now, const Rota__NextResult *then)
{
    size_t n = now->n_job > then->n_job ? now->n_job : then->n_job;
    AUTO(table) t = table_new("#> NOW JOB ACCOUNT STARTS> THEN JOB ACCOUNT STARTS>");
    for (size_t i = 0; i < n; i++) {
        table_cell(t, STYLE_DIM, "%zu", i + 1);
        side_print(t, now, then, i);
        side_print(t, then, now, i);
    }
    table_print(t);
}

static size_t jobs_of(const Rota__NextResult *side, const char *account, const char **ret_first,
                      char start[PREVIEW_START_LEN + 1])
{
    size_t n = 0;
    *ret_first = "-";
    for (size_t i = 0; i < side->n_job; i++) {
        if (strcmp(side->job[i]->account, account) != 0)
            continue;
        if (!n++)
            *ret_first = preview_start(side->job[i], start);
    }
    return n;
}

static char *share_text(size_t n, const char *first)
{
    if (!n)
        return x_strdup("none of these");
    bool has_time = strcmp(first, "-") != 0; /* none without a worker */
    return x_printf("%zu of these%s%s%s", n, has_time ? ", the first " : "", has_time ? first : "",
                    has_time ? "," : "");
}

static void account_print(const char *account, const Rota__NextResult *now,
                          const Rota__NextResult *then)
{
    char start_now[PREVIEW_START_LEN + 1], start_then[PREVIEW_START_LEN + 1];
    const char *first_now, *first_then;
    size_t n_now = jobs_of(now, account, &first_now, start_now);
    size_t n_then = jobs_of(then, account, &first_then, start_then);
    AUTO_FREE char *as_is = share_text(n_now, first_now);
    AUTO_FREE char *as_would_be = share_text(n_then, first_then);
    printf("%s: %s as it is; %s as it would be\n", account, as_is, as_would_be);
}

static int print_json(const char *pool, const Rota__NextResult *now, const Rota__NextResult *then)
{
    json_t *document = json_object();
    json_object_set_new(document, "pool", json_string(pool));
    json_object_set_new(document, "now", pb_json(&now->base));
    json_object_set_new(document, "then", pb_json(&then->base));
    return cli_print(document);
}

static int what_if_run(struct cli *cli)
{
    const struct what_if_settings *s = cli->settings;
    Rota__Next now = ROTA__NEXT__INIT, then;
    Rota__WhatIf what_if = ROTA__WHAT_IF__INIT, *what_ifs[] = {&what_if};
    AUTO_FREE char *pool = NULL;
    AUTO_REPLY now_reply = NULL;
    AUTO_REPLY then_reply = NULL;
    int code = preview_count(cli, &now.count);
    then = now;
    then.what_if = what_ifs;
    if (!code)
        code = suppose(cli, &what_if, &then);
    if (!code)
        code = preview_pool(cli, s->pool, &pool);
    now.pool = then.pool = pool;
    if (!code)
        code = preview_ask(cli, &now, &now_reply);
    if (!code)
        code = preview_ask(cli, &then, &then_reply);
    if (code)
        return code;
    if (cli->common->json)
        return print_json(pool, now_reply->next, then_reply->next);
    both_print(now_reply->next, then_reply->next);
    if (s->account)
        account_print(s->account, now_reply->next, then_reply->next);
    return EXIT_OK;
}

const struct command command_what_if = {
    .name = "what-if",
    .args = "[N] --account ID (--tier TIER | --running-max N) | --slots N",
    .about = "shows the next N dispatches (10) as they are, and as they would be",
    .details = "Nothing is changed: the scheduler's rule is played twice over the queue as it is "
               "at this moment. "
               "What is not played stands under `rota next --help`. A tier that changes moves the "
               "account to the "
               "end of the other tier's ring, as a real change would.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct what_if_settings),
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = what_if_run,
};
