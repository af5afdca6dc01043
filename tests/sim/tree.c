/* tree.c: see tree.h. Insertion goes down as far as the priorities allow and splits what is below;
 * deletion merges the two subtrees of what it takes out. Both own, that is copy when shared, each
 * node they pass. */
#include "sim/tree.h"

#include <assert.h>
#include <stdlib.h>

struct tree_node {
    unsigned refs;
    uint64_t priority;
    struct tree_row *row;
    struct tree_node *child[2]; /* by enum tree_way */
};

static void *must_alloc(size_t n)
{
    void *p = calloc(1, n);
    if (!p)
        abort();
    return p;
}

/* ---- rows and nodes ---- */

struct tree_row *tree_row_ref(struct tree_row *r)
{
    r->refs++;
    return r;
}

void tree_row_unref(struct tree_row *r)
{
    if (r && --r->refs == 0)
        free(r);
}

static struct tree_row *row_new(struct span key, size_t value_n)
{
    struct tree_row *r = must_alloc(sizeof *r + key.n + value_n);
    r->refs = 1;
    r->key_n = (uint32_t)key.n;
    r->value_n = (uint32_t)value_n;
    memcpy(r->bytes, key.p, key.n);
    return r;
}

static uint64_t row_bytes(const struct tree_row *r)
{
    return (uint64_t)r->key_n + r->value_n;
}

static uint64_t priority_of(struct span key)
{
    const uint8_t *p = key.p;
    uint64_t h = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ p[i]) * 0x100000001b3ull;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdull;
    return h ^ h >> 33;
}

static struct tree_node *node_ref(struct tree_node *n)
{
    if (n)
        n->refs++;
    return n;
}

static void node_unref(struct tree_node *n)
{
    if (!n || --n->refs)
        return;
    node_unref(n->child[TREE_BACK]);
    node_unref(n->child[TREE_ON]);
    tree_row_unref(n->row);
    free(n);
}

/* Makes the node that *at holds ours alone, so that it may be changed. */
static struct tree_node *node_own(struct tree_node **at)
{
    struct tree_node *n = *at;
    if (n->refs == 1)
        return n;
    struct tree_node *own = must_alloc(sizeof *own);
    *own = *n;
    own->refs = 1;
    tree_row_ref(own->row);
    node_ref(own->child[TREE_BACK]);
    node_ref(own->child[TREE_ON]);
    node_unref(n);
    *at = own;
    return own;
}

struct tree tree_copy(const struct tree *t)
{
    node_ref(t->root);
    return *t;
}

void tree_drop(struct tree *t)
{
    node_unref(t->root);
    *t = (struct tree){0};
}

int tree_compare(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* ---- changing ---- */

/* The way from `n` to the key. */
static enum tree_way way_to(const struct tree_node *n, struct span key)
{
    return tree_compare(key, tree_key(n->row)) > 0 ? TREE_ON : TREE_BACK;
}

/* Takes `n` apart into what is before the key and what is after; the key is not in it. */
static void node_split(struct tree_node *n, struct span key, struct tree_node *ret_side[2])
{
    struct tree_node **side[2] = {&ret_side[TREE_BACK], &ret_side[TREE_ON]};
    while (n) {
        struct tree_node *own = node_own(&n);
        enum tree_way way = way_to(own, key);
        *side[!way] = own;
        side[!way] = &own->child[way];
        n = own->child[way];
    }
    *side[TREE_BACK] = *side[TREE_ON] = NULL;
}

struct tree_row *tree_put(struct tree *t, struct span key, size_t value_n)
{
    struct tree_row *row = row_new(key, value_n);
    uint64_t priority = priority_of(key);
    struct tree_node **at = &t->root;
    t->bytes += row_bytes(row);
    while (*at && (*at)->priority >= priority) {
        struct tree_node *n = node_own(at);
        if (tree_compare(key, tree_key(n->row)) == 0) {
            t->bytes -= row_bytes(n->row);
            tree_row_unref(n->row);
            n->row = row;
            return row;
        }
        at = &n->child[way_to(n, key)];
    }
    struct tree_node *n = must_alloc(sizeof *n), *below = *at;
    *n = (struct tree_node){.refs = 1, .priority = priority, .row = row};
    node_split(below, key, n->child);
    *at = n;
    t->rows++;
    return row;
}

/* All keys of `back` are before those of `on`. */
static void node_merge(struct tree_node *back, struct tree_node *on, struct tree_node **at)
{
    while (back && on) {
        bool is_back = back->priority >= on->priority;
        struct tree_node *own = node_own(is_back ? &back : &on);
        *at = own;
        at = &own->child[is_back ? TREE_ON : TREE_BACK];
        if (is_back)
            back = *at;
        else
            on = *at;
    }
    *at = back ? back : on;
}

bool tree_del(struct tree *t, struct span key)
{
    if (!tree_find(t, key))
        return false;
    struct tree_node **at = &t->root, *n = NULL;
    for (int c = 1; c != 0;) {
        assert(*at); /* it was found */
        n = node_own(at);
        c = tree_compare(key, tree_key(n->row));
        if (c)
            at = &n->child[c > 0 ? TREE_ON : TREE_BACK];
    }
    t->rows--;
    t->bytes -= row_bytes(n->row);
    node_merge(n->child[TREE_BACK], n->child[TREE_ON], at);
    tree_row_unref(n->row);
    free(n);
    return true;
}

/* ---- finding ---- */

struct tree_row *tree_find(const struct tree *t, struct span key)
{
    const struct tree_node *n = t->root;
    while (n) {
        int c = tree_compare(key, tree_key(n->row));
        if (c == 0)
            return n->row;
        n = n->child[c > 0 ? TREE_ON : TREE_BACK];
    }
    return NULL;
}

static struct tree_row *place_row(const struct tree_place *p)
{
    return p->depth ? p->path[p->depth - 1]->row : NULL;
}

static void place_push(struct tree_place *p, const struct tree_node *n)
{
    assert(p->depth < TREE_DEPTH_MAX);
    p->path[p->depth++] = n;
}

/* Down from `n`, always this way. */
static void place_slide(struct tree_place *p, const struct tree_node *n, enum tree_way way)
{
    for (; n; n = n->child[way])
        place_push(p, n);
}

struct tree_row *tree_seek(const struct tree *t, struct span key, enum tree_way way,
                           struct tree_place *place)
{
    unsigned found = 0; /* depth at which the best row so far lies */
    place->depth = 0;
    for (const struct tree_node *n = t->root; n;) {
        place_push(place, n);
        bool is_before = tree_compare(tree_key(n->row), key) < 0;
        if (is_before == (way == TREE_BACK))
            found = place->depth;
        n = n->child[is_before ? TREE_ON : TREE_BACK];
    }
    place->depth = found;
    return place_row(place);
}

struct tree_row *tree_end(const struct tree *t, enum tree_way way, struct tree_place *place)
{
    place->depth = 0;
    place_slide(place, t->root, way);
    return place_row(place);
}

struct tree_row *tree_step(struct tree_place *place, enum tree_way way)
{
    assert(place->depth);
    const struct tree_node *n = place->path[place->depth - 1];
    if (n->child[way]) {
        place_push(place, n->child[way]);
        place_slide(place, n->child[way]->child[!way], (enum tree_way) !way);
        return place_row(place);
    }
    do
        n = place->path[--place->depth];
    while (place->depth && place->path[place->depth - 1]->child[way] == n);
    return place_row(place);
}
