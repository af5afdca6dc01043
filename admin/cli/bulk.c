/* bulk.c: `rota bulk ...`: one act on all jobs of a filter, done by the broker.
 *
 * Without --yes a dry run is made first and its count is shown with the question. Following an act
 * is only looking on: it goes on when this command ends. */
#include "commands.h"
#include "follow.h"
#include "pages.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <base/clock.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 200, AWAY_MS_MAX = 300000, LIST_MAX = 100 };

struct bulk_settings {
    struct common common;
    struct where_options where;
    const char *note, *to_pool;
    uint64_t to_priority;
    bool dry_run, yes, detach;
};

#define BULK_ROWS                                                                                  \
    WHERE_ROWS(struct bulk_settings, where),                                                       \
        OPTION_FLAG(struct bulk_settings, dry_run, "dry-run", "count only, change nothing"),       \
        OPTION_FLAG(struct bulk_settings, yes, "yes", "do it without asking"),                     \
        OPTION_FLAG(struct bulk_settings, detach, "detach",                                        \
                    "print the act's number at once and do not look on")
#define NOTE_ROW                                                                                   \
    OPTION_STR(struct bulk_settings, note, "note", "TEXT", NULL, "why, for the jobs' records")

static const struct option_row plain_rows[] = {BULK_ROWS};
static const struct option_row note_rows[] = {BULK_ROWS, NOTE_ROW};
static const struct option_row move_rows[] = {
    BULK_ROWS,
    OPTION_STR(struct bulk_settings, to_pool, "to-pool", "POOL", NULL, "move them to this pool"),
    OPTION_U64(struct bulk_settings, to_priority, "to-priority", "N", 0, 1, 9,
               "give them this priority: 1 goes first, 9 last"),
};

struct bulk_list_settings {
    struct common common;
    uint64_t limit;
};

static const struct option_row list_rows[] = {
    OPTION_U64(struct bulk_list_settings, limit, "limit", "N", 20, 1, LIST_MAX, "at most so many"),
};

/* ---- words ---- */

static const char *verb_word(const Rota__Bulk *b, char word[PB_WORD_LEN + 1])
{
    return pb_word(&rota__bulk_verb__descriptor, (int)b->verb, word);
}

static const char *state_word(const Rota__Bulk *b)
{
    return !b->ended_ms ? "running" : b->stopped ? "stopped" : "ended";
}

/* "12,345 looked at, 1,234 matched, 1,200 done, 34 refused (JOB_ENDED)" */
static char *counts_text(const Rota__Bulk *b)
{
    char seen[TEXT_SHORT_LEN + 1], matched[TEXT_SHORT_LEN + 1], done[TEXT_SHORT_LEN + 1],
        refused[TEXT_SHORT_LEN + 1];
    return x_printf("%s looked at, %s matched, %s %s, %s refused%s%s%s", text_count(b->seen, seen),
                    text_count(b->matched, matched), text_count(b->done, done),
                    b->dry_run ? "would be done" : "done", text_count(b->refused, refused),
                    *b->last_error ? " (" : "", b->last_error, *b->last_error ? ")" : "");
}

static void line_print(const Rota__Bulk *b, FILE *to)
{
    char word[PB_WORD_LEN + 1];
    AUTO_FREE char *counts = counts_text(b);
    fprintf(to, "bulk %llu, %s%s, %s: %s\n", (unsigned long long)b->bulk,
            b->dry_run ? "dry run of " : "", verb_word(b, word), state_word(b), counts);
}

static void live(const Rota__Bulk *b)
{
    AUTO_FREE char *counts = counts_text(b);
    AUTO_FREE char *line = x_printf("bulk %llu: %s", (unsigned long long)b->bulk, counts);
    term_live(stderr, line);
}

/* ---- looking on ---- */

static int no_bulk(void)
{
    return cli_error(E_MALFORMED, "the broker's answer holds no bulk act");
}

