/* preview.h: the next dispatches of a pool, for `rota next` and `rota what-if`. Main thread. */
#pragma once

#include "cli.h"

enum { PREVIEW_MAX = 100 };

/* N of the command's first argument, 1 to PREVIEW_MAX; 0 without one. 0 or the exit code, said. */
MUST_USE int preview_count(const struct cli *cli, uint32_t *ret_count);

/* The pool that the user means: `pool`, or when that is NULL the one that has ready jobs if it is
 * alone in that, else bundle. 0 or the exit code, said; the caller frees *ret_pool. */
MUST_USE int preview_pool(struct cli *cli, const char *pool, char **ret_pool);

MUST_USE int preview_ask(struct cli *cli, Rota__Next *op, Rota__Reply **ret_reply);

/* "in 3m 02s", "now", "-" when nothing can be said. */
enum { PREVIEW_START_LEN = 40 };
const char *preview_start(const Rota__NextJob *job, char text[PREVIEW_START_LEN + 1]);
