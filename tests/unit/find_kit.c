/* find_kit.c: see find_kit.h. */
#include "find_kit.h"

enum { SPREAD_MS = 70000, ROUND = 12 };

static const char *const accounts[] = {"amber", "birch", "cedar", "delta"};
static const char *const apps[] = {"shop", "chat", "maps"};
static const char *const platforms[] = {"", "android", "ios"};
static const char *const refs[] = {"", "main", "next"};
static const char *const reasons[] = {"", "let me look", "let it be"};
static const char *const errors[] = {"RUNNER_FAILED", "BUNDLE_FAILED", "OUT_OF_LUCK"};

/* ---- reading ---- */

enum error_code kit_read(struct engine_kit *k, const Rota__Request *request,
                         const struct principal *who, struct kit_read *r)
{
    static const struct principal operator= {
        .role = ROTA__ROLE__OPERATOR, .account = 1, .account_id = "local"};
    *r = (struct kit_read){.txn = kit_snapshot(k->store)};
    rota__reply__init(&r->reply);
    assert_int_equal(arena_new(12 << 20, &r->arena), 0);
    r->q = (struct query){.txn = r->txn,
                          .board = k->board,
                          .store = k->store,
                          .arena = r->arena,
                          .who = who ? who : &operator,
                          .request = request,
                          .reply = &r->reply,
                          .wall_ms = k->now.wall_ms,
                          .boot_ms = k->now.boot_ms,
                          .environment = "development"};
    return query_answer(&r->q);
}

void kit_read_end(struct kit_read *r)
{
    r->txn = txn_free(r->txn);
    r->arena = arena_free(r->arena);
}

struct principal kit_key_of(struct engine_kit *k, const char *account)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    struct account_id_row row;
    struct principal who = {.role = ROTA__ROLE__ACCOUNT};
    assert_int_equal(row_get(txn, &account_id_row_type, span_str(account), &row), 0);
    who.account = row.account;
    snprintf(who.account_id, sizeof who.account_id, "%s", account);
    return who;
}

const char *find_page(struct engine_kit *k, Rota__Where *where, uint32_t limit, const char *cursor,
                      const struct principal *who, struct kit_read *r)
{
    Rota__Find find = ROTA__FIND__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_FIND;
    request.find = &find;
    find.where = where;
    find.limit = limit;
    find.cursor = (char *)cursor;
    enum error_code e = kit_read(k, &request, who, r);
    return e ? error_row(e)->name : "";
}

/* ---- making ---- */

unsigned world_pick(struct world *w, unsigned n)
{
    return (unsigned)(kit_random(&w->random) % n);
}

#define PICK(w, list) ((char *)(list)[world_pick((w), sizeof(list) / sizeof *(list))])

static void make_account(struct world *w, unsigned i)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_ACCOUNT_SET;
    request.account_set = &set;
    set.account = (char *)accounts[i];
    set.set_tier_case = ROTA__ACCOUNT_SET__SET_TIER_TIER;
    set.tier = (Rota__Tier)i;
    set.set_running_case = ROTA__ACCOUNT_SET__SET_RUNNING_RUNNING_MAX;
    set.running_max = 50;
    set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
    set.builds_unlimited = true;
    assert_string_equal(kit_error(kit_call(w->k, &request, NULL)), "");
}

/* Requests of one turn; the replies are asked for by number. */
static struct inbound *together(struct world *w, struct inbound *list, Rota__Request *request)
{
    struct inbound *in = kit_request(w->k, request, NULL), **end = &list;
    while (*end)
        end = &(*end)->next;
    *end = in;
    return list;
}

static char *some_job(struct world *w)
{
    return w->all[world_pick(w, (unsigned)w->n)].job;
}

static struct inbound *publish(struct world *w, struct inbound *list)
{
    Rota__Publish q = call_publish_of();
    Rota__Request request = ROTA__REQUEST__INIT;
    char *parents[] = {w->n ? some_job(w) : NULL};
    q.account = PICK(w, accounts);
    q.app = PICK(w, apps);
    q.platform = PICK(w, platforms);
    q.ref = PICK(w, refs);
    q.hold = world_pick(w, 12) == 0;
    q.attempts_max = world_pick(w, 2);
    q.delay_ms = world_pick(w, 12) == 0 ? 3600000 : 0;
    q.supersede = *q.ref && world_pick(w, 20) == 0;
    q.after = parents;
    q.n_after = parents[0] && !w->is_alone &&
                world_pick(w, 4) == 0; /* refused, for most jobs are another's */
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &q;
    return together(w, list, &request);
}

static void publish_round(struct world *w, size_t n)
{
    struct inbound *list = NULL;
    uint64_t first = w->k->request_id + 1;
    for (size_t i = 0; i < n; i++)
        list = publish(w, list);
    kit_turn(w->k, list);
    for (uint64_t id = first; id <= w->k->request_id; id++) {
        Rota__Reply *reply = kit_reply(w->k, id);
        if (!reply->error)
            snprintf(w->all[w->n++].job, CALL_JOB_BYTES, "%s", reply->publish->job);
    }
}

