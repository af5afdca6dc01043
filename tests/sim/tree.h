/* tree.h: rows in the order of their keys, and a copy of the whole for the price of a pointer.
 *
 * A treap whose nodes are shared between copies and counted: a change copies only the nodes between
 * the root and its place that somebody else still sees. So a write transaction works on a copy, an
 * abort drops it, a commit keeps it, and a snapshot is a copy that nobody changes. The priority of
 * a node is a hash of its key, so that the same rows always make the same tree. Keys compare as
 * bytes, a prefix before what it begins. Without memory the process aborts: this is for tests.
 * Single thread. */
#pragma once

#include <base/bytes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_row {
    unsigned refs;
    uint32_t key_n, value_n;
    uint8_t bytes[]; /* key, then value */
};

static inline struct span tree_key(const struct tree_row *r)
{
    return span_of(r->bytes, r->key_n);
}

static inline struct span tree_value(const struct tree_row *r)
{
    return span_of(r->bytes + r->key_n, r->value_n);
}

struct tree_row *tree_row_ref(struct tree_row *r);
void tree_row_unref(struct tree_row *r); /* NULL is fine */

struct tree_node;
struct tree {
    struct tree_node *root;
    uint64_t rows, bytes; /* of keys and values */
};

struct tree tree_copy(const struct tree *t);
void tree_drop(struct tree *t); /* leaves an empty one */

int tree_compare(struct span a, struct span b);

/* Puts a row of `value_n` zero bytes in place of what the key had, and hands it out to be filled.
 */
struct tree_row *tree_put(struct tree *t, struct span key, size_t value_n);
bool tree_del(struct tree *t, struct span key); /* false: no such row */

/* A place in a tree that does not change meanwhile. Each move answers the row there, or NULL: then
 * the place is none and only a search finds another. */
enum { TREE_DEPTH_MAX = 200 };
struct tree_place {
    const struct tree_node *path[TREE_DEPTH_MAX];
    unsigned depth; /* 0: none */
};
enum tree_way { TREE_BACK, TREE_ON };

struct tree_row *tree_find(const struct tree *t, struct span key);
/* ON: the first row at or after `key`; BACK: the last before it. */
struct tree_row *tree_seek(const struct tree *t, struct span key, enum tree_way way,
                           struct tree_place *place);
/* ON: the last row of all; BACK: the first. */
struct tree_row *tree_end(const struct tree *t, enum tree_way way, struct tree_place *place);
struct tree_row *tree_step(struct tree_place *place, enum tree_way way);
