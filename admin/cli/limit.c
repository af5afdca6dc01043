/* limit.c: `rota limit list`, `rota limit set` and `rota limit profile`: what each tier may have.
 * Sets change one tier's columns, or the rates of all dispatches and of each account; what is not
 * named keeps what is stored. */
#include "amount.h"
#include "commands.h"
#include "limits_view.h"
#include "table.h"
#include "text.h"
#include "tiername.h"

#include <stdio.h>
#include <string.h>

struct limit_settings {
    struct common common;
    const char *timeout_min, *timeout_max_min, *builds, *running, *bundle_mb, *source_mb;
    const char *storage_gb, *memory_gb, *rate, *all_rate, *account_rate;
    uint64_t version;
};

#define VERSION_ROW                                                                                \
    OPTION_U64(struct limit_settings, version, "if-version", "N", 0, 0, UINT32_MAX,                \
               "only if the table is still at this version (0: whatever it is)")

static const struct option_row set_rows[] = {
    OPTION_STR(struct limit_settings, timeout_min, "timeout-min", "MIN", NULL,
               "minutes a build may take"),
    OPTION_STR(struct limit_settings, timeout_max_min, "timeout-max-min", "MIN", NULL,
               "minutes that add-ons may lead to"),
    OPTION_STR(struct limit_settings, builds, "builds", "N", NULL,
               "builds a month: a number from 1 on, or unlimited"),
    OPTION_STR(struct limit_settings, running, "running", "N", NULL, "jobs at the same time"),
    OPTION_STR(struct limit_settings, bundle_mb, "bundle-mb", "MB", NULL,
               "largest bundle with its assets (1 MB = 10^6 bytes)"),
    OPTION_STR(struct limit_settings, source_mb, "source-mb", "MB", NULL, "largest source archive"),
    OPTION_STR(struct limit_settings, storage_gb, "storage-gb", "GB", NULL,
               "what the artifacts of an account may take (1 GB = 2^30 bytes)"),
    OPTION_STR(struct limit_settings, memory_gb, "memory-gb", "GB", NULL, "memory of a job"),
    OPTION_STR(struct limit_settings, rate, "rate", "N/SECONDS", NULL,
               "jobs of the tier that may start in so many seconds: 10/60, or off"),
    OPTION_STR(struct limit_settings, all_rate, "all-rate", "N/SECONDS", NULL,
               "jobs of all tiers together that may start, or off"),
    OPTION_STR(struct limit_settings, account_rate, "account-rate", "N/SECONDS", NULL,
               "jobs that may start of each account without a rate of its own, or off"),
    VERSION_ROW,
};

static const struct option_row profile_rows[] = {VERSION_ROW};

/* ---- showing the table ---- */

static void tier_row(struct table *t, Rota__Tier tier, const Rota__Limits *l)
{
    char text[TEXT_SHORT_LEN + 1], rate[AMOUNT_RATE_LEN + 1];
    table_cell(t, STYLE_HEAD, "P%d %s", (int)tier, tier_name(tier));
    table_cell(t, STYLE_PLAIN, "%s", text_duration(l->timeout_ms, text));
    table_cell(t, STYLE_PLAIN, "%s", text_duration(l->timeout_ms_max, text));
    table_cell(t, STYLE_PLAIN, "%s",
               l->builds_unlimited ? "unlimited" : text_count(l->builds_month, text));
    table_cell(t, STYLE_PLAIN, "%u", l->running_max);
    table_cell(t, STYLE_PLAIN, "%s", text_bytes(l->bundle_bytes_max, text));
    table_cell(t, STYLE_PLAIN, "%s", text_bytes(l->source_bytes_max, text));
    table_cell(t, STYLE_PLAIN, "%s", binary_text(l->storage_bytes_max, text));
    table_cell(t, STYLE_PLAIN, "%s", binary_text(l->memory_bytes, text));
    table_cell(t, STYLE_PLAIN, "%s", amount_rate_text(l->rate_n, l->rate_ms, rate));
}

static int limits_print(const struct cli *cli, const Rota__LimitsResult *m)
{
    char all[AMOUNT_RATE_LEN + 1], account[AMOUNT_RATE_LEN + 1];
    if (cli->common->json)
        return cli_print_message(&m->base);
    if (!m->global_rate || !m->account_rate)
        return cli_error(E_MALFORMED, "the broker's answer holds no rates");
    AUTO(table)
    t = table_new("TIER TIMEOUT> MAX> BUILDS/MONTH> RUNNING> BUNDLE> SOURCE> STORAGE> "
                  "MEMORY> STARTS");
    for (size_t i = 0; i < m->n_tier; i++)
        tier_row(t, (Rota__Tier)i, m->tier[i]);
    table_print(t);
    printf("starts of all tiers: %s; of each account: %s\n",
           amount_rate_text(m->global_rate->n, m->global_rate->per_ms, all),
           amount_rate_text(m->account_rate->n, m->account_rate->per_ms, account));
    printf("version %u, %s%s\n", m->version, *m->profile ? "profile " : "edited", m->profile);
    return EXIT_OK;
}