static struct inbound *end_lease(struct world *w, struct inbound *list, Rota__LeaseRef *ref)
{
    Rota__Finish finish = ROTA__FINISH__INIT;
    Rota__LeaseRelease back = ROTA__LEASE_RELEASE__INIT;
    Rota__Error error = ROTA__ERROR__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    static const unsigned char ways[] = {0, 1, 2, 3, 3, 3, 4, 4, 5, 6, 6, 7, 2, 2, 5, 4};
    unsigned how = ways[world_pick(w, sizeof ways)];
    if (how == 0)
        return list; /* goes on running, until its lease is lost */
    error.name = PICK(w, errors);
    finish.lease = back.lease = ref;
    finish.outcome = how < 4   ? ROTA__OUTCOME__OUTCOME_SUCCEEDED
                     : how < 7 ? ROTA__OUTCOME__OUTCOME_FAILED
                               : ROTA__OUTCOME__OUTCOME_TIMED_OUT;
    back.infrastructure_fault = true;
    if (how >= 4)
        finish.error = &error;
    request.op_case = ROTA__REQUEST__OP_FINISH;
    request.finish = &finish;
    if (how == 1) {
        request.op_case = ROTA__REQUEST__OP_LEASE_RELEASE;
        request.lease_release = &back;
    }
    return together(w, list, &request);
}

/* A worker of one of the pools takes some jobs; what becomes of them is part of the next turn. */
static struct inbound *lease_round(struct world *w, struct inbound *list)
{
    static const char *const classes[] = {"task", "bundle"};
    struct call c;
    char *class[] = {PICK(w, classes)};
    lease_fill(&c, *class, 0);
    memcpy(c.nonce, &w->random, sizeof w->random);
    c.lease.class_ = class;
    c.lease.jobs_max = 1 + world_pick(w, 9);
    kit_turn(w->k, kit_request(w->k, &c.request, NULL));
    const Rota__Reply *reply = kit_reply(w->k, w->k->request_id);
    assert_string_equal(kit_error(reply), "");
    for (size_t i = 0; i < reply->lease->n_job; i++)
        list = end_lease(w, list, reply->lease->job[i]->lease);
    return list;
}

static struct inbound *act(struct world *w, struct inbound *list)
{
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    Rota__Hold hold = ROTA__HOLD__INIT;
    Rota__Move move = ROTA__MOVE__INIT;
    Rota__Retry retry = ROTA__RETRY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    cancel.job = hold.job = move.job = retry.job = some_job(w);
    cancel.reason = hold.reason = PICK(w, reasons);
    move.pool = (char *)"bundle";
    move.priority = world_pick(w, 10);
    switch (world_pick(w, 4)) {
    case 0:
        request.op_case = ROTA__REQUEST__OP_CANCEL;
        request.cancel = &cancel;
        break;
    case 1:
        request.op_case = ROTA__REQUEST__OP_HOLD;
        request.hold = &hold;
        break;
    case 2:
        request.op_case = ROTA__REQUEST__OP_MOVE;
        request.move = &move;
        break;
    default:
        request.op_case = ROTA__REQUEST__OP_RETRY;
        request.retry = &retry;
    }
    return together(w, list, &request);
}

void world_more(struct world *w, size_t n)
{
    size_t end = w->n + n;
    w->all = realloc(w->all, end * sizeof *w->all);
    assert_non_null(w->all);
    while (w->n < end) {
        size_t round = end - w->n < ROUND ? end - w->n : ROUND;
        publish_round(w, round);
        struct inbound *list = lease_round(w, NULL);
        for (size_t i = 0; i < ROUND / 3; i++)
            list = act(w, list);
        kit_turn(w->k, list);
        if (world_pick(w, 20) == 0)
            kit_pass(w->k, SPREAD_MS); /* leases run out, backoffs end */
    }
}

static void make_app(struct world *w, const char *account, const char *name)
{
    Rota__AppSet set = ROTA__APP_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_APP_SET;
    request.app_set = &set;
    set.account = (char *)account;
    set.app = (char *)name;
    assert_string_equal(kit_error(kit_call(w->k, &request, NULL)), "");
}

void world_make(struct world *w, struct engine_kit *k, size_t n, uint64_t seed, bool is_alone)
{
    *w = (struct world){.k = k, .random = seed, .is_alone = is_alone};
    for (unsigned i = 0; i < ARRAY_LEN(accounts); i++) {
        make_account(w, i);
        for (unsigned a = 0; a < ARRAY_LEN(apps); a++)
            make_app(w, accounts[i], apps[a]);
    }
    world_more(w, n);
    kit_pass(k, SPREAD_MS); /* also a breaker's time is over then */
    while (!kit_rows(k, TABLE_LEASE)) {
        assert_true(kit_rows(k, TABLE_READY) > 0);
        kit_turn(k, lease_round(w, NULL));
    }
    world_look(w);
}

