/* abuse_random.c: fifty accounts that publish and finish at random, share addresses, names and
 * bundles or do not, are reviewed, confirmed, released, days apart and over restarts, from a seed.
 *
 * A model beside the engine keeps the whole history as a list and asks it, for each publish and
 * finish, which signs are there by their definitions. Whatever review the engine opens must have
 * exactly these signs; whenever the model finds more than 50 there must be a review that says so,
 * or one by which a person has let the account go. At the end the tables of signals and addresses
 * are counted anew from the history. Prints what it counted. argv: seeds, steps a seed. */
#include "abuse_model.h"
#include "random.h"
#include "unit/abuse_kit.h"

#include "engine/abuse_parts.h"

enum { MINUTE_MS = 60000 };

static const uint64_t day_ms = 86400000;

struct world {
    struct engine_kit k;
    struct kit_key gateway;
    struct random random;
    unsigned class;
    struct model m;
    struct done_job {
        char id[40];
        unsigned account, address, name;
        uint64_t published_ms;
    } * jobs;
    size_t jobs_n;
    struct tale {
        uint64_t publishes, blocked, finishes, judged, opened, held, blocks, decisions, restarts,
            jumps, rows;
    } tale;
};

static unsigned pick(struct world *w, unsigned n)
{
    return random_below(&w->random, n);
}

static const char *account_id(unsigned account)
{
    static char id[16];
    snprintf(id, sizeof id, "acc-%u", account);
    return id;
}

/* Names of one class fold to the same, those of two are far apart; name 0 is the account's own. */
static const char *app_name(unsigned account, unsigned name)
{
    static const char *const words[CLASSES][NAMES] = {
        {"flowershop", "calendarium", "meteorology"},
        {"bicyclerepair", "xylophone", "quarterdeck"},
        {"parliament", "jumpingjack", "vodkamartini"},
        {"hydrangeas", "knucklebone", "zoology today"},
        {"unbelievable", "fisherman", "crossword"},
    };
    static char text[64];
    struct random own = {account};
    if (name) {
        snprintf(text, sizeof text, "%s %u", words[account % CLASSES][name - 1], account);
        return text;
    }
    for (unsigned i = 0; i < 12; i++)
        text[i] = (char)('a' + random_below(&own, 26));
    text[12] = 0;
    return text;
}

static const char *address_text(unsigned account, unsigned address)
{
    static char text[32];
    if (address)
        snprintf(text, sizeof text, "203.0.%u.%u", account % CLASSES, address);
    else
        snprintf(text, sizeof text, "198.51.100.%u", account + 1);
    return text;
}

/* ---- engine and model say the same ---- */

static bool is_let_go(struct world *w, unsigned account)
{
    struct kit_review review = kit_review_of(&w->k, account_id(account));
    for (unsigned i = 0; review.review && i < 16; i++) {
        if (review.state == ROTA__REVIEW_STATE__REVIEW_RELEASED ||
            review.state == ROTA__REVIEW_STATE__REVIEW_DISMISSED)
            return true;
        if (!review.prior)
            return false;
        review = kit_review(&w->k, review.prior);
    }
    return false;
}

/* Says what each of them found, and ends the test. */
static void disagree(const struct choices *c, const struct kit_review *r, bool was_opened)
{
    fprintf(stderr, "review %llu (%s): signs %#x, score %u, state %d; model:",
            (unsigned long long)r->review, was_opened ? "opened" : "not opened", r->signals,
            r->score, (int)r->state);
    for (unsigned i = 0; i < c->n; i++)
        fprintf(stderr, " %#x = %u", c->set[i], model_score(c->set[i]));
    fprintf(stderr, "\n");
    abort();
}

