/* template.c: publishes that an account keeps to be used again: `rota preset set|list|remove` and
 * `rota schedule set|list|remove`. */
#include "commands.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

struct template_settings {
    struct common common;
    const char *account, *app, *platform, *class, *source, *spec, *ref, *cron, *preset;
    uint64_t timeout_ms, priority, attempts;
    bool supersede, off;
};

#define TEMPLATE_ROWS                                                                              \
    OPTION_STR(struct template_settings, account, "account", "ID", NULL,                           \
               "whose (the key's own account; for an operator local)"),                            \
        OPTION_STR(struct template_settings, app, "app", "APP", NULL, "which app"),                \
        OPTION_STR(struct template_settings, platform, "platform", "PLATFORM", NULL,               \
                   "android or ios"),                                                              \
        OPTION_STR(struct template_settings, class, "class", "CLASS", NULL, "kind of job"),        \
        OPTION_STR(struct template_settings, source, "source", "SOURCE", NULL,                     \
                   "a source that lasts: git:URL@REF"),                                            \
        OPTION_STR(struct template_settings, spec, "spec", "JSON", NULL,                           \
                   "a JSON object for the runner"),                                                \
        OPTION_STR(struct template_settings, ref, "ref", "REF", NULL, "branch or tag"),            \
        OPTION_U64(struct template_settings, timeout_ms, "timeout-ms", "MS", 0, 0, 604800000,      \
                   "cut the job after so long (0: the tier's time)"),                              \
        OPTION_U64(struct template_settings, priority, "priority", "N", 0, 0, 9,                   \
                   "1 goes first, 9 last (0: 5)"),                                                 \
        OPTION_U64(struct template_settings, attempts, "attempts", "N", 0, 0, 10,                  \
                   "attempts after infrastructure faults (0: 3)"),                                 \
        OPTION_FLAG(struct template_settings, supersede, "supersede",                              \
                    "a newer job replaces the one before it; needs --ref")

static const struct option_row preset_rows[] = {TEMPLATE_ROWS};
static const struct option_row schedule_rows[] = {
    TEMPLATE_ROWS,
    OPTION_STR(struct template_settings, cron, "cron", "FIELDS", NULL,
               "when, in UTC: \"MINUTE HOUR DAY MONTH WEEKDAY\" or @hourly, @daily, @weekly, …"),
    OPTION_STR(struct template_settings, preset, "preset", "NAME", NULL,
               "take what is not said here from this preset"),
    OPTION_FLAG(struct template_settings, off, "off", "keep it, but publish nothing"),
};
static const struct option_row account_rows[] = {
    OPTION_STR(struct template_settings, account, "account", "ID", NULL,
               "whose (the key's own account; for an operator local)"),
};

static char *text_or_none(const char *text)
{
    return (char *)(text ? text : "");
}

static Rota__Publish template_of(const struct template_settings *s)
{
    Rota__Publish q = ROTA__PUBLISH__INIT;
    q.app = text_or_none(s->app);
    q.platform = text_or_none(s->platform);
    q.class_ = text_or_none(s->class);
    q.source = text_or_none(s->source);
    q.ref = text_or_none(s->ref);
    q.preset = text_or_none(s->preset);
    if (s->spec)
        q.spec = (ProtobufCBinaryData){strlen(s->spec), (uint8_t *)(uintptr_t)s->spec};
    q.timeout_ms = s->timeout_ms;
    q.priority = (uint32_t)s->priority;
    q.attempts_max = (uint32_t)s->attempts;
    q.supersede = s->supersede;
    return q;
}

/* ---- presets ---- */

static int preset_send(struct cli *cli, bool remove)
{
    const struct template_settings *s = cli->settings;
    Rota__Publish publish = template_of(s);
    Rota__Preset preset = ROTA__PRESET__INIT;
    Rota__PresetSet op = ROTA__PRESET_SET__INIT;
    preset.account = text_or_none(s->account);
    preset.name = cli->args[0];
    preset.publish = remove ? NULL : &publish;
    op.preset = &preset;
    op.remove = remove;
    CLI_REQUEST(request, PRESET_SET, preset_set, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->preset_set->preset->base);
    printf("%s %s\n", cli->args[0], remove ? "removed" : "set");
    return EXIT_OK;
}

static int preset_set_run(struct cli *cli)
{
    return preset_send(cli, false);
}

static int preset_remove_run(struct cli *cli)
{
    return preset_send(cli, true);
}

static void publish_cells(struct table *t, const Rota__Publish *q)
{
    table_cell(t, STYLE_PLAIN, "%s", q && *q->app ? q->app : "-");
    table_cell(t, STYLE_PLAIN, "%s", q && *q->platform ? q->platform : "-");
    table_cell(t, STYLE_PLAIN, "%s", q && *q->class_ ? q->class_ : "-");
    table_cell(t, STYLE_PLAIN, "%s", q && *q->source ? q->source : "-");
    table_cell(t, STYLE_PLAIN, "%s", q && *q->ref ? q->ref : "-");
}

