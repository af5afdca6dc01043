/* test_store_differential.c: the simulated store beside the one on LMDB, the same random operations
 * on both at once: every outcome, every key and every value must be the same. What the simulator
 * shows of the engine is worth as much as this likeness.
 *
 * Keys are short and made of few bytes, so that they meet, and that one often begins another.
 * argv: seeds, operations a seed. */
#undef NDEBUG
#include "sim/store_api.h"

#include "../unit/folder.h"
#include "prop/random.h"
#include "sim/store_sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDES = 2, TABLES = 3, KEY_MAX = 12, VALUE_MAX = 6000, CURSORS = 2 };

static const struct store_api *const apis[SIDES] = {&api_lmdb, &api_sim};
static const enum table tables[TABLES] = {TABLE_READY, TABLE_STATE, TABLE_EVENT};

/* Cursors of one transaction, the same on both sides. */
struct places {
    struct cursor *c[CURSORS][SIDES];
    unsigned table[CURSORS];
    bool is_off[CURSORS];  /* since it found a row last, rows were deleted or a search found none */
    bool is_lost[CURSORS]; /* it must search: see note_write() */
};

struct pair {
    uint64_t seed;
    unsigned op;
    struct random random;
    char dir[64];
    struct store *store[SIDES];
    struct txn *writer[SIDES], *snapshot[SIDES];
    struct places of_writer, of_snapshot;
    uint64_t collected[SIDES]; /* a sum over what the collectors saw */
    bool is_big;               /* this seed has values that fill pages of their own */
};

static struct {
    uint64_t puts, appends, reserves, dels, gets, counts, moves, found, commits, aborts, snapshots,
        reopenings, rows;
} seen;

static unsigned below(struct pair *p, unsigned n)
{
    return random_below(&p->random, n);
}

static void differ(const struct pair *p, const char *what, int a, int b)
{
    printf("seed %llu, operation %u: %s: LMDB says %d, the simulated store %d\n",
           (unsigned long long)p->seed, p->op, what, a, b);
    exit(1);
}

static int same(const struct pair *p, const char *what, const int r[SIDES])
{
    if (r[0] != r[1])
        differ(p, what, r[0], r[1]);
    return r[0];
}

static void same_span(const struct pair *p, const char *what, const struct span s[SIDES])
{
    if (s[0].n != s[1].n || (s[0].n && memcmp(s[0].p, s[1].p, s[0].n) != 0))
        differ(p, what, (int)s[0].n, (int)s[1].n);
}

/* ---- stores and transactions ---- */

static void collector(void *arg, enum table t, struct span key, struct span value)
{
    uint64_t *sum = arg;
    const uint8_t *k = key.p, *v = value.p;
    *sum = *sum * 31 + t + key.n + (v ? value.n + 1 : 0);
    for (size_t i = 0; i < key.n; i++)
        *sum = *sum * 31 + k[i];
    for (size_t i = 0; v && i < value.n; i++)
        *sum = *sum * 31 + v[i];
}

static void stores_open(struct pair *p)
{
    struct store_config config = {.dir = p->dir, .map_bytes = 64 << 20, .create = true};
    int r[SIDES];
    for (unsigned i = 0; i < SIDES; i++)
        r[i] = apis[i]->open(&config, &p->store[i]);
    if (same(p, "open", r) != 0)
        differ(p, "open", r[0], r[1]);
    for (unsigned i = 0; i < SIDES; i++)
        apis[i]->collect(p->store[i], collector, &p->collected[i]);
}

static void writer_begin(struct pair *p)
{
    int r[SIDES];
    for (unsigned i = 0; i < SIDES; i++)
        r[i] = apis[i]->begin(p->store[i], &p->writer[i]);
    assert(same(p, "begin", r) == 0);
}

static void places_close(struct places *at)
{
    for (unsigned n = 0; n < CURSORS; n++)
        for (unsigned i = 0; i < SIDES; i++)
            at->c[n][i] = apis[i]->close(at->c[n][i]);
}

