/* store_sim.c: disks, opening and closing, commits and their faults, room.
 *
 * A disk holds the committed tables; a transaction works on copies of them (tree.h), so an abort
 * and a crash are the same thing: the copies are dropped. */
#include "sim/store_sim_impl.h"

#include "store/codec.h"
#include "store/rows.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { FORMAT_NOW = 2, ROW_OVERHEAD_BYTES = 16 };
static const uint64_t map_bytes_default = 1ull << 40;

static struct disk *disks;

static const char *const names[] = {
#define TABLE(NAME, name, key) [TABLE_##NAME] = #name,
#include "store/tables.def"
#undef TABLE
};

const char *table_name(enum table t)
{
    assert(t < TABLE_COUNT);
    return names[t];
}

/* ---- faults ---- */

enum commit_end { END_NOT_MADE, END_MADE };

static const struct fault_row {
    const char *name;
    int code; /* of the call that it fails */
    enum commit_end end;
    bool kills; /* the store says -EIO from then on */
} faults[] = {
    [STORE_SIM_NO_ROOM] = {"no_room", STORE_FULL, 0, false},
    [STORE_SIM_WRITE_FULL] = {"write_full", STORE_FULL, 0, false},
    [STORE_SIM_WRITE_EIO] = {"write_eio", -EIO, 0, false},
    [STORE_SIM_COMMIT_FULL] = {"commit_full", STORE_FULL, END_NOT_MADE, false},
    [STORE_SIM_COMMIT_MADE] = {"commit_eio_made", -EIO, END_MADE, true},
    [STORE_SIM_COMMIT_LOST] = {"commit_eio_lost", -EIO, END_NOT_MADE, true},
    [STORE_SIM_UNKNOWN_MADE] = {"commit_unknown_made", STORE_UNKNOWN, END_MADE, true},
    [STORE_SIM_UNKNOWN_LOST] = {"commit_unknown_lost", STORE_UNKNOWN, END_NOT_MADE, true},
    [STORE_SIM_COMMIT_FENCED] = {"commit_fenced", STORE_FENCED, END_NOT_MADE, true},
    [STORE_SIM_COMMIT_SLOW] = {"commit_slow", 0, END_MADE, false},
    [STORE_SIM_COMMIT_LIES] = {"commit_lies", 0, END_NOT_MADE, false},
};

const char *store_sim_fault_name(enum store_sim_fault f)
{
    assert(f < STORE_SIM_FAULTS);
    return faults[f].name;
}

void store_sim_arm(struct store *s, enum store_sim_fault f, uint64_t after, uint64_t times)
{
    s->disk->arm[f].after = after;
    s->disk->arm[f].times = times;
}

void store_sim_disarm(struct store *s)
{
    for (unsigned f = 0; f < STORE_SIM_FAULTS; f++)
        store_sim_arm(s, f, 0, 0);
}

uint64_t store_sim_hits(const struct store *s, enum store_sim_fault f)
{
    return s->disk->arm[f].hits;
}

void store_sim_slowness(struct store *s, uint64_t ms)
{
    s->slow_ms = ms;
}

uint64_t store_sim_slept_ms(struct store *s)
{
    uint64_t ms = s->slept_ms;
    s->slept_ms = 0;
    return ms;
}

bool arm_hits(struct store *s, enum store_sim_fault f)
{
    struct arm *a = &s->disk->arm[f];
    if (!a->times)
        return false;
    if (a->after) {
        a->after--;
        return false;
    }
    a->times--;
    a->hits++;
    return true;
}

/* ---- opening ---- */

static struct disk *disk_find(const char *dir)
{
    struct disk *d = disks;
    while (d && strcmp(d->dir, dir) != 0)
        d = d->next;
    return d;
}

static struct disk *disk_make(const char *dir)
{
    struct disk *d = calloc(1, sizeof *d);
    char *name = strdup(dir);
    if (!d || !name)
        abort();
    d->dir = name;
    d->next = disks;
    disks = d;
    return d;
}

void store_sim_forget(const char *dir)
{
    for (struct disk **at = &disks; *at; at = &(*at)->next) {
        struct disk *d = *at;
        if (strcmp(d->dir, dir) != 0)
            continue;
        assert(!d->is_open);
        *at = d->next;
        for (unsigned t = 0; t < TABLE_COUNT; t++)
            tree_drop(&d->table[t]);
        free(d->dir);
        free(d);
        return;
    }
}

