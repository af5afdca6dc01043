/* publish.c: `rota publish`: source into the store, then one durable, idempotent publish; with
 * --wait until the job is over.
 *
 * Standard output carries the job's id (or JSON) alone, so that scripts can take it; progress and
 * counts go to standard error. */
#include "commands.h"
#include "follow.h"
#include "job.h"
#include "moment.h"
#include "pbjson.h"
#include "source.h"
#include "text.h"

#include <base/clock.h>
#include <stdio.h>
#include <string.h>

struct publish_settings {
    struct common common;
    const char *app, *platform, *source, *class, *account, *spec, *idempotency_key, *ref, *run_at,
        *delay, *preset;
    struct option_list after;
    uint64_t timeout_ms, priority, attempts;
    bool wait, supersede, hold;
};

static const struct option_row rows[] = {
    OPTION_STR(struct publish_settings, app, "app", "APP", NULL, "which app"),
    OPTION_STR(struct publish_settings, platform, "platform", "PLATFORM", NULL, "android or ios"),
    OPTION_STR(
        struct publish_settings, source, "source", "SOURCE", NULL,
        "dir:PATH (packed here), upload:FILE (a tar.gz or tar.zst) or git:https://HOST/PATH@REF "
        "(fetched by the worker; REF is a branch, a tag or a commit in full)"),
    OPTION_STR(struct publish_settings, class, "class", "CLASS", NULL,
               "kind of job: bundle (without), task, or a worker's own"),
    OPTION_STR(struct publish_settings, account, "account", "ID", NULL,
               "for this account (the key's own; for an operator local)"),
    OPTION_STR(struct publish_settings, spec, "spec", "JSON", NULL, "a JSON object for the runner"),
    OPTION_U64(struct publish_settings, timeout_ms, "timeout-ms", "MS", 0, 0, 604800000,
               "cut the job after so long; may only shorten the tier's time (0: the tier's)"),
    OPTION_U64(struct publish_settings, priority, "priority", "N", 0, 1, 9,
               "1 goes first, 9 last, among the account's own jobs (5 without)"),
    OPTION_STR(struct publish_settings, ref, "ref", "REF", NULL, "branch or tag it is built from"),
    OPTION_FLAG(struct publish_settings, supersede, "supersede",
                "replaces the waiting or running job of the same app, platform and --ref"),
    OPTION_STR(struct publish_settings, run_at, "run-at", "TIME", NULL,
               "not before this time: 2026-11-20T09:12Z, or a date"),
    OPTION_STR(struct publish_settings, delay, "delay", "TIME", NULL,
               "not before so long from now: 90s, 5m, 2h, 3d"),
    OPTION_LIST(struct publish_settings, after, "after", "JOB",
                "only when this job of the account has succeeded; may be repeated"),
    OPTION_STR(struct publish_settings, preset, "preset", "NAME", NULL,
               "what is not said here comes from this preset of the account"),
    OPTION_U64(struct publish_settings, attempts, "attempts", "N", 0, 1, 10,
               "attempts in all, should the infrastructure fail it (3 without)"),
    OPTION_FLAG(struct publish_settings, hold, "hold",
                "starts held: `rota release JOB` lets it go"),
    OPTION_STR(struct publish_settings, idempotency_key, "idempotency-key", "KEY", NULL,
               "the same key and job again give the first job's id"),
    OPTION_FLAG(struct publish_settings, wait, "wait",
                "stay until the job is over; --timeout then bounds the whole wait"),
};

static int spec_check(const char *spec)
{
    json_error_t error;
    json_t *object = json_loads(spec, JSON_REJECT_DUPLICATES, &error);
    bool is_object = json_is_object(object);
    json_decref(object);
    if (is_object)
        return 0;
    return cli_error(E_SPEC_INVALID, "--spec is no JSON object: %s",
                     *error.text ? error.text : "it is another kind of value");
}

/* What can be refused without asking the broker. */
static int settings_check(const struct cli *cli)
{
    const struct publish_settings *s = cli->settings;
    bool is_bundle = !s->class || !*s->class || !strcmp(s->class, "bundle");
    if (s->spec && spec_check(s->spec) != 0)
        return EXIT_USAGE;
    if (s->preset && *s->preset)
        return 0; /* the broker knows what the preset says */
    if (!s->app || !*s->app)
        return cli_error(E_FIELD_MISSING, "--app is not given");
    if (is_bundle && (!s->platform || !*s->platform))
        return cli_error(E_FIELD_MISSING, "--platform is not given: android or ios");
    if (is_bundle && (!s->source || !*s->source))
        return cli_error(E_SOURCE_NEEDED,
                         "--source is not given: dir:PATH, upload:FILE or git:URL@REF");
    return 0;
}

