/* review.c: `rota review` and `rota address`: what looks like abuse, and what people decide on it.
 */
#include "commands.h"
#include "page.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- review list ---- */

struct list_settings {
    struct common common;
    const char *state, *account;
};

static const struct option_row list_options[] = {
    OPTION_STR(struct list_settings, state, "state", "STATE", NULL,
               "flagged, held, confirmed, dismissed, blocked, released or replaced (without: those "
               "that nobody has decided; of one account all)"),
    OPTION_STR(struct list_settings, account, "account", "ID", NULL, "only this account's"),
};

static Rota__ReviewState state_of(const char *word)
{
    int state = word ? pb_word_value(&rota__review_state__descriptor, word) : 0;
    return (Rota__ReviewState)state;
}

static void list_fill(struct cli *cli, struct page_request *p, const char *cursor)
{
    const struct list_settings *s = cli->settings;
    rota__review_list__init(&p->review_list);
    p->review_list.state = state_of(s->state);
    p->review_list.account = (char *)(s->account ? s->account : "");
    p->review_list.cursor = (char *)cursor;
    p->review_list.limit = PAGE_ROWS;
    p->request.op_case = ROTA__REQUEST__OP_REVIEW_LIST;
    p->request.review_list = &p->review_list;
}

/* Which signs there are, without telling with whom. */
static char *signs_text(const Rota__Review *review)
{
    char word[PB_WORD_LEN + 1];
    char *signs = x_strdup("");
    for (size_t i = 0; i < review->n_evidence; i++) {
        char *longer =
            x_printf("%s%s%s", signs, i ? "+" : "",
                     pb_word(&rota__signal_kind__descriptor, (int)review->evidence[i]->kind, word));
        free(signs);
        signs = longer;
    }
    return signs;
}

static void review_row(struct table *t, const Rota__Review *review)
{
    char text[TEXT_SHORT_LEN + 1], word[PB_WORD_LEN + 1];
    char *signs = signs_text(review);
    table_cell(t, STYLE_HEAD, "%llu", (unsigned long long)review->review);
    table_cell(t, STYLE_PLAIN, "%s", *review->account ? review->account : "(erased)");
    table_cell(t, STYLE_PLAIN, "%u", review->score);
    table_cell(t, STYLE_PLAIN, "%s",
               pb_word(&rota__review_state__descriptor, (int)review->state, word));
    table_cell(t, STYLE_PLAIN, "%s", signs);
    table_cell(t, STYLE_PLAIN, "%s", review->reviewer);
    table_cell(t, STYLE_DIM, "%s", text_time(review->opened_ms, text));
    free(signs);
}

static const char *list_rows(struct table *t, const Rota__Reply *reply)
{
    for (size_t i = 0; t && i < reply->review_list->n_review; i++)
        review_row(t, reply->review_list->review[i]);
    return reply->review_list->next_cursor;
}

static int review_list_run(struct cli *cli)
{
    static const struct page_kind kind = {"REVIEW> ACCOUNT SCORE> STATE SIGNS REVIEWER OPENED",
                                          "reviews", list_fill, list_rows};
    const struct list_settings *s = cli->settings;
    if ((int)state_of(s->state) < 0)
        return cli_usage(cli, "--state %s: no such state of a review", s->state);
    return page_list(cli, &kind);
}

const struct command command_review_list = {
    .name = "review list",
    .args = "[--state STATE] [--account ID]",
    .about = "lists reviews of what looks like abuse, newest first",
    .rows = list_options,
    .n_rows = ARRAY_LEN(list_options),
    .settings_bytes = sizeof(struct list_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = review_list_run,
};

/* ---- one review ---- */

__attribute__((format(printf, 2, 3))) static void line(const char *name, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *text = NULL;
    if (vasprintf(&text, format, ap) < 0)
        x_must(NULL);
    va_end(ap);
    char *clean = text_clean(text);
    if (*clean)
        printf("  %-12s%s\n", name, clean);
    free(clean);
    free(text);
}

static void evidence_print(const Rota__Evidence *e)
{
    char word[PB_WORD_LEN + 1];
    line(pb_word(&rota__signal_kind__descriptor, (int)e->kind, word), "%3u  %s", e->points,
         e->text);
    for (size_t i = 0; i < e->n_account; i++)
        line("", "     %s", e->account[i]);
    if (e->others > e->n_account)
        line("", "     and %llu more", (unsigned long long)(e->others - e->n_account));
}

static void review_print(const Rota__Review *review)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1];
    printf("%sreview %llu%s  %s\n", term_on(STYLE_HEAD), (unsigned long long)review->review,
           term_off(STYLE_HEAD),
           pb_word(&rota__review_state__descriptor, (int)review->state, word));
    line("account", "%s", *review->account ? review->account : "(erased)");
    line("score", "%u", review->score);
    line("opened", "%s at the %s of %s", text_time(review->opened_ms, text),
         review->at_finish ? "finish" : "publish", *review->job ? review->job : "an erased job");
    if (review->cites)
        line("cites", "review %llu, which confirmed the pattern",
             (unsigned long long)review->cites);
    if (review->replaced_by)
        line("replaced by", "review %llu", (unsigned long long)review->replaced_by);
    if (review->prior)
        line("before it", "review %llu", (unsigned long long)review->prior);
    for (size_t i = 0; i < review->n_evidence; i++)
        evidence_print(review->evidence[i]);
    for (size_t i = 0; i < review->n_made; i++) {
        const Rota__ReviewDecision *made = review->made[i];
        line(pb_word(&rota__review_state__descriptor, (int)made->decision, word),
             "%s by %s (%s): %s", text_time(made->at_ms, text), made->reviewer, made->principal,
             made->reason);
    }
}