void world_free(struct world *w)
{
    free(w->all);
}

/* ---- looking ---- */

#define COPY(to, from) ((void)snprintf((to), sizeof(to), "%s", (from)))

static void look(struct engine_kit *k, struct seen *s)
{
    struct kit_read r;
    Rota__Status status = ROTA__STATUS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_STATUS;
    request.status = &status;
    status.job = s->job;
    assert_int_equal(kit_read(k, &request, NULL, &r), E_OK);
    const Rota__Job *job = r.reply.status->job;
    COPY(s->account, job->account);
    COPY(s->app, job->app);
    COPY(s->platform, job->platform);
    COPY(s->class, job->class_);
    COPY(s->pool, job->pool);
    COPY(s->error, job->error ? job->error->name : "");
    COPY(s->reason, job->reason);
    COPY(s->ref, job->ref);
    s->state = job->state;
    s->tier = job->tier;
    s->published_ms = job->published_ms;
    s->finished_ms = job->finished_ms;
    kit_read_end(&r);
}

void world_look(struct world *w)
{
    for (size_t i = 0; i < w->n; i++)
        look(w->k, &w->all[i]);
}

static bool is_or_any(const char *want, const char *have)
{
    return !*want || strcmp(want, have) == 0;
}

static bool is_within(uint64_t from_ms, uint64_t to_ms, uint64_t ms)
{
    return ms >= from_ms && (!to_ms || ms < to_ms);
}

bool oracle_fits(const Rota__Where *where, const struct seen *s)
{
    size_t n = strlen(where->reason);
    return is_or_any(where->account, s->account) && is_or_any(where->app, s->app) &&
           is_or_any(where->platform, s->platform) && is_or_any(where->class_, s->class) &&
           is_or_any(where->pool, s->pool) && is_or_any(where->error, s->error) &&
           is_or_any(where->ref, s->ref) &&
           (!n || (strncmp(where->reason, s->reason, n) == 0 &&
                   (!s->reason[n] || s->reason[n] == ' '))) &&
           (!where->state || where->state == s->state) &&
           (!where->tiers || where->tiers & 1u << s->tier) &&
           is_within(where->published_from_ms, where->published_to_ms, s->published_ms) &&
           ((!where->finished_from_ms && !where->finished_to_ms) ||
            (s->finished_ms &&
             is_within(where->finished_from_ms, where->finished_to_ms, s->finished_ms)));
}

/* ---- a whole answer ---- */

void answer_free(struct answer *a)
{
    free(a->jobs);
}

/* All pages, one after the other; `between` runs after each. */
struct answer find_all(struct world *w, Rota__Where *where, uint32_t limit,
                       void (*between)(struct world *w))
{
    struct answer a = {.n = 0};
    char cursor[130] = "";
    do {
        struct kit_read r;
        assert_string_equal(find_page(w->k, where, limit, cursor, NULL, &r), "");
        const Rota__FindResult *page = r.reply.find;
        assert_true(page->n_job <= limit);
        a.jobs = realloc(a.jobs, (a.n + page->n_job + 1) * sizeof *a.jobs);
        assert_non_null(a.jobs);
        for (size_t i = 0; i < page->n_job; i++)
            snprintf(a.jobs[a.n++], CALL_JOB_BYTES, "%s", page->job[i]->job);
        a.seen += page->seen;
        a.pages++;
        snprintf(cursor, sizeof cursor, "%s", page->next_cursor);
        kit_read_end(&r);
        if (between)
            between(w);
    } while (cursor[0]);
    return a;
}

/* Later finished first; of the same moment the newer. */
static int by_finish(const void *x, const void *y)
{
    const struct seen *a = *(struct seen *const *)x, *b = *(struct seen *const *)y;
    if (a->finished_ms != b->finished_ms)
        return a->finished_ms < b->finished_ms ? 1 : -1;
    return strcmp(b->job, a->job);
}

size_t oracle(const struct world *w, const Rota__Where *where, const struct seen **ret)
{
    size_t n = 0;
    for (size_t i = w->n; i-- > 0;)
        if (oracle_fits(where, &w->all[i]))
            ret[n++] = &w->all[i];
    if (!*where->account && (where->finished_from_ms || where->finished_to_ms))
        qsort(ret, n, sizeof(struct seen *), by_finish);
    return n;
}

void kit_fill(struct engine_kit *k, size_t thousands)
{
    for (size_t i = 0; i < thousands; i++) {
        kit_turn(k, publish_many(k, 1, 1000, false));
        assert_null(kit_reply(k, k->request_id)->error);
    }
}
