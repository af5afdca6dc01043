/* trail.c: `rota trail`: what operators did, oldest first. */
#include "commands.h"
#include "table.h"
#include "text.h"

#include <stdio.h>

struct trail_settings {
    struct common common;
    uint64_t from, limit;
};

static const struct option_row rows[] = {
    OPTION_U64(struct trail_settings, from, "from", "SEQ", 0, 0, UINT64_MAX,
               "from this entry on (0: the newest)"),
    OPTION_U64(struct trail_settings, limit, "limit", "N", 100, 1, 1000, "so many entries"),
};

static void trail_print(const Rota__TrailListResult *trail)
{
    char text[TEXT_SHORT_LEN + 1];
    AUTO(table) t = table_new("SEQ> AT KEY ACCOUNT ACT ON DETAIL");
    for (size_t i = 0; i < trail->n_entry; i++) {
        const Rota__TrailEntry *entry = trail->entry[i];
        table_cell(t, STYLE_PLAIN, "%llu", (unsigned long long)entry->seq);
        table_cell(t, STYLE_DIM, "%s", text_time(entry->at_ms, text));
        table_cell(t, STYLE_PLAIN, "%s", entry->key_prefix);
        table_cell(t, STYLE_PLAIN, "%s", entry->account);
        table_cell(t, STYLE_HEAD, "%s", entry->op);
        table_cell(t, STYLE_PLAIN, "%s", entry->target);
        table_cell(t, STYLE_PLAIN, "%s", entry->detail);
    }
    table_print(t);
}

static int trail_run(struct cli *cli)
{
    const struct trail_settings *s = cli->settings;
    Rota__TrailList op = ROTA__TRAIL_LIST__INIT;
    op.from = s->from;
    op.limit = (uint32_t)s->limit;
    CLI_REQUEST(request, TRAIL_LIST, trail_list, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code)
        return code;
    if (cli->common->json)
        return cli_print_message(&reply->trail_list->base);
    trail_print(reply->trail_list);
    return EXIT_OK;
}

const struct command command_trail = {
    .name = "trail",
    .args = "[--from SEQ] [--limit N]",
    .about = "shows what operators did: who, when, to what",
    .details = "KEY is the first characters of the key that was used. Entries are kept for 400 "
               "days. In JSON, next is the --from of the following call.",
    .rows = rows,
    .n_rows = ARRAY_LEN(rows),
    .settings_bytes = sizeof(struct trail_settings),
    .needs = NEEDS_BROKER | NEEDS_KEY | PRINTS_JSON,
    .run = trail_run,
};
