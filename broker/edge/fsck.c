/* fsck.c: one walk over each table, each row decoded with its checksum; then every job is looked
 * for in the places a job can be in (exactly one), and the accounts' counts are taken again from
 * the jobs. Memory: a few words per account and pool; the backlog is only walked. */
#include "edge/fsck.h"

#include "edge/settings.h"
#include "engine/cache.h"
#include "store/keys.h"

#include <base/exit.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 20 };

static const struct row_type *const types[TABLE_COUNT] = {
    [TABLE_META] = &meta_row_type,
    [TABLE_JOB] = &job_row_type,
    [TABLE_READY] = &ready_row_type,
    [TABLE_RING] = &ring_row_type,
    [TABLE_TALLY] = &tally_row_type,
    [TABLE_STATE] = &state_row_type,
    [TABLE_DELAYED] = &delayed_row_type,
    [TABLE_WAITS_ON] = &waits_on_row_type,
    [TABLE_FOLLOW] = &follow_row_type,
    [TABLE_HELD] = &held_row_type,
    [TABLE_LEASE] = &lease_row_type,
    [TABLE_DONE] = &done_row_type,
    [TABLE_JOB_OF] = &job_of_row_type,
    [TABLE_POOL] = &pool_row_type,
    [TABLE_CLASS] = &class_row_type,
    [TABLE_ACCOUNT] = &account_row_type,
    [TABLE_ACCOUNT_ID] = &account_id_row_type,
    [TABLE_APP] = &app_row_type,
    [TABLE_KEY] = &key_row_type,
    [TABLE_KEY_SERIAL] = &key_serial_row_type,
    [TABLE_KEY_OF] = &key_of_row_type,
    [TABLE_IDEM] = &idem_row_type,
    [TABLE_EVENT] = &event_row_type,
    [TABLE_OBJECT] = &object_row_type,
    [TABLE_USAGE] = &usage_row_type,
    [TABLE_BUCKET] = &bucket_row_type,
    [TABLE_ADDON] = &addon_row_type,
    [TABLE_GRANT] = &grant_row_type,
    [TABLE_SUPERSEDE] = &supersede_row_type,
    [TABLE_PAUSE] = &pause_row_type,
    [TABLE_MEMBER] = &member_row_type,
    [TABLE_APP_VAR] = &app_var_row_type,
    [TABLE_PRESET] = &preset_row_type,
    [TABLE_SCHEDULE] = &schedule_row_type,
    [TABLE_SCHEDULE_DUE] = &schedule_due_row_type,
    [TABLE_KEY_USE] = &key_use_row_type,
    [TABLE_SIGNAL] = &signal_row_type,
    [TABLE_ADDRESS] = &address_row_type,
    [TABLE_REVIEW] = &review_row_type,
    [TABLE_REVIEW_OPEN] = &review_open_row_type,
    [TABLE_PATTERN] = &pattern_row_type,
    [TABLE_TRAIL] = &trail_row_type,
    [TABLE_BULK] = &bulk_row_type,
    [TABLE_ASIDE] = &aside_row_type,
    [TABLE_APP_NEW] = &app_new_row_type,
    [TABLE_SOURCE_DUE] = &source_due_row_type,
    [TABLE_ERASE] = &erase_row_type,
    [TABLE_OBJECT_DUE] = &object_due_row_type,
    [TABLE_GOING] = &going_row_type,
};

/* An account's counts in a pool: as stored, less one for each job that was found there. */
struct count {
    uint64_t account;
    uint16_t pool;
    int64_t ready, running, delayed, held;
};

struct check {
    struct txn *txn;
    struct count *counts; /* in the order of their keys */
    size_t n, room;
    uint64_t rows, jobs, faults;
};

__attribute__((format(printf, 2, 3))) static void fault(struct check *c, const char *format, ...)
{
    va_list ap;
    if (c->faults++ >= SHOWN_MAX)
        return;
    va_start(ap, format);
    vfprintf(stdout, format, ap);
    va_end(ap);
    putchar('\n');
}

/* ---- every row ---- */

typedef int row_visit(struct check *c, struct span key, struct span value, const void *row);

/* The one row of meta that is no text. */
static const struct row_type *type_of(enum table t, struct span key)
{
    struct span hot = hot_key();
    bool is_hot = t == TABLE_META && key.n == hot.n && memcmp(key.p, hot.p, key.n) == 0;
    return is_hot ? &hot_row_type : types[t];
}

