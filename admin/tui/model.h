/* model.h: everything that the screen shows. Filled by the feed and the keys, read by the view.
 * Main thread.
 *
 * `stats` and `next` are the broker's own messages; they belong to whoever filled the model and
 * stay the last picture while the broker is away. */
#pragma once

#include "rota.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

enum link { LINK_CONNECTING, LINK_LIVE, LINK_AWAY, LINK_REFUSED };
enum page { PAGE_MAIN, PAGE_HELP };
enum form_field { FIELD_SLOTS, FIELD_FOR, FIELD_COUNT };
enum { FORM_TEXT_LEN = 8, NOTE_LEN = 160, POOL_NAME_LEN = 64 };

struct form {
    bool is_open;
    enum form_field field;
    char text[FIELD_COUNT][FORM_TEXT_LEN + 1];
    char fault[NOTE_LEN + 1]; /* why it was not taken */
};

struct model {
    const char *url;
    enum link link;
    char link_name[48], link_text[NOTE_LEN + 1]; /* LINK_REFUSED: the error's name and text */
    const Rota__StatsResult *stats;              /* NULL: none yet */
    const Rota__NextResult *next;                /* of the chosen pool; NULL: none yet */
    uint64_t as_of_ms, now_ms;                   /* wall times: of the picture, and now */
    char pool[POOL_NAME_LEN + 1];                /* chosen, by name: others come and go */
    unsigned scroll;                             /* lines of the workers that are scrolled away */
    enum page page;
    struct form form;
    char note[NOTE_LEN + 1]; /* what came of the last deed; "" none */
    bool note_is_bad;
};

/* The chosen pool; when it is not there the first; NULL: there is none. */
const Rota__PoolStats *model_pool(const struct model *m);
/* Its place in the list. */
unsigned model_pool_index(const struct model *m);
void model_pool_choose(struct model *m, unsigned index);
/* The one with the most jobs: what a screen that just opened shows. */
void model_pool_choose_busiest(struct model *m);
/* Its name; "bundle" as long as there is none. */
const char *model_pool_name(const struct model *m);