/* One look. 0: *ret_reply holds an error, or *ret_bulk is the act in it. */
static int look(struct cli *cli, uint64_t number, Rota__Reply **ret_reply,
                const Rota__Bulk **ret_bulk)
{
    Rota__BulkList op = ROTA__BULK_LIST__INIT;
    op.bulk = number;
    *ret_bulk = NULL;
    CLI_REQUEST(request, BULK_LIST, bulk_list, &op);
    int code = cli_try(cli, &request, 0, ret_reply);
    if (code || (*ret_reply)->error)
        return code;
    const Rota__BulkListResult *list = (*ret_reply)->bulk_list;
    *ret_bulk = list->n_bulk == 1 ? list->bulk[0] : NULL;
    return *ret_bulk ? 0 : no_bulk();
}

/* The broker did not answer: 0 to look again, or the exit code. */
static int away(const Rota__Error *error, uint64_t *since_ms)
{
    if (!*since_ms)
        *since_ms = clock_boot_ms();
    if (!follow_is_passing(error) || clock_boot_ms() - *since_ms > AWAY_MS_MAX)
        return cli_refused(error);
    return 0;
}

/* Until it has ended; *ret_reply holds *ret_bulk, its last state. A broker that restarts is waited
 * for. */
static int look_on(struct cli *cli, uint64_t number, Rota__Reply **ret_reply,
                   const Rota__Bulk **ret_bulk)
{
    uint64_t away_since_ms = 0;
    for (;; follow_pause(LOOK_MS)) {
        AUTO_REPLY reply = NULL;
        const Rota__Bulk *b = NULL;
        int code = look(cli, number, &reply, &b);
        if (!code && !b)
            code = away(reply->error, &away_since_ms);
        if (code)
            return code;
        if (!b)
            continue;
        away_since_ms = 0;
        live(b);
        if (b->ended_ms) {
            term_live_end(stderr);
            *ret_bulk = b;
            *ret_reply = TAKE(reply);
            return 0;
        }
    }
}

/* ---- starting ---- */

