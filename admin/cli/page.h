/* page.h: lists that come in pages and are shown as one: accounts, apps, keys. Main thread. */
#pragma once

#include "cli.h"
#include "table.h"

#include <stdbool.h>

enum { PAGE_ROWS = 100 };

/* A request and the operation inside it. */
struct page_request {
    Rota__Request request;
    union {
        Rota__AccountList account_list;
        Rota__AppList app_list;
        Rota__KeyList key_list;
        Rota__PauseList pause_list;
        Rota__MemberList member_list;
        Rota__ReviewList review_list;
    };
};

struct page_kind {
    const char *columns; /* of the table */
    const char *plural;  /* of the JSON array, as the mapper spells it */
    void (*fill)(struct cli *cli, struct page_request *p, const char *cursor);
    /* Adds the page's rows (no table: adds none) and gives the cursor of the next page, or "". */
    const char *(*rows)(struct table *t, const Rota__Reply *reply);
};

MUST_USE int page_list(struct cli *cli, const struct page_kind *kind);

/* A message as JSON with one flag more, left out when false. */
json_t *page_object(const ProtobufCMessage *message, const char *flag, bool value);
