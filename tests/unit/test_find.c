/* test_find.c: find gives exactly the jobs that fit, each once.
 *
 * Every field alone and every pair of fields is compared with a brute-force answer over 2,000 jobs
 * in all states; the jobs come by the requests that make them in life. */
#include "find_kit.h"

enum { WORLD_JOBS = 2000, PAGE = 37 };

/* ---- filters ---- */

/* Sets one field as some job of the world has it. */
typedef void set_field(struct world *w, const struct seen *s, Rota__Where *where);

#define SET_TEXT(member, from)                                                                     \
    static void set_##member(struct world *w, const struct seen *s, Rota__Where *where)            \
    {                                                                                              \
        (void)w;                                                                                   \
        where->member = (char *)(uintptr_t)s->from;                                                \
    }
SET_TEXT(account, account)
SET_TEXT(app, app)
SET_TEXT(platform, platform)
SET_TEXT(class_, class)
SET_TEXT(pool, pool)
SET_TEXT(error, error)
SET_TEXT(ref, ref)

/* The whole reason, or its first word. */
static void set_reason(struct world *w, const struct seen *s, Rota__Where *where)
{
    static char words[4][64];
    static unsigned next;
    char *word = words[next++ % 4];
    memcpy(word, s->reason, sizeof words[0]);
    char *space = strchr(word, ' ');
    if (space && world_pick(w, 2))
        *space = '\0';
    where->reason = word;
}

static void set_state(struct world *w, const struct seen *s, Rota__Where *where)
{
    (void)w;
    where->state = s->state;
}

static void set_tiers(struct world *w, const struct seen *s, Rota__Where *where)
{
    where->tiers = 1u << s->tier | 1u << world_pick(w, 4);
}

static void set_published_from(struct world *w, const struct seen *s, Rota__Where *where)
{
    (void)w;
    where->published_from_ms = s->published_ms;
}

static void set_published_to(struct world *w, const struct seen *s, Rota__Where *where)
{
    (void)w;
    where->published_to_ms = s->published_ms + 1;
}

static void set_finished_from(struct world *w, const struct seen *s, Rota__Where *where)
{
    (void)w;
    where->finished_from_ms = s->finished_ms;
}

static void set_finished_to(struct world *w, const struct seen *s, Rota__Where *where)
{
    (void)w;
    where->finished_to_ms = s->finished_ms ? s->finished_ms + 1 : 0;
}

static const struct {
    const char *name;
    set_field *set;
} fields[] = {
    {"account", set_account},
    {"app", set_app},
    {"platform", set_platform},
    {"class", set_class_},
    {"pool", set_pool},
    {"state", set_state},
    {"tiers", set_tiers},
    {"published from", set_published_from},
    {"published to", set_published_to},
    {"finished from", set_finished_from},
    {"finished to", set_finished_to},
    {"error", set_error},
    {"reason", set_reason},
    {"ref", set_ref},
};
enum { FIELDS = ARRAY_LEN(fields) };

/* No job can fit. */
static bool is_contradiction(const Rota__Where *w)
{
    bool asks_finished = w->finished_from_ms || w->finished_to_ms;
    return (w->published_to_ms && w->published_from_ms >= w->published_to_ms) ||
           (w->finished_to_ms && w->finished_from_ms >= w->finished_to_ms) ||
           (asks_finished && w->state && w->state < ROTA__STATE__SUCCEEDED);
}

static const struct seen *some(struct world *w)
{
    return &w->all[world_pick(w, (unsigned)w->n)];
}

struct tested {
    size_t filters, contradictions, jobs, pages;
    uint64_t seen;
};

static void compare(struct world *w, Rota__Where *where, const char *x, const char *y,
                    struct tested *tested)
{
    static const struct seen *expected[WORLD_JOBS];
    if (is_contradiction(where)) {
        struct kit_read r;
        assert_string_equal(find_page(w->k, where, 20, "", NULL, &r), "WHERE_INVALID");
        assert_non_null(r.q.text);
        kit_read_end(&r);
        tested->contradictions++;
        return;
    }
    size_t n = oracle(w, where, expected);
    struct answer a = find_all(w, where, PAGE, NULL);
    if (a.n != n)
        fail_msg("%s, %s: %zu jobs, not %zu", x, y, a.n, n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(a.jobs[i], expected[i]->job) != 0)
            fail_msg("%s, %s: place %zu is %s, not %s", x, y, i, a.jobs[i], expected[i]->job);
    tested->filters++;
    tested->jobs += a.n;
    tested->pages += a.pages;
    tested->seen += a.seen;
    answer_free(&a);
}

static void each_field_alone_and_each_pair_finds_what_fits(void **state)
{
    struct engine_kit *k = *state;
    struct world w;
    struct tested alone = {0}, pairs = {0};
    size_t states[10] = {0};
    world_make(&w, k, WORLD_JOBS, 20261120, false);
    for (size_t i = 0; i < w.n; i++)
        states[w.all[i].state]++;
    for (int s = ROTA__STATE__READY; s <= ROTA__STATE__DEAD; s++)
        if (!states[s])
            fail_msg("no job is in state %d", s);
    for (size_t x = 0; x < FIELDS; x++)
        for (int times = 0; times < 20; times++) {
            Rota__Where where = ROTA__WHERE__INIT;
            fields[x].set(&w, some(&w), &where);
            compare(&w, &where, fields[x].name, "", &alone);
        }
    for (size_t x = 0; x < FIELDS; x++)
        for (size_t y = x + 1; y < FIELDS; y++)
            for (int times = 0; times < 10; times++) {
                Rota__Where where = ROTA__WHERE__INIT;
                const struct seen *s = some(&w); /* half of them fit the same job */
                fields[x].set(&w, s, &where);
                fields[y].set(&w, times % 2 ? s : some(&w), &where);
                compare(&w, &where, fields[x].name, fields[y].name, &pairs);
            }
    kit_check(k);
    printf("%zu filters of one field and %zu of two (%zu contradictions refused) over %d jobs: %zu "
           "jobs found, %zu pages, %llu rows looked at\n",
           alone.filters, pairs.filters, alone.contradictions + pairs.contradictions, WORLD_JOBS,
           alone.jobs + pairs.jobs, alone.pages + pairs.pages,
           (unsigned long long)alone.seen + pairs.seen);
    world_free(&w);
}