static int preset_list_run(struct cli *cli)
{
    const struct template_settings *s = cli->settings;
    Rota__PresetList op = ROTA__PRESET_LIST__INIT;
    op.account = text_or_none(s->account);
    CLI_REQUEST(request, PRESET_LIST, preset_list, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->preset_list->base);
    AUTO(table) t = table_new("PRESET APP PLATFORM CLASS SOURCE REF");
    for (size_t i = 0; i < reply->preset_list->n_preset; i++) {
        table_cell(t, STYLE_HEAD, "%s", reply->preset_list->preset[i]->name);
        publish_cells(t, reply->preset_list->preset[i]->publish);
    }
    table_print(t);
    return EXIT_OK;
}

/* ---- schedules ---- */

static int schedule_send(struct cli *cli, bool remove)
{
    const struct template_settings *s = cli->settings;
    Rota__Publish publish = template_of(s);
    Rota__Schedule schedule = ROTA__SCHEDULE__INIT;
    Rota__ScheduleSet op = ROTA__SCHEDULE_SET__INIT;
    char text[TEXT_SHORT_LEN + 1];
    if (!remove && !s->cron)
        return cli_usage(cli, "--cron is not given");
    schedule.account = text_or_none(s->account);
    schedule.name = cli->args[0];
    schedule.cron = text_or_none(s->cron);
    schedule.publish = remove ? NULL : &publish;
    schedule.off = s->off;
    op.schedule = &schedule;
    op.remove = remove;
    CLI_REQUEST(request, SCHEDULE_SET, schedule_set, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->schedule_set->schedule->base);
    if (remove)
        printf("%s removed\n", cli->args[0]);
    else
        printf("%s set, next at %s\n", cli->args[0],
               text_time(reply->schedule_set->schedule->next_ms, text));
    return EXIT_OK;
}

static int schedule_set_run(struct cli *cli)
{
    return schedule_send(cli, false);
}

static int schedule_remove_run(struct cli *cli)
{
    return schedule_send(cli, true);
}

static int schedule_list_run(struct cli *cli)
{
    const struct template_settings *s = cli->settings;
    Rota__ScheduleList op = ROTA__SCHEDULE_LIST__INIT;
    char text[TEXT_SHORT_LEN + 1];
    op.account = text_or_none(s->account);
    CLI_REQUEST(request, SCHEDULE_LIST, schedule_list, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->schedule_list->base);
    AUTO(table) t = table_new("SCHEDULE CRON NEXT LAST APP PLATFORM CLASS SOURCE REF");
    for (size_t i = 0; i < reply->schedule_list->n_schedule; i++) {
        const Rota__Schedule *row = reply->schedule_list->schedule[i];
        bool failed = *row->last_error;
        table_cell(t, STYLE_HEAD, "%s", row->name);
        table_cell(t, STYLE_PLAIN, "%s", row->cron);
        table_cell(t, STYLE_PLAIN, "%s", row->off ? "off" : text_time(row->next_ms, text));
        table_cell(t, failed ? STYLE_BAD : STYLE_PLAIN, "%s",
                   failed           ? row->last_error
                   : *row->last_job ? row->last_job
                                    : "-");
        publish_cells(t, row->publish);
    }
    table_print(t);
    return EXIT_OK;
}

#define TEMPLATE_COMMAND(id, words, usage, what, options, most, body)                              \
    const struct command command_##id = {                                                          \
        .name = (words),                                                                           \
        .args = (usage),                                                                           \
        .about = (what),                                                                           \
        .rows = (options),                                                                         \
        .n_rows = ARRAY_LEN(options),                                                              \
        .settings_bytes = sizeof(struct template_settings),                                        \
        .args_min = (most),                                                                        \
        .args_max = (most),                                                                        \
        .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,                                           \
        .run = (body),                                                                             \
    }

TEMPLATE_COMMAND(preset_set, "preset set", "NAME [--app APP] [--platform P] [--spec JSON] ...",
                 "keeps publish settings under a name, for publish --preset", preset_rows, 1,
                 preset_set_run);
TEMPLATE_COMMAND(preset_list, "preset list", "[--account ID]", "lists presets", account_rows, 0,
                 preset_list_run);
TEMPLATE_COMMAND(preset_remove, "preset remove", "NAME [--account ID]", "removes a preset",
                 account_rows, 1, preset_remove_run);
TEMPLATE_COMMAND(schedule_set, "schedule set", "NAME --cron FIELDS --app APP [--preset NAME] ...",
                 "publishes a job again and again", schedule_rows, 1, schedule_set_run);
TEMPLATE_COMMAND(schedule_list, "schedule list", "[--account ID]", "lists schedules", account_rows,
                 0, schedule_list_run);
TEMPLATE_COMMAND(schedule_remove, "schedule remove", "NAME [--account ID]", "removes a schedule",
                 account_rows, 1, schedule_remove_run);