/* Decodes each row of a table and shows the good ones to `visit` (NULL: nobody). */
static int walk(struct check *c, enum table t, row_visit *visit, uint64_t *ret_rows)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    union {
        struct job_row job;
        uint8_t bytes[1024];
    } row;
    uint64_t n = 0;
    int r = cursor_open(c->txn, t, &cursor);
    if (r < 0)
        return err_pass(r);
    for (r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        const struct row_type *type = type_of(t, key);
        n++;
        int decoded = row_decode(type, key, value, &row);
        if (decoded == -EBADMSG)
            fault(c, "table %s, row %llu: damaged, or of a newer form", table_name(t),
                  (unsigned long long)n);
        else if (decoded < 0)
            return err_pass(decoded);
        else if (visit && (decoded = visit(c, key, value, &row)) < 0)
            return err_pass(decoded);
    }
    *ret_rows = n;
    return r < 0 ? err_pass(r) : 0;
}

/* ---- what belongs together ---- */

static int count_keep(struct check *c, struct span key, struct span value, const void *row)
{
    const struct tally_row *tally = row;
    (void)value;
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 1024;
        struct count *more = realloc(c->counts, room * sizeof *more);
        if (!more)
            return err_raise(-ENOMEM);
        c->counts = more;
        c->room = room;
    }
    c->counts[c->n++] = (struct count){.account = get_be64(key.p),
                                       .pool = get_be16((const uint8_t *)key.p + 8),
                                       .ready = tally->ready,
                                       .running = tally->running,
                                       .delayed = tally->delayed,
                                       .held = tally->held};
    return 0;
}

static int by_place(const void *x, const void *y)
{
    const struct count *a = x, *b = y;
    if (a->account != b->account)
        return a->account < b->account ? -1 : 1;
    return (a->pool > b->pool) - (a->pool < b->pool);
}

static struct count *count_of(const struct check *c, uint64_t account, uint16_t pool)
{
    struct count wanted = {.account = account, .pool = pool};
    return c->n ? bsearch(&wanted, c->counts, c->n, sizeof wanted, by_place) : NULL;
}

static int has_row(struct check *c, enum table t, struct span key, unsigned *places)
{
    struct span value;
    int r = txn_get(c->txn, t, key, &value);
    if (r < 0)
        return err_pass(r);
    *places += r == 0;
    return r == 0;
}

/* Where the job is: adds to its account's counts what it takes away from them. */
static int job_places(struct check *c, struct job_id id, const struct job_row *job,
                      const struct state_row *state, unsigned *ret_places)
{
    struct key_buf k;
    uint16_t pool = state->pool ? state->pool : job->pool;
    uint8_t priority = state->priority ? state->priority : job->priority;
    struct count none = {0}, *count = count_of(c, job->account, pool);
    if (!count)
        count = &none;
    *ret_places = 0;
    int r = has_row(c, TABLE_DONE, key_id(&k, id), ret_places);
    if (r >= 0)
        r = has_row(c, TABLE_LEASE, key_id(&k, id), ret_places);
    count->running -= r > 0;
    if (r >= 0)
        r = has_row(c, TABLE_HELD, key_id(&k, id), ret_places);
    count->held -= r > 0;
    if (r >= 0)
        r = has_row(c, TABLE_READY, key_ready(&k, pool, job->account, priority, id), ret_places);
    count->ready -= r > 0;
    if (r >= 0 && state->state == ROTA__STATE__DELAYED) {
        ++*ret_places;
        count->delayed--;
    }
    return r < 0 ? err_pass(r) : 0;
}

static int job_check(struct check *c, struct span key, struct span value, const void *row)
{
    struct job_row job = *(const struct job_row *)row;
    struct state_row state = {0};
    struct key_buf k;
    struct job_id id = key_tail_id(key);
    char text[JOB_ID_TEXT_LEN + 1];
    unsigned places = 0;
    (void)value;
    c->jobs++;
    int r = row_get(c->txn, &state_row_type, key_id(&k, id), &state);
    if (r < 0 && r != -EBADMSG) /* a damaged one was said already */
        return err_pass(r);
    r = job_places(c, id, &job, &state, &places);
    if (r < 0)
        return err_pass(r);
    if (places != 1)
        fault(c, "%s is in %u places, not in one", job_id_text(id, text), places);
    return 0;
}