static int start(struct cli *cli, Rota__BulkVerb verb, const Rota__Where *where, bool dry_run,
                 uint64_t *ret_bulk)
{
    const struct bulk_settings *s = cli->settings;
    Rota__BulkStart op = ROTA__BULK_START__INIT;
    op.verb = verb;
    op.where = (Rota__Where *)(uintptr_t)where;
    op.dry_run = dry_run;
    op.reason = (char *)(uintptr_t)(s->note ? s->note : "");
    op.pool = (char *)(uintptr_t)(s->to_pool ? s->to_pool : "");
    op.priority = (uint32_t)s->to_priority;
    CLI_REQUEST(request, BULK_START, bulk_start, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__Bulk *b = reply->bulk_start->bulk;
    if (!b)
        return no_bulk();
    *ret_bulk = b->bulk;
    return 0;
}

/* y or Y alone means yes. */
static bool is_yes(void)
{
    char line[16];
    return fgets(line, sizeof line, stdin) && (*line == 'y' || *line == 'Y');
}

/* Shows what it would be and asks. 0: go on. */
static int ask(struct cli *cli, Rota__BulkVerb verb, const Rota__Where *where)
{
    char word[PB_WORD_LEN + 1], done[TEXT_SHORT_LEN + 1], refused[TEXT_SHORT_LEN + 1];
    uint64_t number = 0;
    const Rota__Bulk *b = NULL;
    AUTO_REPLY reply = NULL;
    if (!isatty(0) || !isatty(2))
        return cli_usage(cli,
                         "this would act on many jobs: pass --yes, or --dry-run to count them");
    int code = start(cli, verb, where, true, &number);
    if (!code)
        code = look_on(cli, number, &reply, &b);
    if (code || !b)
        return code;
    fprintf(stderr, "%s %s jobs (%s more match and would be refused)? [y/N] ", verb_word(b, word),
            text_count(b->done, done), text_count(b->refused, refused));
    fflush(stderr);
    if (is_yes())
        return 0;
    fprintf(stderr, "nothing was done\n");
    return EXIT_JOB_FAILED;
}

static int finish(struct cli *cli, uint64_t number)
{
    const struct bulk_settings *s = cli->settings;
    const Rota__Bulk *b = NULL;
    AUTO_REPLY reply = NULL;
    if (s->detach && cli->common->json)
        return cli_print(json_pack("{s:I}", "bulk", (json_int_t)number));
    if (s->detach)
        return printf("%llu\n", (unsigned long long)number), EXIT_OK;
    if (term_is_live(2))
        fprintf(stderr, "bulk %llu runs, also without this command: rota bulk stop %llu ends it\n",
                (unsigned long long)number, (unsigned long long)number);
    int code = look_on(cli, number, &reply, &b);
    if (code || !b)
        return code;
    if (cli->common->json)
        code = cli_print_message(&b->base);
    else
        line_print(b, stdout);
    return !code && b->stopped ? EXIT_JOB_FAILED : code;
}

static int bulk_run(struct cli *cli, Rota__BulkVerb verb)
{
    const struct bulk_settings *s = cli->settings;
    struct where where;
    uint64_t number = 0;
    term_guard(NULL);
    int code = where_take(&s->where, &where);
    if (code)
        return code;
    if (!s->dry_run && !s->yes)
        code = ask(cli, verb, &where.where);
    if (!code)
        code = start(cli, verb, &where.where, s->dry_run, &number);
    where_deinit(&where);
    return code ? code : finish(cli, number);
}

static int bulk_cancel_run(struct cli *cli)
{
    return bulk_run(cli, ROTA__BULK_VERB__BULK_CANCEL);
}

static int bulk_retry_run(struct cli *cli)
{
    return bulk_run(cli, ROTA__BULK_VERB__BULK_RETRY);
}

static int bulk_move_run(struct cli *cli)
{
    return bulk_run(cli, ROTA__BULK_VERB__BULK_MOVE);
}

static int bulk_hold_run(struct cli *cli)
{
    return bulk_run(cli, ROTA__BULK_VERB__BULK_HOLD);
}

static int bulk_release_run(struct cli *cli)
{
    return bulk_run(cli, ROTA__BULK_VERB__BULK_RELEASE);
}

/* ---- those that there are ---- */

static void bulk_row(struct table *t, const Rota__Bulk *b)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1];
    AUTO_FREE char *where = b->where ? where_text(b->where) : x_strdup("");
    table_cell(t, STYLE_HEAD, "%llu", (unsigned long long)b->bulk);
    table_cell(t, STYLE_PLAIN, "%s%s", verb_word(b, word), b->dry_run ? " (dry run)" : "");
    table_cell(t, b->ended_ms ? STYLE_PLAIN : STYLE_WARN, "%s", state_word(b));
    table_cell(t, STYLE_PLAIN, "%s", text_count(b->seen, text));
    table_cell(t, STYLE_PLAIN, "%s", text_count(b->matched, text));
    table_cell(t, STYLE_PLAIN, "%s", text_count(b->done, text));
    table_cell(t, b->refused ? STYLE_WARN : STYLE_PLAIN, "%s", text_count(b->refused, text));
    table_cell(t, STYLE_PLAIN, "%s", b->by);
    table_cell(t, STYLE_DIM, "%s", text_time(b->started_ms, text));
    table_cell(t, STYLE_PLAIN, "%s", where);
}

static int bulk_list_run(struct cli *cli)
{
    const struct bulk_list_settings *s = cli->settings;
    Rota__BulkList op = ROTA__BULK_LIST__INIT;
    op.limit = (uint32_t)s->limit;
    CLI_REQUEST(request, BULK_LIST, bulk_list, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->bulk_list->base);
    AUTO(table) t = table_new("BULK ACT STATE LOOKED-AT> MATCHED> DONE> REFUSED> BY STARTED WHERE");
    for (size_t i = 0; i < reply->bulk_list->n_bulk; i++)
        bulk_row(t, reply->bulk_list->bulk[i]);
    table_print(t);
    return EXIT_OK;
}

