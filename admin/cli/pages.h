/* pages.h: the jobs of a filter, page after page, newest first. Main thread. */
#pragma once

#include "cli.h"
#include "where.h"

/* Reads the options of a filter. 0, or the exit code, said on stderr. */
MUST_USE int where_take(const struct where_options *o, struct where *ret_where);

struct find_pages {
    const Rota__Where *where;
    uint64_t left; /* jobs still wanted; UINT64_MAX: all */
    char *cursor;  /* of the next page; NULL: there is none. The caller frees it */
    uint64_t seen; /* rows that the broker looked at */
    void (*job)(void *arg, const Rota__Job *job);
    void (*page)(void *arg); /* after each page; may be NULL */
    void *arg;
};

/* All pages. 0, or the exit code. A broker that is away for a while is waited for. */
MUST_USE int find_pages(struct cli *cli, struct find_pages *p);