static void an_account_finds_its_own_jobs_alone(void **state)
{
    struct engine_kit *k = *state;
    struct world w;
    struct kit_read r;
    Rota__Where where = ROTA__WHERE__INIT;
    size_t own = 0;
    world_make(&w, k, 300, 5, false);
    struct principal birch = kit_key_of(k, "birch");
    for (size_t i = 0; i < w.n; i++)
        own += strcmp(w.all[i].account, "birch") == 0;
    assert_string_equal(find_page(k, &where, 100, "", &birch, &r), "");
    assert_int_equal(r.reply.find->n_job, own < 100 ? own : 100);
    for (size_t i = 0; i < r.reply.find->n_job; i++)
        assert_string_equal(r.reply.find->job[i]->account, "birch");
    kit_read_end(&r);
    where.account = (char *)"amber";
    assert_string_equal(find_page(k, &where, 100, "", &birch, &r), "NOT_ALLOWED");
    kit_read_end(&r);
    /* A key for one app sees that app alone, whether it asks for it or not. */
    where.account = (char *)"";
    memcpy(birch.app, "shop", sizeof "shop");
    assert_string_equal(find_page(k, &where, 100, "", &birch, &r), "");
    assert_true(r.reply.find->n_job > 0 && r.reply.find->n_job < own);
    for (size_t i = 0; i < r.reply.find->n_job; i++)
        assert_string_equal(r.reply.find->job[i]->app, "shop");
    kit_read_end(&r);
    where.app = (char *)"chat";
    assert_string_equal(find_page(k, &where, 100, "", &birch, &r), "KEY_APP");
    kit_read_end(&r);
    world_free(&w);
}

/* As a review of the account would. */
static void bar_account(struct engine_kit *k, const char *id)
{
    struct txn *txn = kit_begin(k->store);
    struct cache *c = &k->engine->cache;
    struct turn t = {.engine = k->engine, .cache = c, .undo = c->undo, .txn = txn, .fx = &k->fx};
    struct review_open_row row = {.review = 1, .state = ROTA__REVIEW_STATE__REVIEW_HELD};
    struct key_buf key;
    struct account *a;
    effects_reset(&k->fx);
    assert_int_equal(cache_account(c, txn, kit_key_of(k, id).account, &a), 0);
    assert_int_equal(account_bar(&t, a, ROTA__BAR__BAR_REVIEW, true), 0);
    assert_int_equal(row_put(txn, &review_open_row_type, key_u64(&key, a->number), &row), 0);
    assert_int_equal(cache_flush(c, txn), 0);
    assert_int_equal(store_commit(&txn), 0);
    cache_committed(c);
}

/* Ready jobs of an account that a review bars show as held, and are found so. */
static void what_a_review_holds_is_found_as_held(void **state)
{
    struct engine_kit *k = *state;
    struct world w;
    struct tested tested = {0};
    size_t barred = 0;
    world_make(&w, k, 400, 9, false);
    bar_account(k, "birch");
    world_look(&w);
    for (size_t i = 0; i < w.n; i++)
        barred += strcmp(w.all[i].reason, "HELD_FOR_REVIEW") == 0;
    assert_true(barred > 0);
    const struct {
        const char *account, *reason;
        Rota__State state;
    } cases[] = {{"", "", ROTA__STATE__HELD},       {"birch", "", ROTA__STATE__HELD},
                 {"amber", "", ROTA__STATE__HELD},  {"", "", ROTA__STATE__READY},
                 {"birch", "", ROTA__STATE__READY}, {"", "HELD_FOR_REVIEW", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Rota__Where where = ROTA__WHERE__INIT;
        where.account = (char *)cases[i].account;
        where.reason = (char *)cases[i].reason;
        where.state = cases[i].state;
        compare(&w, &where, "review", cases[i].account, &tested);
    }
    kit_check(k);
    world_free(&w);
}

static void what_there_is_not_is_refused_by_name(void **state)
{
    struct engine_kit *k = *state;
    Rota__Where w = ROTA__WHERE__INIT;
    const struct {
        char **field;
        const char *error;
    } cases[] = {{&w.pool, "WHERE_INVALID"},
                 {&w.class_, "WHERE_INVALID"},
                 {&w.platform, "WHERE_INVALID"},
                 {&w.account, "ACCOUNT_UNKNOWN"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct kit_read r;
        char *empty = *cases[i].field;
        *cases[i].field = (char *)"nothing";
        assert_string_equal(find_page(k, &w, 5, "", NULL, &r), cases[i].error);
        kit_read_end(&r);
        *cases[i].field = empty;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(each_field_alone_and_each_pair_finds_what_fits),
        ENGINE_CASE(an_account_finds_its_own_jobs_alone),
        ENGINE_CASE(what_a_review_holds_is_found_as_held),
        ENGINE_CASE(what_there_is_not_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