static int number_read(const struct cli *cli, uint64_t *ret_number)
{
    const char *text = cli->args[0];
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || *text == '+' || !n)
        return cli_usage(cli, "%s is no number of a bulk act", text);
    *ret_number = n;
    return 0;
}

static int bulk_say(const struct cli *cli, const Rota__Bulk *b)
{
    if (cli->common->json)
        return cli_print_message(&b->base);
    AUTO_FREE char *where = b->where ? where_text(b->where) : x_strdup("");
    AUTO_FREE char *clean = text_clean(where);
    line_print(b, stdout);
    printf("  where %s\n", clean);
    return EXIT_OK;
}

static int bulk_show_run(struct cli *cli)
{
    uint64_t number = 0;
    const Rota__Bulk *b = NULL;
    AUTO_REPLY reply = NULL;
    int code = number_read(cli, &number);
    if (!code)
        code = look(cli, number, &reply, &b);
    if (code)
        return code;
    return b ? bulk_say(cli, b) : cli_refused(reply->error);
}

static int bulk_stop_run(struct cli *cli)
{
    Rota__BulkStop op = ROTA__BULK_STOP__INIT;
    AUTO_REPLY reply = NULL;
    int code = number_read(cli, &op.bulk);
    if (code)
        return code;
    CLI_REQUEST(request, BULK_STOP, bulk_stop, &op);
    code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    const Rota__Bulk *b = reply->bulk_stop->bulk;
    return b ? bulk_say(cli, b) : no_bulk();
}

/* ---- the commands ---- */

#define BULK_ARGS "FILTER OPTION... [--dry-run] [--yes] [--detach]"
#define BULK_COMMAND(word, about_, rows_, more_args, details_)                                     \
    const struct command command_bulk_##word = {                                                   \
        .name = "bulk " #word,                                                                     \
        .args = BULK_ARGS more_args,                                                               \
        .about = about_,                                                                           \
        .details = details_,                                                                       \
        .rows = rows_,                                                                             \
        .n_rows = ARRAY_LEN(rows_),                                                                \
        .settings_bytes = sizeof(struct bulk_settings),                                            \
        .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,                                           \
        .run = bulk_##word##_run,                                                                  \
    }

BULK_COMMAND(cancel, "cancels all jobs of a filter", note_rows, " [--note TEXT]",
             "The broker acts on the jobs that fit when it comes to them, oldest first, a slice at "
             "a time; never on jobs that are published after it began, and on none twice. It goes "
             "on when this command or the broker ends. Jobs that cannot be acted on are counted as "
             "refused. Asks before it begins, with the count of a dry run; without a terminal it "
             "needs --yes. The exit code is 0 when it came to its end.");
BULK_COMMAND(retry, "runs ended jobs of a filter again", plain_rows, "", NULL);
BULK_COMMAND(move, "gives waiting jobs of a filter another pool or priority", move_rows,
             " [--to-pool POOL] [--to-priority N]", NULL);
BULK_COMMAND(hold, "keeps waiting jobs of a filter back", note_rows, " [--note TEXT]", NULL);
BULK_COMMAND(release, "lets held jobs of a filter go", plain_rows, "", NULL);

const struct command command_bulk_list = {
    .name = "bulk list",
    .args = "[--limit N]",
    .about = "lists bulk acts, newest first: those that run and the last 200 that ended",
    .rows = list_rows,
    .n_rows = ARRAY_LEN(list_rows),
    .settings_bytes = sizeof(struct bulk_list_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = bulk_list_run,
};

const struct command command_bulk_show = {
    .name = "bulk show",
    .args = "NUMBER",
    .about = "shows how far a bulk act has come",
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = bulk_show_run,
};

const struct command command_bulk_stop = {
    .name = "bulk stop",
    .args = "NUMBER",
    .about = "ends a bulk act where it stands; what it did stays done",
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = bulk_stop_run,
};
