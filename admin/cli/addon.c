/* addon.c: `rota addon list`, `set`, `grant` and `end`: the catalogue of add-ons, and who has
 * them. A set reads the catalogue first, so that what is not named keeps what is stored. */
#include "amount.h"
#include "commands.h"
#include "limits_view.h"
#include "pbjson.h"
#include "table.h"

#include <base/clock.h>
#include <stdio.h>
#include <string.h>

struct addon_settings {
    struct common common;
    const char *minutes, *price, *recurring, *retired, *until;
    bool dry_run;
};

static const struct option_row set_rows[] = {
    OPTION_STR(struct addon_settings, minutes, "minutes", "MIN", NULL,
               "minutes it adds to the timeout"),
    OPTION_STR(struct addon_settings, price, "price-cents", "CENTS", NULL,
               "what it costs; nothing is charged here"),
    OPTION_STR(struct addon_settings, recurring, "recurring", "YES", NULL,
               "yes: paid each month, so each grant needs an end; no: once, for good"),
    OPTION_STR(struct addon_settings, retired, "retired", "YES", NULL,
               "yes: no longer given out; what was given stays"),
};

static const struct option_row grant_rows[] = {
    OPTION_STR(struct addon_settings, until, "until", "TIME", NULL,
               "when it ends: 2026-12-31, 2026-12-31T18:00Z, or 30d from now (for good without)"),
    OPTION_FLAG(struct addon_settings, dry_run, "dry-run", "says what it would change"),
};

static const struct option_row end_rows[] = {
    OPTION_FLAG(struct addon_settings, dry_run, "dry-run", "says what it would change"),
};

/* ---- the catalogue ---- */

static void addon_row(struct table *t, const Rota__Addon *a)
{
    char price[TEXT_SHORT_LEN + 1];
    table_cell(t, STYLE_HEAD, "%s", a->name);
    table_cell(t, STYLE_PLAIN, "+%u min", a->timeout_minutes);
    table_cell(t, STYLE_PLAIN, "%s", price_text(a, price));
    table_cell(t, a->retired ? STYLE_DIM : STYLE_PLAIN, "%s", a->retired ? "retired" : "given out");
}

#define ADDON_COLUMNS "ADD-ON TIMEOUT> PRICE> STATE"

static int catalogue_read(struct cli *cli, Rota__Reply **ret_reply)
{
    Rota__AddonList op = ROTA__ADDON_LIST__INIT;
    CLI_REQUEST(request, ADDON_LIST, addon_list, &op);
    return cli_call(cli, &request, ret_reply);
}

static int addon_list_run(struct cli *cli)
{
    AUTO_REPLY reply = NULL;
    int code = catalogue_read(cli, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->addon_list->base);
    AUTO(table) t = table_new(ADDON_COLUMNS);
    for (size_t i = 0; i < reply->addon_list->n_addon; i++)
        addon_row(t, reply->addon_list->addon[i]);
    table_print(t);
    return EXIT_OK;
}

const struct command command_addon_list = {
    .name = "addon list",
    .args = "",
    .about = "lists the add-ons that can be given to accounts",
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = addon_list_run,
};

static int yes_fill(const struct cli *cli, const char *option, const char *text,
                    protobuf_c_boolean *value)
{
    if (!text)
        return 0;
    *value = !strcmp(text, "yes");
    if (*value || !strcmp(text, "no"))
        return 0;
    return cli_usage(cli, "%s %s: yes or no", option, text);
}

static int addon_fill(const struct cli *cli, Rota__Addon *a)
{
    const struct addon_settings *s = cli->settings;
    uint64_t minutes = a->timeout_minutes;
    if (s->minutes && (!amount_read(s->minutes, UINT32_MAX, &minutes) || !minutes))
        return cli_usage(cli, "--minutes %s: a number from 1 on", s->minutes);
    if (s->price && !amount_read(s->price, UINT32_MAX, &a->price_cents))
        return cli_usage(cli, "--price-cents %s: a number", s->price);
    a->timeout_minutes = (uint32_t)minutes;
    int code = yes_fill(cli, "--recurring", s->recurring, &a->recurring);
    return code ? code : yes_fill(cli, "--retired", s->retired, &a->retired);
}

