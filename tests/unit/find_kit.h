/* find_kit.h: many jobs in every state, what is known of each, and the reading side of an engine
 * under test. */
#pragma once

#include "engine_acts.h"
#include "engine_calls.h"

#include "engine/query.h"

/* One request of the read lane on a snapshot of its own. */
struct kit_read {
    struct query q;
    Rota__Reply reply;
    struct arena *arena;
    struct txn *txn;
};
/* `who` NULL: the operator. The answer lives until kit_read_end(). */
enum error_code kit_read(struct engine_kit *k, const Rota__Request *request,
                         const struct principal *who, struct kit_read *ret_read);
void kit_read_end(struct kit_read *r);
/* Who shows an account's own key. */
struct principal kit_key_of(struct engine_kit *k, const char *account);

/* A job as `status` shows it, as far as a filter can ask for it. */
struct seen {
    char job[CALL_JOB_BYTES], account[40], app[16], platform[16], class[16], pool[16], error[40],
        reason[64], ref[16];
    Rota__State state;
    Rota__Tier tier;
    uint64_t published_ms, finished_ms;
};

/* Jobs of four accounts in every state there is, made by the requests that make them in life. */
struct world {
    struct engine_kit *k;
    uint64_t random;
    size_t n;
    bool is_alone;    /* no job waits for another */
    struct seen *all; /* as of the last world_look(); oldest first */
};
void world_make(struct world *w, struct engine_kit *k, size_t n, uint64_t seed, bool is_alone);
/* So many more, of the accounts as they are. */
void world_more(struct world *w, size_t n);
void world_look(struct world *w);
void world_free(struct world *w);
unsigned world_pick(struct world *w, unsigned n); /* below n */

/* Does the job fit, by what `status` shows? Written without regard to the broker's own. */
bool oracle_fits(const Rota__Where *where, const struct seen *s);

/* One page. The error's name, or "". */
const char *find_page(struct engine_kit *k, Rota__Where *where, uint32_t limit, const char *cursor,
                      const struct principal *who, struct kit_read *ret_read);

/* All pages of a find, one after the other. */
struct answer {
    char (*jobs)[CALL_JOB_BYTES];
    size_t n, pages;
    uint64_t seen;
};
void answer_free(struct answer *a);
/* `between` runs after each page; may be NULL. */
struct answer find_all(struct world *w, Rota__Where *where, uint32_t limit,
                       void (*between)(struct world *w));
/* What it must be, in that order; `ret` has room for all jobs of the world. */
size_t oracle(const struct world *w, const Rota__Where *where, const struct seen **ret);

/* So many thousand jobs of account local. */
void kit_fill(struct engine_kit *k, size_t thousands);