/* When it may begin. 0, or the exit code. */
static int times_fill(const struct cli *cli, Rota__Publish *op)
{
    const struct publish_settings *s = cli->settings;
    uint64_t now_ms = clock_wall_ms();
    struct moment at = {0};
    if (s->run_at && (moment_read(s->run_at, now_ms, &at) != 0 || at.unix_ms < now_ms))
        return cli_error(E_RUN_AT_INVALID, "--run-at %s is no time to come", s->run_at);
    op->run_at_ms = at.unix_ms;
    if (s->delay && text_duration_parse(s->delay, &op->delay_ms) != 0)
        return cli_usage(cli, "--delay %s is no time", s->delay);
    return 0;
}

static char *text_or_empty(const char *text)
{
    return (char *)(text ? text : "");
}

static void op_fill(const struct publish_settings *s, Rota__Publish *op)
{
    op->account = text_or_empty(s->account);
    op->app = text_or_empty(s->app);
    op->platform = text_or_empty(s->platform);
    op->class_ = text_or_empty(s->class);
    op->priority = (uint32_t)s->priority;
    op->timeout_ms = s->timeout_ms;
    op->idempotency_key = text_or_empty(s->idempotency_key);
    op->ref = text_or_empty(s->ref);
    op->supersede = s->supersede;
    op->preset = text_or_empty(s->preset);
    op->attempts_max = (uint32_t)s->attempts;
    op->hold = s->hold;
    op->after = (char **)(uintptr_t)s->after.item;
    op->n_after = s->after.n;
    if (s->spec)
        op->spec = (ProtobufCBinaryData){strlen(s->spec), (uint8_t *)s->spec};
}

static int publish_once(struct cli *cli, Rota__Reply **ret_reply)
{
    const struct publish_settings *s = cli->settings;
    struct source_sent sent = {0};
    char key[27];
    Rota__Publish op = ROTA__PUBLISH__INIT;
    op_fill(s, &op);
    int code = times_fill(cli, &op);
    if (code)
        return code;
    if (s->source && *s->source) {
        code = source_upload(cli, s->source, s->account, &sent);
        if (code)
            return code;
        source_fill(&sent, &op);
    }
    if (!*op.idempotency_key) {
        rota_idempotency_key(key);
        op.idempotency_key = key;
    }
    CLI_REQUEST(request, PUBLISH, publish, &op);
    code = cli_call(cli, &request, ret_reply);
    source_forget(&sent);
    return code;
}

static int show_progress(void *arg, const Rota__Job *job)
{
    (void)arg;
    AUTO_FREE char *line = job_line(job);
    term_live(stderr, line);
    return 0;
}

static int publish_wait(struct cli *cli, const char *job, uint64_t deadline_boot_ms)
{
    AUTO_REPLY reply = NULL;
    struct follow f = {.job = job, .deadline_boot_ms = deadline_boot_ms, .changed = show_progress};
    int code = follow_job(cli, &f, &reply);
    term_live_end(stderr);
    if (code)
        return code;
    const Rota__Job *last = reply->watch->job;
    if (cli->common->json)
        cli_print_line(pb_json(&last->base));
    return job_end(last);
}

/* What is worth saying beside the id. */
static void result_say(const Rota__PublishResult *result)
{
    char word[PB_WORD_LEN + 1];
    if (result->replayed)
        fprintf(stderr, "the idempotency key is known: this is the earlier job\n");
    if (*result->superseded)
        fprintf(stderr, "replaces %s\n", result->superseded);
    if (result->state == ROTA__STATE__DELAYED || result->state == ROTA__STATE__HELD)
        fprintf(stderr, "%s\n", pb_word(&rota__state__descriptor, (int)result->state, word));
}

static int publish_run(struct cli *cli)
{
    const struct publish_settings *s = cli->settings;
    uint64_t deadline_boot_ms = cli->timeout_ms ? clock_boot_ms() + cli->timeout_ms : 0;
    AUTO_REPLY reply = NULL;
    term_guard(NULL);
    int code = settings_check(cli);
    if (!code)
        code = publish_once(cli, &reply);
    if (code)
        return code;
    const Rota__PublishResult *result = reply->publish;
    if (!cli->common->json)
        puts(result->job);
    else if (!s->wait)
        return cli_print_message(&result->base);
    fflush(stdout);
    result_say(result);
    return s->wait ? publish_wait(cli, result->job, deadline_boot_ms) : EXIT_OK;
}

const struct command command_publish = {
    .name = "publish",
    .args = "--app APP --platform PLATFORM --source SOURCE [--wait]",
    .about = "publishes a job and prints its id",
    .details = "dir: packs a folder without .git, node_modules, .env*, ios/Pods and build "
               "outputs, follows no "
               "links, and prints how much it packed; of an .npmrc the lines travel that builds "
               "take (registries, ${NAME} for tokens), unless a secret stands in it. A .yarnrc.yml "
               "with a secret in it is refused (NPMRC_SECRET), or left out "
               "where no yarn.lock lies beside it. With --wait "
               "the exit code is 0 when the job "
               "succeeded, 1 for any "
               "other end and 124 when --timeout ran out first; with --wait --json the job is "
               "printed once, at its end.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct publish_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = publish_run,
};