static void snapshot_close(struct pair *p)
{
    places_close(&p->of_snapshot);
    for (unsigned i = 0; i < SIDES; i++)
        p->snapshot[i] = apis[i]->abort(p->snapshot[i]);
}

static void table_same(struct pair *p, unsigned t)
{
    struct cursor *c[SIDES];
    struct span key[SIDES], value[SIDES];
    int r[SIDES];
    for (unsigned i = 0; i < SIDES; i++)
        assert(apis[i]->cursor(p->writer[i], tables[t], &c[i]) == 0);
    do {
        for (unsigned i = 0; i < SIDES; i++)
            r[i] = apis[i]->next(c[i], &key[i], &value[i]);
        if (same(p, "walk", r) != 0)
            break;
        same_span(p, "key in walk", key);
        same_span(p, "value in walk", value);
        seen.rows++;
    } while (true);
    for (unsigned i = 0; i < SIDES; i++)
        apis[i]->close(c[i]);
}

/* Commit or abort, then the tables are compared whole in the next transaction. */
static void writer_end(struct pair *p, bool is_commit)
{
    int r[SIDES] = {0};
    places_close(&p->of_writer);
    for (unsigned i = 0; i < SIDES; i++) {
        if (is_commit)
            r[i] = apis[i]->commit(&p->writer[i]);
        else
            p->writer[i] = apis[i]->abort(p->writer[i]);
    }
    assert(same(p, "commit", r) == 0);
    if (p->collected[0] != p->collected[1])
        differ(p, "collector", 0, 1);
}

static void do_end(struct pair *p)
{
    bool is_commit = below(p, 3) > 0;
    seen.commits += is_commit;
    seen.aborts += !is_commit;
    writer_end(p, is_commit);
    if (!p->snapshot[0] && below(p, 10) == 0) {
        for (unsigned i = 0; i < SIDES; i++)
            p->store[i] = apis[i]->free(p->store[i]);
        stores_open(p);
        seen.reopenings++;
    }
    writer_begin(p);
    for (unsigned t = 0; t < TABLES; t++)
        table_same(p, t);
}

static void do_snapshot(struct pair *p)
{
    if (p->snapshot[0]) {
        snapshot_close(p);
        return;
    }
    int r[SIDES];
    for (unsigned i = 0; i < SIDES; i++)
        r[i] = apis[i]->snapshot(p->store[i], &p->snapshot[i]);
    assert(same(p, "snapshot", r) == 0);
    seen.snapshots++;
}

/* ---- reads and writes ---- */

struct key {
    uint8_t b[KEY_MAX];
    size_t n;
};

static struct span key_make(struct pair *p, struct key *k)
{
    static const uint8_t alphabet[] = {0x00, 0x01, 0x61, 0xff};
    k->n = 1 + below(p, below(p, 4) ? 4 : KEY_MAX);
    for (size_t i = 0; i < k->n; i++)
        k->b[i] = alphabet[below(p, sizeof alphabet)];
    return span_of(k->b, k->n);
}

static struct span value_make(struct pair *p)
{
    static uint8_t value[VALUE_MAX];
    size_t n = below(p, p->is_big && below(p, 10) == 0 ? VALUE_MAX : 60);
    memset(value, (int)below(p, 0xdb), n); /* 0xdb would look like what was lent */
    return span_of(value, n);
}

/* A delete under a cursor leaves it between two rows, a search that finds nothing behind the last:
 * the next move finds the one after, the previous the one before. store.h says no more: when that
 * move finds none, or a row is put into the table, LMDB's cursor may pass a row by (one that has
 * seen the end of a page stays there when the page is split). So such a cursor must search again.
 */
static void note_write(struct pair *p, unsigned t, bool is_delete)
{
    struct places *at = &p->of_writer;
    for (unsigned n = 0; n < CURSORS; n++) {
        if (at->table[n] != t)
            continue;
        at->is_off[n] |= is_delete;
        at->is_lost[n] |= !is_delete;
    }
}