static void counts_check(struct check *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct count *n = &c->counts[i];
        if (n->ready || n->running || n->delayed || n->held)
            fault(c,
                  "account %llu in pool %u: counts are off by %lld ready, %lld running, %lld "
                  "delayed, %lld held",
                  (unsigned long long)n->account, n->pool, (long long)n->ready,
                  (long long)n->running, (long long)n->delayed, (long long)n->held);
    }
}

/* A row of a place whose job is not there would never be found from the jobs. */
static int orphans_check(struct check *c, enum table t)
{
    AUTO(cursor) cursor = NULL;
    struct span key, value, job;
    struct key_buf k;
    int r = cursor_open(c->txn, t, &cursor);
    if (r < 0)
        return err_pass(r);
    for (r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value)) {
        char text[JOB_ID_TEXT_LEN + 1];
        struct job_id id = key_tail_id(key);
        int found = txn_get(c->txn, TABLE_JOB, key_id(&k, id), &job);
        if (found < 0)
            return err_pass(found);
        if (found == STORE_MISSING)
            fault(c, "table %s names %s, which is no job", table_name(t), job_id_text(id, text));
    }
    return r < 0 ? err_pass(r) : 0;
}

/* ---- the command ---- */

static int check_all(struct check *c)
{
    static const enum table places[] = {TABLE_READY, TABLE_HELD,   TABLE_LEASE,  TABLE_DONE,
                                        TABLE_STATE, TABLE_JOB_OF, TABLE_DELAYED};
    int r = 0;
    for (unsigned t = 0; t < TABLE_COUNT && r == 0; t++) {
        uint64_t rows = 0;
        if (t != TABLE_JOB)
            r = walk(c, (enum table)t, t == TABLE_TALLY ? count_keep : NULL, &rows);
        if (rows)
            printf("%-14s %llu\n", table_name((enum table)t), (unsigned long long)rows);
        c->rows += rows;
    }
    if (r == 0)
        r = walk(c, TABLE_JOB, job_check, &c->jobs);
    printf("%-14s %llu\n", table_name(TABLE_JOB), (unsigned long long)c->jobs);
    c->rows += c->jobs;
    counts_check(c);
    for (size_t i = 0; i < ARRAY_LEN(places) && r == 0; i++)
        r = orphans_check(c, places[i]);
    return r;
}

static int complain(int code, const char *what, const char *hint)
{
    fprintf(stderr, "rotad fsck: %s. %s.\n", what, hint);
    return code;
}

static int check_store(struct store *store)
{
    AUTO(txn) txn = NULL;
    struct check c = {0};
    char why[300];
    int r = store_snapshot(store, &txn);
    c.txn = txn;
    if (r == 0)
        r = check_all(&c);
    free(c.counts);
    if (r != 0) {
        fprintf(stderr, "rotad fsck: the database cannot be read: %s\n",
                err_trace(why, sizeof why));
        return EXIT_IO;
    }
    if (c.faults > SHOWN_MAX)
        printf("... and %llu more\n", (unsigned long long)(c.faults - SHOWN_MAX));
    printf("%llu rows, %llu jobs, %llu faults\n", (unsigned long long)c.rows,
           (unsigned long long)c.jobs, (unsigned long long)c.faults);
    return c.faults ? EXIT_FAILURE : EXIT_OK;
}

int fsck_main(int argc, char **argv)
{
    AUTO(store) store = NULL;
    struct fsck_settings s = {0};
    char why[300];
    int r = fsck_settings_parse(argc, argv, &s);
    if (r == OPTION_HELP)
        return EXIT_OK;
    if (r)
        return r == OPTION_USAGE ? EXIT_USAGE : EXIT_CONFIG;
    struct store_config config = {.dir = s.data};
    r = store_open(&config, &store);
    if (r == STORE_BUSY)
        return complain(EXIT_TRY_AGAIN, "a rotad has this folder open", "Stop it first");
    if (r > 0)
        return complain(EXIT_CONFIG, "the folder holds no database of rotad", "Check --data");
    if (r < 0) {
        fprintf(stderr, "rotad fsck: the database cannot be opened: %s\n",
                err_trace(why, sizeof why));
        return EXIT_IO;
    }
    return check_store(store);
}
