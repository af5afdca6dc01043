/* member.c: `rota member set`, `rota member list` and `rota member remove`: the people of an
 * account. */
#include "commands.h"
#include "page.h"
#include "pbjson.h"
#include "table.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

struct member_settings {
    struct common common;
    const char *account, *role;
};

#define ACCOUNT_ROW                                                                                \
    OPTION_STR(struct member_settings, account, "account", "ID", NULL,                             \
               "whose member (the key's own account; for an operator local)")

static const struct option_row set_rows[] = {
    ACCOUNT_ROW,
    OPTION_STR(struct member_settings, role, "role", "ROLE", "member", "owner, admin or member"),
};

static const struct option_row plain_rows[] = {ACCOUNT_ROW};

#define MEMBER_COLUMNS "EMAIL ROLE ACCOUNT SINCE"

static void member_row(struct table *t, const Rota__Member *m)
{
    char word[PB_WORD_LEN + 1], text[TEXT_SHORT_LEN + 1];
    table_cell(t, STYLE_HEAD, "%s", m->email);
    table_cell(t, STYLE_PLAIN, "%s", pb_word(&rota__member_role__descriptor, (int)m->role, word));
    table_cell(t, STYLE_PLAIN, "%s", m->account);
    table_cell(t, STYLE_DIM, "%s", text_time(m->created_ms, text));
}

static int member_show(struct cli *cli, const Rota__MemberResult *result, const char *done)
{
    if (!result->member)
        return cli_error(E_MALFORMED, "the broker's answer holds no member");
    if (cli->common->json)
        return cli_print_message(&result->member->base);
    if (done) {
        printf("%s %s\n", result->member->email, done);
        return EXIT_OK;
    }
    AUTO(table) t = table_new(MEMBER_COLUMNS);
    member_row(t, result->member);
    table_print(t);
    return EXIT_OK;
}

static int member_set_run(struct cli *cli)
{
    const struct member_settings *s = cli->settings;
    Rota__MemberSet op = ROTA__MEMBER_SET__INIT;
    int role = pb_word_value(&rota__member_role__descriptor, s->role);
    if (role < 0)
        return cli_usage(cli, "--role %s: owner, admin or member", s->role);
    op.account = (char *)(s->account ? s->account : "");
    op.email = cli->args[0];
    op.role = (Rota__MemberRole)role;
    CLI_REQUEST(request, MEMBER_SET, member_set, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    return code ? code : member_show(cli, reply->member_set, NULL);
}

const struct command command_member_set = {
    .name = "member set",
    .args = "EMAIL [--role owner|admin|member] [--account ID]",
    .about = "makes somebody a member of an account, or changes the role",
    .details = "With a lesser role the member's keys lose what it may not do, at once.",
    .rows = set_rows,
    .n_rows = ARRAY_LEN(set_rows),
    .settings_bytes = sizeof(struct member_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = member_set_run,
};

static int member_remove_run(struct cli *cli)
{
    const struct member_settings *s = cli->settings;
    Rota__MemberRemove op = ROTA__MEMBER_REMOVE__INIT;
    op.account = (char *)(s->account ? s->account : "");
    op.email = cli->args[0];
    CLI_REQUEST(request, MEMBER_REMOVE, member_remove, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    return code ? code : member_show(cli, reply->member_remove, "is no member any more");
}

const struct command command_member_remove = {
    .name = "member remove",
    .args = "EMAIL [--account ID]",
    .about = "ends a membership and revokes the member's keys",
    .rows = plain_rows,
    .n_rows = ARRAY_LEN(plain_rows),
    .settings_bytes = sizeof(struct member_settings),
    .args_min = 1,
    .args_max = 1,
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = member_remove_run,
};

static void member_list_fill(struct cli *cli, struct page_request *p, const char *cursor)
{
    const struct member_settings *s = cli->settings;
    rota__member_list__init(&p->member_list);
    p->member_list.account = (char *)(s->account ? s->account : "");
    p->member_list.cursor = (char *)cursor;
    p->member_list.limit = PAGE_ROWS;
    p->request.op_case = ROTA__REQUEST__OP_MEMBER_LIST;
    p->request.member_list = &p->member_list;
}

static const char *member_list_rows(struct table *t, const Rota__Reply *reply)
{
    for (size_t i = 0; t && i < reply->member_list->n_member; i++)
        member_row(t, reply->member_list->member[i]);
    return reply->member_list->next_cursor;
}

static int member_list_run(struct cli *cli)
{
    static const struct page_kind kind = {MEMBER_COLUMNS, "members", member_list_fill,
                                          member_list_rows};
    return page_list(cli, &kind);
}

const struct command command_member_list = {
    .name = "member list",
    .args = "[--account ID]",
    .about = "lists the members of an account",
    .rows = plain_rows,
    .n_rows = ARRAY_LEN(plain_rows),
    .settings_bytes = sizeof(struct member_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = member_list_run,
};