static void agree(struct world *w, unsigned account, const struct choices *c, uint64_t reviews,
                  bool at_finish)
{
    struct kit_review newest = kit_review_of(&w->k, account_id(account));
    unsigned least = UINT32_MAX;
    bool found = false;
    w->tale.judged++;
    for (unsigned i = 0; i < c->n; i++) {
        least = model_score(c->set[i]) < least ? model_score(c->set[i]) : least;
        found |= newest.signals == c->set[i] || newest.signals == c->may[i];
    }
    bool was_opened = kit_rows(&w->k, TABLE_REVIEW) > reviews;
    bool is_hard = newest.state == ROTA__REVIEW_STATE__REVIEW_HELD ||
                   newest.state == ROTA__REVIEW_STATE__REVIEW_BLOCKED;
    bool is_blocked = newest.state == ROTA__REVIEW_STATE__REVIEW_CONFIRMED ||
                      newest.state == ROTA__REVIEW_STATE__REVIEW_BLOCKED;
    if (was_opened) {
        if (!found || newest.score != model_score(newest.signals) || newest.score <= 50 ||
            is_hard != (newest.score > 80) || newest.at_finish != at_finish)
            disagree(c, &newest, true);
        w->tale.opened++;
        w->tale.held += newest.state == ROTA__REVIEW_STATE__REVIEW_HELD;
        w->tale.blocks += newest.state == ROTA__REVIEW_STATE__REVIEW_BLOCKED;
    } else if (least > 50 && !is_blocked && newest.score < least && !is_let_go(w, account)) {
        disagree(c, &newest, false);
    }
}

static void check_bars(struct world *w)
{
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        struct kit_review r = kit_review_of(&w->k, account_id(i));
        AUTO(txn) txn = kit_snapshot(w->k.store);
        struct key_buf b;
        struct account_row row;
        uint64_t number = kit_account_number(&w->k, account_id(i));
        assert_int_equal(row_get(txn, &account_row_type, key_u64(&b, number), &row), 0);
        bool is_blocked = r.state == ROTA__REVIEW_STATE__REVIEW_CONFIRMED ||
                          r.state == ROTA__REVIEW_STATE__REVIEW_BLOCKED;
        assert_int_equal(row.bars, is_blocked ? ROTA__BAR__BAR_BLOCKED
                                   : r.state == ROTA__REVIEW_STATE__REVIEW_HELD
                                       ? ROTA__BAR__BAR_REVIEW
                                       : 0);
    }
}

/* ---- deeds ---- */

static void do_publish(struct world *w)
{
    /* Mostly one class for a while, so that minutes count. */
    w->class = pick(w, 12) ? w->class : pick(w, CLASSES);
    unsigned account = w->class + CLASSES * pick(w, ACCOUNTS / CLASSES);
    unsigned address = pick(w, ADDRESSES + 1);
    unsigned name = pick(w, NAMES + 1), n;
    struct group bundles[CHOICES_MAX], addresses, names;
    uint64_t now_ms, reviews = kit_rows(&w->k, TABLE_REVIEW);
    if (!w->m.has_app[account][name])
        kit_app(&w->k, account_id(account), app_name(account, name));
    w->m.has_app[account][name] = true;
    /* Of the same publish twice in a minute the second is not judged. */
    kit_pass(&w->k, 61000 + pick(w, pick(w, 3) ? MINUTE_MS / 10 : 6 * MINUTE_MS));
    const char *error = kit_publish_from(&w->k, &w->gateway, account_id(account),
                                         app_name(account, name), address_text(account, address));
    now_ms = w->k.now.wall_ms;
    if (error[0]) {
        assert_string_equal(error, "ACCOUNT_BLOCKED");
        w->tale.blocked++;
        return;
    }
    snprintf(w->jobs[w->jobs_n].id, sizeof w->jobs->id, "%s", kit_published(&w->k)->job);
    w->jobs[w->jobs_n].account = account;
    w->jobs[w->jobs_n].address = address;
    w->jobs[w->jobs_n].name = name;
    w->jobs[w->jobs_n++].published_ms = now_ms;
    w->tale.publishes++;
    addresses =
        model_group(&w->m.addresses, account % CLASSES, address, now_ms - 30 * day_ms, account);
    names = model_family(&w->m, account, name);
    n = model_earlier_bundles(&w->m, account, now_ms, bundles);
    struct choices c = model_judge(&w->m, account, now_ms, bundles, n, &addresses, 1, &names);
    model_show(&w->m.addresses, account, address, now_ms, now_ms);
    w->m.published_ms[account] = now_ms;
    agree(w, account, &c, reviews, false);
}