static int write_both(struct pair *p, const char *what, unsigned t, struct span key,
                      struct span value)
{
    bool is_append = what[0] == 'a';
    int r[SIDES];
    for (unsigned i = 0; i < SIDES; i++)
        r[i] = (is_append ? apis[i]->append : apis[i]->put)(p->writer[i], tables[t], key, value);
    if (same(p, what, r) == 0)
        note_write(p, t, false);
    return r[0];
}

static void do_put(struct pair *p)
{
    struct key k;
    struct span key = key_make(p, &k);
    assert(write_both(p, "put", below(p, TABLES), key, value_make(p)) == 0);
    seen.puts++;
}

static void do_append(struct pair *p)
{
    struct key k;
    struct span key = key_make(p, &k);
    if (below(p, 2))
        k.b[0] = 0xff;
    int r = write_both(p, "append", below(p, TABLES), key, value_make(p));
    assert(r == 0 || r == STORE_EXISTS);
    seen.appends += r == 0;
}

static void do_reserve(struct pair *p)
{
    struct key k;
    struct span key = key_make(p, &k), value = value_make(p);
    unsigned t = below(p, TABLES);
    bool is_append = below(p, 4) == 0;
    int r[SIDES];
    for (unsigned i = 0; i < SIDES; i++) {
        void *to = NULL;
        r[i] = apis[i]->reserve(p->writer[i], tables[t], key, value.n, is_append, &to);
        if (r[i] == 0 && value.n)
            memcpy(to, value.p, value.n);
    }
    if (same(p, "reserve", r) == 0)
        note_write(p, t, false);
    seen.reserves += r[0] == 0;
}

static void del_both(struct pair *p, unsigned t, struct span key)
{
    int r[SIDES];
    for (unsigned i = 0; i < SIDES; i++)
        r[i] = apis[i]->del(p->writer[i], tables[t], key);
    if (same(p, "del", r) == 0)
        note_write(p, t, true);
    seen.dels += r[0] == 0;
}

static void do_del(struct pair *p)
{
    struct key k;
    struct span key = key_make(p, &k);
    del_both(p, below(p, TABLES), key);
}

static struct txn **any_txn(struct pair *p, struct places **ret_places)
{
    bool is_snapshot = p->snapshot[0] && below(p, 3) == 0;
    *ret_places = is_snapshot ? &p->of_snapshot : &p->of_writer;
    return is_snapshot ? p->snapshot : p->writer;
}

static void do_get(struct pair *p)
{
    struct key k;
    struct places *places;
    struct txn **txn = any_txn(p, &places);
    struct span key = key_make(p, &k), value[SIDES];
    unsigned t = below(p, TABLES);
    int r[SIDES];
    uint64_t n[SIDES];
    for (unsigned i = 0; i < SIDES; i++)
        r[i] = apis[i]->get(txn[i], tables[t], key, &value[i]);
    if (same(p, "get", r) == 0)
        same_span(p, "value of get", value);
    seen.gets++;
    if (below(p, 8))
        return;
    for (unsigned i = 0; i < SIDES; i++)
        assert(apis[i]->count(txn[i], tables[t], &n[i]) == 0);
    if (n[0] != n[1])
        differ(p, "count", (int)n[0], (int)n[1]);
    seen.counts++;
}

/* ---- cursors ---- */

static void cursor_renew(struct pair *p, struct txn **txn, struct places *at, unsigned n)
{
    at->table[n] = below(p, TABLES);
    at->is_off[n] = at->is_lost[n] = false;
    for (unsigned i = 0; i < SIDES; i++) {
        apis[i]->close(at->c[n][i]);
        assert(apis[i]->cursor(txn[i], tables[at->table[n]], &at->c[n][i]) == 0);
    }
}

enum { MOVE_SEEK, MOVE_BEFORE, MOVE_LAST, MOVE_NEXT, MOVE_PREV, MOVES };

static int move(const struct store_api *api, struct cursor *c, unsigned kind, struct span to,
                struct span *ret_key, struct span *ret_value)
{
    switch (kind) {
    case MOVE_SEEK:
        return api->seek(c, to, ret_key, ret_value);
    case MOVE_BEFORE:
        return api->before(c, to, ret_key, ret_value);
    case MOVE_LAST:
        return api->last(c, ret_key, ret_value);
    case MOVE_NEXT:
        return api->next(c, ret_key, ret_value);
    default:
        return api->prev(c, ret_key, ret_value);
    }
}

