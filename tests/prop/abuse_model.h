/* abuse_model.h: fifty accounts as a list of what they have shown, and the signs that follow from
 * it by their definitions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CLASSES = 5, /* only accounts of one class can share anything: no link has more than 9 others */
    ACCOUNTS = 50,
    ADDRESSES = 4,
    NAMES = 3,
    HASHES = 3,
    CHOICES_MAX = 8,
};

/* One thing that an account showed. */
struct shown {
    unsigned account, value; /* value 0: of nobody else */
    uint64_t at_ms, published_ms;
};
struct list {
    struct shown *all;
    size_t n;
};

struct model {
    uint64_t created_ms[ACCOUNTS], published_ms[ACCOUNTS]; /* published: last */
    bool has_app[ACCOUNTS][NAMES + 1];
    struct list addresses, bundles;
};
void model_init(struct model *m);
void model_deinit(struct model *m);
void model_show(struct list *list, unsigned account, unsigned value, uint64_t at_ms,
                uint64_t published_ms);

/* Who showed the same. */
struct group {
    bool in[ACCOUNTS];
    uint64_t published_ms[ACCOUNTS]; /* of the newest job it was seen with */
    unsigned n;
};
/* After `from_ms`, without the account `but`. */
struct group model_group(const struct list *list, unsigned class, unsigned value, uint64_t from_ms,
                         unsigned but);
struct group model_family(const struct model *m, unsigned account, unsigned name);
/* Others with its earlier bundles, of those that four or more left. How many groups. */
unsigned model_earlier_bundles(const struct model *m, unsigned account, uint64_t now_ms,
                               struct group *ret_groups);

/* Of several bundles or addresses that would do, any may be taken as the sign: all sets that can
 * be, each as it must be found, and as it may be. */
struct choices {
    unsigned set[CHOICES_MAX * CHOICES_MAX], may[CHOICES_MAX * CHOICES_MAX], n;
};
struct choices model_judge(const struct model *m, unsigned account, uint64_t published_ms,
                           const struct group *bundles, unsigned bundles_n,
                           const struct group *addresses, unsigned addresses_n,
                           const struct group *names);
unsigned model_score(unsigned set);

/* How many pairs of account and value the history has after that. */
uint64_t model_pairs(const struct list *list, unsigned values, uint64_t from_ms);
