/* stock.c: see stock.h. */
#include "sim/stock.h"

#include "sim/world.h"
#include "source_ref.h"
#include "store/keys.h"
#include "store/rows.h"

#include <stdlib.h>

enum { OBJECTS_MAX = 512 };

struct object {
    uint64_t account;
    uint8_t kind, sha256[32];
    uint32_t jobs;
};

struct taking {
    struct world *w;
    struct txn *txn;
    struct object objects[OBJECTS_MAX];
    size_t n;
    uint64_t bytes[PAST_ACCOUNTS_MAX]; /* by place in history.accounts */
};

static void object_add(struct taking *t, uint8_t kind, uint64_t account, const uint8_t *sha256)
{
    for (size_t i = 0; i < t->n; i++) {
        struct object *o = &t->objects[i];
        if (o->kind == kind && o->account == account && memcmp(o->sha256, sha256, 32) == 0) {
            o->jobs++;
            return;
        }
    }
    if (t->n == OBJECTS_MAX)
        world_violated(t->w, "more objects than can be counted");
    t->objects[t->n] = (struct object){.kind = kind, .account = account, .jobs = 1};
    memcpy(t->objects[t->n++].sha256, sha256, 32);
}

/* Does a dead job keep its source? */
static bool is_kept(struct taking *t, struct job_id job, const struct done_row *done)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (done->state != ROTA__STATE__DEAD)
        return false;
    if (cursor_open(t->txn, TABLE_SOURCE_DUE, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0)
        if (job_id_cmp(key_tail_id(key), job) == 0)
            return true;
    return false;
}

static void artifacts_add(struct taking *t, uint64_t account, struct span facts)
{
    Rota__Finish *finish = rota__finish__unpack(NULL, facts.n, facts.p);
    if (!finish)
        world_violated(t->w, "the facts of an ended job cannot be unpacked");
    for (size_t i = 0; i < finish->n_artifact; i++)
        object_add(t, (uint8_t)finish->artifact[i]->kind, account,
                   finish->artifact[i]->sha256.data);
    rota__finish__free_unpacked(finish, NULL);
}

static void job_add(struct taking *t, struct span key, struct span value)
{
    struct job_row job;
    struct done_row done;
    struct source_ref source;
    struct key_buf k;
    if (row_decode(&job_row_type, key, value, &job) != 0 ||
        source_ref_parse(job.source, &source) != 0)
        world_violated(t->w, "a job row is damaged");
    uint64_t account = job.account;
    struct job_id id = key_tail_id(key);
    bool has_ended = row_get(t->txn, &done_row_type, key_id(&k, id), &done) == 0;
    if (source.kind == SOURCE_UPLOAD && (!has_ended || is_kept(t, id, &done)))
        object_add(t, ROTA__OBJECT_KIND__SOURCE, account, source.sha256);
    if (has_ended && done.facts.n)
        artifacts_add(t, account, done.facts);
}

static void object_look(struct taking *t, struct span key, struct span value)
{
    struct object_row row;
    const uint8_t *p = key.p;
    if (row_decode(&object_row_type, key, value, &row) != 0)
        world_violated(t->w, "an object row is damaged");
    uint64_t account = get_be64(p + 1);
    if (*p != ROTA__OBJECT_KIND__SOURCE)
        t->bytes[past_account(t->w, account) - t->w->history.accounts] += row.size;
    for (size_t i = 0; i < t->n; i++) {
        struct object *o = &t->objects[i];
        if (o->kind != *p || o->account != account || memcmp(o->sha256, p + 9, 32) != 0)
            continue;
        if (o->jobs != row.jobs)
            world_violated(t->w, "an object of kind %u of account %llu has %u jobs, %u name it", *p,
                           (unsigned long long)account, row.jobs, o->jobs);
        *o = t->objects[--t->n];
        return;
    }
    world_violated(t->w, "an object of kind %u of account %llu has %u jobs, none names it", *p,
                   (unsigned long long)account, row.jobs);
}

static void account_look(struct taking *t, struct span key, struct span value)
{
    struct account_row row;
    uint64_t number = get_be64(key.p);
    if (row_decode(&account_row_type, key, value, &row) != 0)
        world_violated(t->w, "an account row is damaged");
    uint64_t bytes = t->bytes[past_account(t->w, number) - t->w->history.accounts];
    if (row.storage_bytes != bytes)
        world_violated(t->w, "artifacts of account %llu take %llu bytes, by their rows %llu",
                       (unsigned long long)number, (unsigned long long)row.storage_bytes,
                       (unsigned long long)bytes);
}

static void each(struct taking *t, enum table table,
                 void (*row)(struct taking *t, struct span key, struct span value))
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    if (cursor_open(t->txn, table, &cursor) != 0)
        abort();
    while (cursor_next(cursor, &key, &value) == 0)
        row(t, key, value);
}

void stock_look(struct world *w, struct txn *txn)
{
    struct taking *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->w = w;
    t->txn = txn;
    each(t, TABLE_JOB, job_add);
    each(t, TABLE_OBJECT, object_look);
    each(t, TABLE_ACCOUNT, account_look);
    if (t->n)
        world_violated(w, "an object of kind %u of account %llu has no row, %u jobs name it",
                       t->objects[0].kind, (unsigned long long)t->objects[0].account,
                       t->objects[0].jobs);
    free(t);
}