static void do_move(struct pair *p)
{
    static const char *const names[MOVES] = {"seek", "before", "last", "next", "prev"};
    struct key k;
    struct places *at;
    struct txn **txn = any_txn(p, &at);
    unsigned n = below(p, CURSORS), kind = below(p, MOVES);
    struct span to = key_make(p, &k), key[SIDES], value[SIDES];
    int r[SIDES];
    if (!at->c[n][0] || below(p, 20) == 0)
        cursor_renew(p, txn, at, n);
    if (at->is_lost[n] && kind >= MOVE_NEXT)
        kind = below(p, MOVE_NEXT);
    if (kind == MOVE_SEEK && below(p, 8) == 0)
        to.n = 0; /* from the beginning */
    for (unsigned i = 0; i < SIDES; i++)
        r[i] = move(apis[i], at->c[n][i], kind, to, &key[i], &value[i]);
    seen.moves++;
    if (same(p, names[kind], r) != 0) {
        at->is_lost[n] |= at->is_off[n];
        at->is_off[n] = true;
        return;
    }
    same_span(p, "key of move", key);
    same_span(p, "value of move", value);
    at->is_off[n] = at->is_lost[n] = false;
    seen.found++;
    if (at != &p->of_writer || below(p, 6) || key[0].n > KEY_MAX)
        return;
    memcpy(k.b, key[0].p, key[0].n); /* now and then what was found is deleted */
    del_both(p, at->table[n], span_of(k.b, key[0].n));
}

/* ---- a seed ---- */

static const struct {
    void (*run)(struct pair *p);
    unsigned weight;
} deeds[] = {{do_put, 200}, {do_append, 60}, {do_reserve, 60}, {do_del, 120},
             {do_get, 120}, {do_move, 400},  {do_end, 12},     {do_snapshot, 12}};

static void operate(struct pair *p)
{
    unsigned sum = 0, at;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        sum += deeds[i].weight;
    at = below(p, sum);
    size_t i = 0;
    while (at >= deeds[i].weight)
        at -= deeds[i++].weight;
    deeds[i].run(p);
}

static void live(uint64_t seed, unsigned operations)
{
    struct pair p = {.seed = seed, .random = {seed}, .is_big = seed % 4 == 0};
    snprintf(p.dir, sizeof p.dir, "/tmp/rota-differential-XXXXXX");
    assert(mkdtemp(p.dir));
    stores_open(&p);
    writer_begin(&p);
    for (p.op = 1; p.op <= operations; p.op++)
        operate(&p);
    writer_end(&p, true);
    snapshot_close(&p);
    for (unsigned i = 0; i < SIDES; i++)
        apis[i]->free(p.store[i]);
    store_sim_forget(p.dir);
    folder_remove(p.dir);
}

int main(int argc, char **argv)
{
    unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200;
    unsigned operations = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2000;
    for (unsigned seed = 1; seed <= seeds; seed++)
        live(seed, operations);
    printf("%u seeds of %u operations, equal on both stores: %llu puts, %llu appends, %llu "
           "reserved, %llu deletes, %llu gets, %llu counts, %llu moves of cursors (%llu found a "
           "row)\n",
           seeds, operations, (unsigned long long)seen.puts, (unsigned long long)seen.appends,
           (unsigned long long)seen.reserves, (unsigned long long)seen.dels,
           (unsigned long long)seen.gets, (unsigned long long)seen.counts,
           (unsigned long long)seen.moves, (unsigned long long)seen.found);
    printf("%llu commits, %llu aborts, %llu snapshots, %llu reopenings; %llu rows compared in "
           "whole tables\n",
           (unsigned long long)seen.commits, (unsigned long long)seen.aborts,
           (unsigned long long)seen.snapshots, (unsigned long long)seen.reopenings,
           (unsigned long long)seen.rows);
    assert(seen.appends && seen.found && seen.commits && seen.aborts && seen.reopenings);
    return 0;
}