static int addon_set_run(struct cli *cli)
{
    Rota__AddonSet op = ROTA__ADDON_SET__INIT;
    Rota__Addon addon = ROTA__ADDON__INIT;
    AUTO_REPLY catalogue = NULL;
    AUTO_REPLY reply = NULL;
    int code = catalogue_read(cli, &catalogue);
    if (code)
        return code;
    for (size_t i = 0; i < catalogue->addon_list->n_addon; i++)
        if (!strcmp(catalogue->addon_list->addon[i]->name, cli->args[0]))
            addon = *catalogue->addon_list->addon[i];
    addon.name = cli->args[0];
    code = addon_fill(cli, &addon);
    if (code)
        return code;
    op.addon = &addon;
    CLI_REQUEST(request, ADDON_SET, addon_set, &op);
    code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (!reply->addon_set->addon)
        return cli_error(E_MALFORMED, "the broker's answer holds no add-on");
    if (cli->common->json)
        return cli_print_message(&reply->addon_set->addon->base);
    AUTO(table) t = table_new(ADDON_COLUMNS);
    addon_row(t, reply->addon_set->addon);
    table_print(t);
    return EXIT_OK;
}

const struct command command_addon_set = {
    .name = "addon set",
    .args = "NAME [--minutes MIN] [--price-cents CENTS] [--recurring yes|no] [--retired yes|no]",
    .about = "makes an add-on, or changes it for those who get it from now on",
    .rows = set_rows,
    .n_rows = ARRAY_LEN(set_rows),
    .settings_bytes = sizeof(struct addon_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = addon_set_run,
};

/* ---- grants ---- */

static int grant_call(struct cli *cli, Rota__AddonGrant *op)
{
    char before[TEXT_SHORT_LEN + 1], after[TEXT_SHORT_LEN + 1];
    const struct addon_settings *s = cli->settings;
    op->account = cli->args[0];
    op->dry_run = s->dry_run;
    CLI_REQUEST(request, ADDON_GRANT, addon_grant, op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__AddonGrantResult *g = reply->addon_grant;
    if (!g->grant)
        return cli_error(E_MALFORMED, "the broker's answer holds no grant");
    if (cli->common->json)
        return cli_print_message(&g->base);
    printf("%s%s: timeout %s, was %s\n", cli->args[0], s->dry_run ? " (nothing was changed)" : "",
           text_duration(g->timeout_ms_after, after), text_duration(g->timeout_ms_before, before));
    grant_line(g->grant);
    if (*g->warning)
        limits_line("warning", "%s", g->warning);
    return EXIT_OK;
}

static int addon_grant_run(struct cli *cli)
{
    const struct addon_settings *s = cli->settings;
    Rota__AddonGrant op = ROTA__ADDON_GRANT__INIT;
    op.addon = cli->args[1];
    if (s->until && !amount_moment_read(s->until, clock_wall_ms(), &op.until_ms))
        return cli_usage(cli, "--until %s: like 2026-12-31 or 30d", s->until);
    return grant_call(cli, &op);
}

const struct command command_addon_grant = {
    .name = "addon grant",
    .args = "ACCOUNT ADD-ON [--until TIME] [--dry-run]",
    .about = "gives an account an add-on; warns when it changes nothing",
    .rows = grant_rows,
    .n_rows = ARRAY_LEN(grant_rows),
    .settings_bytes = sizeof(struct addon_settings),
    .args_min = 2,
    .args_max = 2,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = addon_grant_run,
};

static int addon_end_run(struct cli *cli)
{
    Rota__AddonGrant op = ROTA__ADDON_GRANT__INIT;
    uint64_t number;
    if (!amount_read(cli->args[1], UINT32_MAX, &number) || !number)
        return cli_usage(cli, "%s is no number of a grant: `rota account show` has them",
                         cli->args[1]);
    op.end_grant = (uint32_t)number;
    return grant_call(cli, &op);
}

const struct command command_addon_end = {
    .name = "addon end",
    .args = "ACCOUNT GRANT [--dry-run]",
    .about = "ends an account's add-on now",
    .rows = end_rows,
    .n_rows = ARRAY_LEN(end_rows),
    .settings_bytes = sizeof(struct addon_settings),
    .args_min = 2,
    .args_max = 2,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = addon_end_run,
};