static void format_write(struct disk *d)
{
    uint8_t version[4];
    put_be32(version, FORMAT_NOW);
    struct meta_row row = {.value = span_of(version, sizeof version)};
    struct span key = span_str("format");
    struct tree_row *to = tree_put(&d->table[TABLE_META], key, row_size(&meta_row_type, &row));
    row_encode(&meta_row_type, key, &row, to->bytes + to->key_n);
}

static int format_check(const struct disk *d)
{
    struct meta_row row;
    struct span key = span_str("format");
    const struct tree_row *found = tree_find(&d->table[TABLE_META], key);
    if (!found)
        return STORE_FORMAT;
    int r = row_decode(&meta_row_type, key, tree_value(found), &row);
    if (r < 0)
        return err_pass(r);
    return row.value.n == 4 && get_be32(row.value.p) == FORMAT_NOW ? 0 : STORE_FORMAT;
}

int store_open(const struct store_config *config, struct store **ret_store)
{
    assert(config->dir && ret_store);
    struct disk *d = disk_find(config->dir);
    if (!d && !config->create)
        return STORE_MISSING;
    if (d && d->is_open)
        return STORE_BUSY;
    int r = d ? format_check(d) : 0;
    if (r)
        return r < 0 ? err_pass(r) : r;
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return err_raise(-ENOMEM);
    if (!d) {
        d = disk_make(config->dir);
        format_write(d);
    }
    d->is_open = true;
    s->disk = d;
    s->map_bytes = config->map_bytes ? config->map_bytes : map_bytes_default;
    s->quota_bytes = config->quota_bytes;
    s->reserve_bytes = config->reserve_bytes;
    *ret_store = s;
    return 0;
}

struct store *store_free(struct store *s)
{
    if (!s)
        return NULL;
    assert(!s->writer.is_open && s->snapshots == 0);
    s->disk->is_open = false;
    free(s);
    return NULL;
}

bool store_sim_lose(struct store *s, enum table t)
{
    struct tree_place place;
    struct tree_row *row = tree_end(&s->disk->table[t], TREE_ON, &place);
    assert(!s->writer.is_open);
    if (!row)
        return false;
    tree_row_ref(row); /* its key is read to the end */
    tree_del(&s->disk->table[t], tree_key(row));
    tree_row_unref(row);
    s->writes++;
    return true;
}

struct store *store_sim_crash(struct store *s)
{
    if (s && s->writer.is_open)
        txn_close(&s->writer);
    return store_free(s);
}

/* ---- beginning and ending ---- */

int store_begin(struct store *s, struct txn **ret_txn)
{
    assert(ret_txn);
    assert(!s->writer.is_open);
    if (s->is_dead)
        return err_raise(-EIO);
    txn_open(s, &s->writer, true);
    *ret_txn = &s->writer;
    return 0;
}

int store_snapshot(struct store *s, struct txn **ret_txn)
{
    assert(ret_txn);
    struct txn *txn = calloc(1, sizeof *txn);
    if (!txn)
        return err_raise(-ENOMEM);
    txn_open(s, txn, false);
    s->snapshots++;
    *ret_txn = txn;
    return 0;
}

struct txn *txn_free(struct txn *txn)
{
    if (!txn)
        return NULL;
    assert(txn->cursors == 0);
    txn_close(txn);
    if (txn->is_write)
        return NULL;
    txn->store->snapshots--;
    free(txn);
    return NULL;
}

static void commit_make(struct store *s)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        struct tree before = s->disk->table[t];
        s->disk->table[t] = tree_copy(&s->writer.table[t]);
        tree_drop(&before);
    }
}

/* The fault that this commit meets, or NULL. */
static const struct fault_row *commit_fault(struct store *s)
{
    const struct fault_row *met = NULL;
    for (unsigned f = STORE_SIM_COMMIT_FULL; f < STORE_SIM_FAULTS; f++)
        if (!met && arm_hits(s, f))
            met = &faults[f];
    if (met == &faults[STORE_SIM_COMMIT_SLOW])
        s->slept_ms += s->slow_ms;
    return met;
}

