/* pages.c: a page may come short, even empty, with a cursor: it is asked for until there is none.
 * Cursors outlive a restart of the broker, and so does this. */
#include "pages.h"

#include "follow.h"
#include "text.h"

#include <base/clock.h>
#include <stdlib.h>

enum { PAGE_MAX = 100, AWAY_MS_MAX = 60000, RETRY_MS = 500 };

int where_take(const struct where_options *o, struct where *ret_where)
{
    char fault[WHERE_FAULT_LEN + 1];
    if (where_read(o, clock_wall_ms(), ret_where, fault) == 0)
        return 0;
    where_deinit(ret_where);
    return cli_error(E_WHERE_INVALID, "%s", fault);
}

static void page_take(struct find_pages *p, const Rota__FindResult *page)
{
    for (size_t i = 0; i < page->n_job; i++)
        p->job(p->arg, page->job[i]);
    if (p->left != UINT64_MAX)
        p->left -= page->n_job < p->left ? page->n_job : p->left;
    p->seen += page->seen;
    free(p->cursor);
    p->cursor = *page->next_cursor ? x_strdup(page->next_cursor) : NULL;
    if (p->page)
        p->page(p->arg);
}

/* 0: it was taken, or is to be asked for again. */
static int page_read(struct cli *cli, struct find_pages *p, uint64_t *away_since_ms,
                     bool *ret_taken)
{
    Rota__Find op = ROTA__FIND__INIT;
    op.where = (Rota__Where *)(uintptr_t)p->where;
    op.limit = p->left < PAGE_MAX ? (uint32_t)p->left : PAGE_MAX;
    op.cursor = p->cursor ? p->cursor : (char *)"";
    CLI_REQUEST(request, FIND, find, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_try(cli, &request, 0, &reply);
    if (code)
        return code;
    *ret_taken = !reply->error;
    if (!reply->error) {
        *away_since_ms = 0;
        page_take(p, reply->find);
        return 0;
    }
    if (!*away_since_ms)
        *away_since_ms = clock_boot_ms();
    bool goes_on = p->cursor && follow_is_passing(reply->error) &&
                   clock_boot_ms() - *away_since_ms < AWAY_MS_MAX;
    if (!goes_on)
        return cli_refused(reply->error);
    follow_pause(RETRY_MS);
    return 0;
}

int find_pages(struct cli *cli, struct find_pages *p)
{
    uint64_t away_since_ms = 0;
    for (;;) {
        bool is_taken = false;
        int code = page_read(cli, p, &away_since_ms, &is_taken);
        if (code || (is_taken && (!p->left || !p->cursor)))
            return code;
    }
}