static void do_finish(struct world *w)
{
    struct kit_lease lease;
    struct group bundle, addresses[CHOICES_MAX], names;
    unsigned value = pick(w, HASHES + 1), n = 0;
    size_t at = 0;
    if (!kit_lease(&w->k, "w", &lease))
        return;
    while (at < w->jobs_n && strcmp(w->jobs[at].id, lease.job) != 0)
        at++;
    assert_true(at < w->jobs_n);
    const struct done_job *job = &w->jobs[at];
    uint64_t reviews = kit_rows(&w->k, TABLE_REVIEW);
    unsigned class = job->account % CLASSES;
    kit_finish_bundle(&w->k, &lease,
                      (uint8_t)(value ? 1 + class * HASHES + value : 100 + job->account));
    uint64_t now_ms = w->k.now.wall_ms, month_ms = now_ms - 30 * day_ms;
    model_show(&w->m.bundles, job->account, value, now_ms, job->published_ms);
    bundle = model_group(&w->m.bundles, class, value, now_ms - 90 * day_ms, job->account);
    names = model_family(&w->m, job->account, job->name);
    /* Any address that it used before and after the publish will do as the job's own. */
    for (unsigned a = 0; a <= ADDRESSES; a++) {
        uint64_t first_ms = UINT64_MAX, last_ms = 0;
        for (size_t i = 0; i < w->m.addresses.n; i++) {
            const struct shown *s = &w->m.addresses.all[i];
            if (s->account != job->account || s->value != a)
                continue;
            if (!last_ms || s->at_ms >= last_ms + 30 * day_ms)
                first_ms = s->at_ms;
            last_ms = s->at_ms;
        }
        struct group g = model_group(&w->m.addresses, class, a, month_ms, job->account);
        if (last_ms > month_ms && first_ms <= job->published_ms && last_ms >= job->published_ms &&
            g.n)
            addresses[n++] = g;
    }
    struct choices c =
        model_judge(&w->m, job->account, job->published_ms, &bundle, 1, addresses, n, &names);
    w->tale.finishes++;
    agree(w, job->account, &c, reviews, true);
}

static void do_decide(struct world *w)
{
    static const Rota__ReviewState all[] = {ROTA__REVIEW_STATE__REVIEW_CONFIRMED,
                                            ROTA__REVIEW_STATE__REVIEW_DISMISSED,
                                            ROTA__REVIEW_STATE__REVIEW_RELEASED};
    uint64_t reviews = kit_rows(&w->k, TABLE_REVIEW);
    if (!reviews)
        return;
    const char *error =
        kit_decide(&w->k, 1 + pick(w, (unsigned)reviews), all[pick(w, 3)], "Ann", "by the dice");
    assert_true(!error[0] || strcmp(error, "REVIEW_CLOSED") == 0);
    w->tale.decisions += !error[0];
}

static void do_restart(struct world *w)
{
    kit_pass(&w->k, 1000);
    engine_kit_restart(&w->k);
    kit_pass(&w->k, 1000);
    w->tale.restarts++;
}

static void do_jump(struct world *w)
{
    kit_pass(&w->k, pick(w, 12) * day_ms + (uint64_t)pick(w, 600) * MINUTE_MS);
    for (unsigned i = 0; i < 20; i++)
        kit_pass(&w->k, 1000);
    w->tale.jumps++;
}

/* ---- the tables, counted anew ---- */