/* 0 with *ret_number, or the exit code. */
static int number_read(const struct cli *cli, uint64_t *ret_number)
{
    const char *text = cli->args[0];
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || !n)
        return cli_usage(cli, "%s: the number of a review is needed", text);
    *ret_number = n;
    return 0;
}

static int review_answer(struct cli *cli, const Rota__ReviewResult *result)
{
    if (!result->review)
        return cli_error(E_MALFORMED, "the broker's answer holds no review");
    if (cli->common->json)
        return cli_print_message(&result->review->base);
    review_print(result->review);
    return EXIT_OK;
}

static int review_show_run(struct cli *cli)
{
    Rota__ReviewGet op = ROTA__REVIEW_GET__INIT;
    int code = number_read(cli, &op.review);
    if (code)
        return code;
    CLI_REQUEST(request, REVIEW_GET, review_get, &op);
    AUTO_REPLY reply = NULL;
    code = cli_call(cli, &request, &reply);
    return code ? code : review_answer(cli, reply->review_get);
}

const struct command command_review_show = {
    .name = "review show",
    .args = "REVIEW",
    .about = "shows a review with its evidence",
    .details = "Evidence names other accounts: that you read it stands in the trail.",
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = review_show_run,
};

/* ---- decisions ---- */

struct decide_settings {
    struct common common;
    const char *reviewer, *reason;
};

static const struct option_row decide_options[] = {
    OPTION_STR(struct decide_settings, reviewer, "reviewer", "NAME", NULL,
               "who decides: a person's name (needed)"),
    OPTION_STR(struct decide_settings, reason, "reason", "TEXT", NULL, "why (needed)"),
};

static int decide(struct cli *cli, Rota__ReviewState decision)
{
    const struct decide_settings *s = cli->settings;
    Rota__ReviewDecide op = ROTA__REVIEW_DECIDE__INIT;
    int code = number_read(cli, &op.review);
    if (code)
        return code;
    op.decision = decision;
    op.reviewer = (char *)(s->reviewer ? s->reviewer : "");
    op.reason = (char *)(s->reason ? s->reason : "");
    CLI_REQUEST(request, REVIEW_DECIDE, review_decide, &op);
    AUTO_REPLY reply = NULL;
    code = cli_call(cli, &request, &reply);
    return code ? code : review_answer(cli, reply->review_decide);
}

static int review_confirm_run(struct cli *cli)
{
    return decide(cli, ROTA__REVIEW_STATE__REVIEW_CONFIRMED);
}

static int review_dismiss_run(struct cli *cli)
{
    return decide(cli, ROTA__REVIEW_STATE__REVIEW_DISMISSED);
}

static int review_release_run(struct cli *cli)
{
    return decide(cli, ROTA__REVIEW_STATE__REVIEW_RELEASED);
}

#define DECIDE_COMMAND(word, does, more)                                                           \
    const struct command command_review_##word = {                                                 \
        .name = "review " #word,                                                                   \
        .args = "REVIEW --reviewer NAME --reason TEXT",                                            \
        .about = (does),                                                                           \
        .details = (more),                                                                         \
        .rows = decide_options,                                                                    \
        .n_rows = ARRAY_LEN(decide_options),                                                       \
        .settings_bytes = sizeof(struct decide_settings),                                          \
        .args_min = 1,                                                                             \
        .args_max = 1,                                                                             \
        .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,                                           \
        .run = review_##word##_run,                                                                \
    }
DECIDE_COMMAND(confirm, "says that it is abuse: the account is blocked",
               "The bundle and the address that the evidence names become a pattern: an account "
               "that scores above 80 on it later is blocked at once, by a review that cites this "
               "one.");
DECIDE_COMMAND(dismiss, "says that it is none: the account goes on",
               "The same evidence is not raised again.");
DECIDE_COMMAND(release, "lets a held or blocked account go on",
               "Of a confirmed review also its pattern ends. The same evidence is not raised "
               "again.");

/* ---- addresses ---- */

struct address_settings {
    struct common common;
    const char *reason;
};

static const struct option_row address_options[] = {
    OPTION_STR(struct address_settings, reason, "reason", "TEXT", NULL,
               "why you read them; stands in the trail (needed)"),
};

static int address_list_run(struct cli *cli)
{
    const struct address_settings *s = cli->settings;
    Rota__AddressList op = ROTA__ADDRESS_LIST__INIT;
    op.account = cli->args[0];
    op.reason = (char *)(s->reason ? s->reason : "");
    CLI_REQUEST(request, ADDRESS_LIST, address_list, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->address_list->base);
    AUTO(table) t = table_new("ADDRESS FIRST LAST KEPT-UNTIL PURPOSE");
    for (size_t i = 0; i < reply->address_list->n_address; i++) {
        const Rota__Address *a = reply->address_list->address[i];
        char text[TEXT_SHORT_LEN + 1];
        table_cell(t, STYLE_HEAD, "%s", a->address);
        table_cell(t, STYLE_PLAIN, "%s", text_time(a->first_ms, text));
        table_cell(t, STYLE_PLAIN, "%s", text_time(a->last_ms, text));
        table_cell(t, STYLE_PLAIN, "%s", text_time(a->expires_ms, text));
        table_cell(t, STYLE_DIM, "%s", a->purpose);
    }
    table_print(t);
    return EXIT_OK;
}

const struct command command_address_list = {
    .name = "address list",
    .args = "ACCOUNT --reason TEXT",
    .about = "shows from where an account has published in the last 30 days",
    .details = "That you read them, and why, stands in the trail.",
    .rows = address_options,
    .n_rows = ARRAY_LEN(address_options),
    .settings_bytes = sizeof(struct address_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = address_list_run,
};