static int limit_list_run(struct cli *cli)
{
    Rota__LimitsGet op = ROTA__LIMITS_GET__INIT;
    CLI_REQUEST(request, LIMITS_GET, limits_get, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    return code ? code : limits_print(cli, reply->limits_get);
}

const struct command command_limit_list = {
    .name = "limit list",
    .args = "",
    .about = "shows what each tier may have",
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = limit_list_run,
};

/* ---- changing it ---- */

static int number_fill(const struct cli *cli, const char *option, const char *text, uint64_t unit,
                       uint64_t *ret_value)
{
    if (!text || (amount_read_in(text, unit, ret_value) && *ret_value))
        return 0;
    return cli_usage(cli, "%s %s: a number from 1 on", option, text);
}

static int rate_fill(const struct cli *cli, const char *option, const char *text, Rota__Rate *rate)
{
    if (!text || amount_rate_read(text, rate))
        return 0;
    return cli_usage(cli, "%s %s: like 10/60, or off", option, text);
}

static int builds_fill(const struct cli *cli, const char *text, Rota__Limits *l)
{
    l->builds_unlimited = text && !strcmp(text, "unlimited");
    return l->builds_unlimited ? 0 : number_fill(cli, "--builds", text, 1, &l->builds_month);
}

static int tier_fill(const struct cli *cli, const struct limit_settings *s, Rota__Limits *l)
{
    const struct {
        const char *option, *text;
        uint64_t unit, *value;
    } numbers[] = {
        {"--timeout-min", s->timeout_min, AMOUNT_MINUTE, &l->timeout_ms},
        {"--timeout-max-min", s->timeout_max_min, AMOUNT_MINUTE, &l->timeout_ms_max},
        {"--bundle-mb", s->bundle_mb, AMOUNT_MB, &l->bundle_bytes_max},
        {"--source-mb", s->source_mb, AMOUNT_MB, &l->source_bytes_max},
        {"--storage-gb", s->storage_gb, AMOUNT_GIB, &l->storage_bytes_max},
        {"--memory-gb", s->memory_gb, AMOUNT_GIB, &l->memory_bytes},
    };
    uint64_t running = 0;
    Rota__Rate rate = ROTA__RATE__INIT;
    int code = builds_fill(cli, s->builds, l);
    for (size_t i = 0; i < ARRAY_LEN(numbers) && !code; i++)
        code =
            number_fill(cli, numbers[i].option, numbers[i].text, numbers[i].unit, numbers[i].value);
    if (!code && s->running && (!amount_read(s->running, UINT32_MAX, &running) || !running))
        code = cli_usage(cli, "--running %s: a number from 1 on", s->running);
    if (!code)
        code = rate_fill(cli, "--rate", s->rate, &rate);
    l->running_max = (uint32_t)running;
    l->rate_n = rate.n;
    l->rate_ms = rate.per_ms;
    return code;
}

static bool names_tier_column(const struct limit_settings *s)
{
    return s->timeout_min || s->timeout_max_min || s->builds || s->running || s->bundle_mb ||
           s->source_mb || s->storage_gb || s->memory_gb || s->rate;
}

static int limits_call(struct cli *cli, Rota__LimitsSet *op)
{
    const struct limit_settings *s = cli->settings;
    op->version = (uint32_t)s->version;
    CLI_REQUEST(request, LIMITS_SET, limits_set, op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    return code ? code : limits_print(cli, reply->limits_set);
}

static int limit_set_run(struct cli *cli)
{
    const struct limit_settings *s = cli->settings;
    Rota__LimitsSet op = ROTA__LIMITS_SET__INIT;
    Rota__Limits limits = ROTA__LIMITS__INIT;
    Rota__Rate all = ROTA__RATE__INIT, account = ROTA__RATE__INIT;
    int tier = cli->n_args ? tier_by_name(cli->args[0]) : -1;
    if (cli->n_args && tier < 0)
        return cli_error(E_TIER_UNKNOWN, "there is no tier %s", cli->args[0]);
    if (names_tier_column(s) != (tier >= 0))
        return cli_usage(cli, tier < 0 ? "whose? name a tier" : "what? name a limit");
    int code = tier_fill(cli, s, &limits);
    if (!code)
        code = rate_fill(cli, "--all-rate", s->all_rate, &all);
    if (!code)
        code = rate_fill(cli, "--account-rate", s->account_rate, &account);
    if (code)
        return code;
    if (tier >= 0) {
        op.set_tier_case = ROTA__LIMITS_SET__SET_TIER_TIER;
        op.tier = (Rota__Tier)tier;
        op.limits = &limits;
    }
    op.global_rate = s->all_rate ? &all : NULL;
    op.account_rate = s->account_rate ? &account : NULL;
    return limits_call(cli, &op);
}

const struct command command_limit_set = {
    .name = "limit set",
    .args = "[TIER --LIMIT VALUE...] [--all-rate N/SECONDS] [--account-rate N/SECONDS]",
    .about = "changes what a tier may have; holds at once, also for jobs that wait",
    .details = "A cap that is lowered stops nothing that runs. The timeout of a job is settled "
               "when it is published.",
    .rows = set_rows,
    .n_rows = ARRAY_LEN(set_rows),
    .settings_bytes = sizeof(struct limit_settings),
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = limit_set_run,
};

static int limit_profile_run(struct cli *cli)
{
    Rota__LimitsSet op = ROTA__LIMITS_SET__INIT;
    op.profile = cli->args[0];
    return limits_call(cli, &op);
}

const struct command command_limit_profile = {
    .name = "limit profile",
    .args = "NAME",
    .about = "takes a whole table of limits: default or wide",
    .details = "default: 5, 2, 1 and 1 jobs at once, 10 builds a month for free, no rates. wide: "
               "10, 5, 2 and 1 jobs at once, 100 builds a month for free, 10 starts a minute of "
               "each account.",
    .rows = profile_rows,
    .n_rows = ARRAY_LEN(profile_rows),
    .settings_bytes = sizeof(struct limit_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = limit_profile_run,
};