static void recount(struct world *w)
{
    uint64_t apps = 0, now_ms;
    kit_pass(&w->k, 120ull * MINUTE_MS);
    for (unsigned i = 0; i < 20; i++)
        kit_pass(&w->k, 1000);
    now_ms = w->k.now.wall_ms;
    for (unsigned i = 0; i < ACCOUNTS; i++)
        for (unsigned name = 0; name <= NAMES; name++)
            apps += w->m.has_app[i][name];
    /* Rows of the last two hours before the purge's hour may have gone either way: none are. */
    assert_int_equal(kit_signals(&w->k, ROTA__SIGNAL_KIND__SIGNAL_NAMES), apps);
    assert_int_equal(kit_signals(&w->k, ROTA__SIGNAL_KIND__SIGNAL_IP),
                     model_pairs(&w->m.addresses, ADDRESSES, now_ms - 30 * day_ms));
    assert_int_equal(kit_rows(&w->k, TABLE_ADDRESS),
                     model_pairs(&w->m.addresses, ADDRESSES, now_ms - 30 * day_ms));
    assert_int_equal(kit_signals(&w->k, ROTA__SIGNAL_KIND__SIGNAL_HASH),
                     model_pairs(&w->m.bundles, HASHES, now_ms - 90 * day_ms));
    w->tale.rows += kit_rows(&w->k, TABLE_SIGNAL) + kit_rows(&w->k, TABLE_ADDRESS);
}

static const struct {
    void (*run)(struct world *w);
    unsigned weight;
} deeds[] = {{do_publish, 50}, {do_finish, 40}, {do_decide, 4}, {do_restart, 2}, {do_jump, 1}};

static void step(struct world *w)
{
    unsigned all = 0, at;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        all += deeds[i].weight;
    at = pick(w, all);
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
        if (at < deeds[i].weight) {
            deeds[i].run(w);
            return;
        }
        at -= deeds[i].weight;
    }
}

static void live(uint64_t seed, unsigned steps, struct tale *total)
{
    static struct world w;
    w = (struct world){.random = {seed}};
    engine_kit_setup(&w.k, 1 << 30);
    model_init(&w.m);
    w.jobs = calloc(steps + 1, sizeof *w.jobs);
    assert_non_null(w.jobs);
    kit_key(&w.k, ROTA__ROLE__GATEWAY, "", &w.gateway);
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        kit_pass(&w.k, pick(&w, 2 * 3600000));
        kit_account(&w.k, account_id(i), ROTA__TIER__P0, 100);
        w.m.created_ms[i] = w.k.now.wall_ms;
    }
    for (unsigned i = 0; i < steps; i++) {
        step(&w);
        if (i % 100 == 99) {
            check_bars(&w);
            kit_check(&w.k);
        }
    }
    recount(&w);
    const uint64_t *from = (const uint64_t *)&w.tale;
    for (size_t i = 0; i < sizeof w.tale / sizeof *from; i++)
        ((uint64_t *)total)[i] += from[i];
    engine_kit_teardown(&w.k);
    model_deinit(&w.m);
    free(w.jobs);
}

int main(int argc, char **argv)
{
    unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 10;
    unsigned steps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    struct tale t = {0};
    for (unsigned seed = 1; seed <= seeds; seed++) {
        fprintf(stderr, "seed %u\r", seed);
        live(seed, steps, &t);
    }
    printf("%u seeds of %u steps over %d accounts: %llu publishes and %llu finishes, %llu judged "
           "by the model as by the engine, %llu restarts, %llu jumps of days\n",
           seeds, steps, ACCOUNTS, (unsigned long long)t.publishes, (unsigned long long)t.finishes,
           (unsigned long long)t.judged, (unsigned long long)t.restarts,
           (unsigned long long)t.jumps);
    printf("%llu reviews, %llu of them held, %llu blocked; %llu decisions; %llu publishes refused "
           "as blocked; %llu rows counted anew\n",
           (unsigned long long)t.opened, (unsigned long long)t.held, (unsigned long long)t.blocks,
           (unsigned long long)t.decisions, (unsigned long long)t.blocked,
           (unsigned long long)t.rows);
    assert(t.opened > 0 && t.held > 0 && t.blocks > 0 && t.decisions > 0 && t.blocked > 0);
    assert(t.restarts > 0 && t.jumps > 0);
    return 0;
}