int store_commit(struct txn **ptxn)
{
    struct txn *txn = TAKE(*ptxn);
    assert(txn && txn->is_write && txn->is_open && txn->cursors == 0);
    struct store *s = txn->store;
    if (txn->failed) {
        int failed = txn->failed;
        txn_close(txn);
        return failed < 0 ? err_pass(failed) : failed;
    }
    reserved_settle(txn);
    const struct fault_row *fault = commit_fault(s);
    if (!fault || fault->end == END_MADE)
        commit_make(s);
    txn_close(txn);
    if (!fault || !fault->code) {
        s->commits++;
        return 0;
    }
    s->is_dead = fault->kills;
    return fault->code < 0 ? err_raise(fault->code) : fault->code;
}

void store_collect(struct store *s, store_collector *collector, void *arg)
{
    assert(!s->writer.is_open);
    s->collector = collector;
    s->collector_arg = arg;
}

/* ---- room, chores, copies ---- */

uint64_t tables_bytes(const struct tree table[TABLE_COUNT])
{
    uint64_t bytes = 0;
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        bytes += table[t].bytes + table[t].rows * ROW_OVERHEAD_BYTES;
    return bytes;
}

int store_has_room(struct store *s)
{
    uint64_t limit = s->map_bytes;
    if (s->quota_bytes && s->quota_bytes < limit)
        limit = s->quota_bytes;
    if (arm_hits(s, STORE_SIM_NO_ROOM))
        return faults[STORE_SIM_NO_ROOM].code;
    return tables_bytes(s->disk->table) + s->reserve_bytes <= limit ? 0 : STORE_FULL;
}

void store_tend(struct store *s, uint64_t now_ms)
{
    assert(!s->writer.is_open);
    (void)now_ms;
}

int store_usage(struct store *s, struct store_usage *ret_usage)
{
    *ret_usage = (struct store_usage){
        .used_bytes = tables_bytes(s->disk->table),
        .quota_bytes = s->quota_bytes,
        .map_bytes = s->map_bytes,
        .commits = s->commits,
        .writes = s->writes,
    };
    return 0;
}

/* The folder part of the path names the new disk, as opening it will. */
int store_copy(struct store *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    if (!dir)
        abort();
    bool is_there = disk_find(dir) != NULL;
    struct disk *copy = is_there ? NULL : disk_make(dir);
    for (unsigned t = 0; copy && t < TABLE_COUNT; t++)
        copy->table[t] = tree_copy(&s->disk->table[t]);
    free(dir);
    return is_there ? err_raise(-EEXIST) : 0;
}

static uint64_t hash_on(uint64_t h, struct span s)
{
    const uint8_t *p = s.p;
    uint64_t word;
    h = (h ^ s.n) * 0x9e3779b97f4a7c15ull;
    for (size_t i = 0; i < s.n; i += sizeof word) {
        word = 0;
        memcpy(&word, p + i, s.n - i < sizeof word ? s.n - i : sizeof word);
        h = (h ^ word) * 0xff51afd7ed558ccdull;
        h ^= h >> 32;
    }
    return h;
}

static uint64_t tree_digest(const struct tree *t)
{
    struct tree_place place;
    uint64_t h = t->rows;
    const struct tree_row *r = tree_end(t, TREE_BACK, &place);
    for (; r; r = tree_step(&place, TREE_ON))
        h = hash_on(hash_on(h, tree_key(r)), tree_value(r));
    return h;
}

uint64_t store_sim_digest(const struct store *s)
{
    uint64_t h = 1;
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        h = (h ^ tree_digest(&s->disk->table[t])) * 0x9e3779b97f4a7c15ull;
    return h;
}

struct store_sim_mark {
    struct tree table[TABLE_COUNT];
};

struct store_sim_mark *store_sim_mark_new(const struct store *s)
{
    struct store_sim_mark *m = malloc(sizeof *m);
    if (!m)
        abort();
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        m->table[t] = tree_copy(&s->disk->table[t]);
    return m;
}

struct store_sim_mark *store_sim_mark_free(struct store_sim_mark *m)
{
    for (unsigned t = 0; m && t < TABLE_COUNT; t++)
        tree_drop(&m->table[t]);
    free(m);
    return NULL;
}

/* What nobody has changed is the same tree. */
bool store_sim_differs(const struct store *s, const struct store_sim_mark *m, enum table t)
{
    const struct tree *now = &s->disk->table[t], *then = &m->table[t];
    return now->root != then->root && tree_digest(now) != tree_digest(then);
}
