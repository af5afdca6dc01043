/* page.c: all pages are read before anything is printed, because columns need every row. The JSON
 * of a page is the whole result message; its array is what the pages have in common. */
#include "page.h"

#include "pbjson.h"
#include "text.h"

#include <assert.h>

/* The result message inside a reply, whichever it is. */
static const ProtobufCMessage *result_of(const Rota__Reply *reply)
{
    return (const ProtobufCMessage *)(const void *)
        reply->account_list; /* all results share the union */
}

json_t *page_object(const ProtobufCMessage *message, const char *flag, bool value)
{
    json_t *object = pb_json(message);
    if (value)
        json_object_set_new(object, flag, json_true());
    return object;
}

static void page_take(json_t *all, const char *plural, const Rota__Reply *reply)
{
    json_t *page = pb_json(result_of(reply));
    json_array_extend(all, json_object_get(page, plural));
    json_decref(page);
}

/* 0 with *cursor at the next page (NULL: there is none), or the exit code. */
static int page_read(struct cli *cli, const struct page_kind *kind, struct table *t, json_t *all,
                     char **cursor)
{
    struct page_request p = {.request = ROTA__REQUEST__INIT};
    AUTO_REPLY reply = NULL;
    kind->fill(cli, &p, *cursor ? *cursor : "");
    int code = cli_call(cli, &p.request, &reply);
    if (code)
        return code;
    const char *next = kind->rows(t, reply);
    page_take(all, kind->plural, reply);
    char *copy = *next ? x_strdup(next) : NULL;
    free(*cursor);
    *cursor = copy;
    return 0;
}

int page_list(struct cli *cli, const struct page_kind *kind)
{
    AUTO(table) t = cli->common->json ? NULL : table_new(kind->columns);
    json_t *all = x_must(json_array());
    char *cursor = NULL;
    int code;
    do
        code = page_read(cli, kind, t, all, &cursor);
    while (!code && cursor);
    free(cursor);
    if (!code && t)
        table_print(t);
    else if (!code)
        code = cli_print(json_pack("{s:O}", kind->plural, all));
    json_decref(all);
    return code;
}
