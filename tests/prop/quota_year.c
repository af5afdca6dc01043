/* quota_year.c: a year of quotas, day by day: accounts of each tier and with numbers of their own
 * publish, run, fail, cancel and lose their jobs, and a model that knows the rules and a calendar
 * of its own (no code of the engine's) says before each publish whether it must be accepted.
 *
 * Each month ends to the millisecond: in its last one every account takes all that is left and is
 * refused the next build until the day that the words name; in the first one of the next month it
 * may build again; and a job of the old month that is cancelled in the new one gives its build back
 * to the old. After each day the months that `usage` tells are the model's. Prints what it counted.
 * argv: days, seed. */
#include "unit/engine_acts.h"
#include "unit/limits_kit.h"

enum { ACCOUNTS = 7, MONTHS = 16, JOBS_MAX = 2048, UNLIMITED = -1, DAY_MS = 24 * 3600 * 1000 };

/* ---- a calendar ---- */

static const uint64_t year_2027_ms = 1798761600000; /* its first moment */

static bool is_leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

struct month {
    char name[16]; /* "2027-08" */
    uint64_t begins_ms, ends_ms;
};

/* The first MONTHS from the one that this time lies in. */
static void months_fill(uint64_t from_ms, struct month *ret_months)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t at_ms = year_2027_ms;
    for (unsigned year = 2027, m = 0, n = 0; n < MONTHS; year += m == 11, m = (m + 1) % 12) {
        uint64_t long_ms = (uint64_t)(days[m] + (m == 1 && is_leap(year))) * DAY_MS;
        if (at_ms + long_ms > from_ms) {
            struct month *month = &ret_months[n++];
            *month = (struct month){.begins_ms = at_ms, .ends_ms = at_ms + long_ms};
            snprintf(month->name, sizeof month->name, "%04u-%02u", year % 10000, (m + 1) % 100);
        }
        at_ms += long_ms;
    }
}

/* ---- the model ---- */

struct count {
    uint64_t used, succeeded, failed, cancelled, dead;
};

static struct account_plan {
    const char *id;
    Rota__Tier tier;
    int builds;     /* a month, by the tier or of its own */
    bool is_own;    /* of its own */
    unsigned a_day; /* that it wishes for, at most */
} plans[ACCOUNTS] = {
    {"free", ROTA__TIER__P3, 10, false, 2},  {"starter", ROTA__TIER__P2, 100, false, 8},
    {"pro", ROTA__TIER__P1, 500, false, 30}, {"thirty-seven", ROTA__TIER__P1, 37, true, 4},
    {"none", ROTA__TIER__P2, 0, true, 1},    {"enterprise", ROTA__TIER__P0, UNLIMITED, false, 12},
    {"mover", ROTA__TIER__P3, 10, false, 6},
};

struct build {
    char id[40];
    unsigned account, month; /* that pays for it */
    bool is_frail;           /* its one attempt will meet a fault */
    bool is_held;
};

static struct year {
    struct engine_kit k;
    uint64_t random;
    struct month months[MONTHS];
    unsigned month; /* the present one */
    struct count counts[ACCOUNTS][MONTHS];
    struct build jobs[JOBS_MAX]; /* that have not ended */
    size_t jobs_n;
    unsigned long long wishes, accepted, refused, given_back, late, ends, restarts, compared;
} year;

static unsigned pick(struct year *y, unsigned n)
{
    return (unsigned)(kit_random(&y->random) % n);
}

static bool chance(struct year *y, unsigned percent)
{
    return pick(y, 100) < percent;
}

static struct count *count_of(struct year *y, unsigned account)
{
    return &y->counts[account][y->month];
}

/* The next turn runs in this very millisecond. */
static void at(struct year *y, uint64_t wall_ms)
{
    uint64_t now_ms = y->k.now.wall_ms;
    if (wall_ms > now_ms)
        y->k.now.boot_ms += wall_ms - now_ms;
    y->k.now.wall_ms = wall_ms - 1;
    while (y->months[y->month].ends_ms <= wall_ms)
        y->month++;
}

static bool is_left(struct year *y, unsigned account)
{
    int builds = plans[account].builds;
    return builds == UNLIMITED || count_of(y, account)->used < (uint64_t)builds;
}

/* ---- jobs ---- */

static struct build *job_find(struct year *y, const char *id)
{
    for (size_t i = 0; i < y->jobs_n; i++)
        if (strcmp(y->jobs[i].id, id) == 0)
            return &y->jobs[i];
    return NULL;
}

static void give_back(struct year *y, const struct build *job)
{
    y->counts[job->account][job->month].used--;
    y->given_back++;
    y->late += job->month != y->month;
}

static void drop(struct year *y, struct build *job)
{
    *job = y->jobs[--y->jobs_n];
}

/* Words and name of the refusal; nothing has changed. */
static void assert_refused(struct year *y, unsigned account, const Rota__Reply *reply)
{
    char until[40];
    assert_string_equal(kit_error(reply), "QUOTA_EXCEEDED");
    snprintf(until, sizeof until, "resets %s-01T00:00Z", y->months[y->month + 1].name);
    assert_non_null(strstr(reply->error->text, until));
    assert_int_equal(kit_used(&y->k, plans[account].id), count_of(y, account)->used);
    y->refused++;
}

/* Accepted or refused as the model says; NULL: refused. */
static struct build *publish(struct year *y, unsigned account, bool is_held, bool is_frail)
{
    Rota__Publish q = call_publish_of();
    Rota__Request request = ROTA__REQUEST__INIT;
    q.account = (char *)plans[account].id;
    q.hold = is_held;
    q.attempts_max = is_frail ? 1 : 0;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &q;
    bool must = is_left(y, account);
    const Rota__Reply *reply = kit_call(&y->k, &request, NULL);
    y->wishes++;
    if (!must) {
        assert_refused(y, account, reply);
        return NULL;
    }
    assert_string_equal(kit_error(reply), "");
    assert_true(y->jobs_n < JOBS_MAX);
    struct build *job = &y->jobs[y->jobs_n++];
    *job = (struct build){
        .account = account, .month = y->month, .is_frail = is_frail, .is_held = is_held};
    snprintf(job->id, sizeof job->id, "%s", reply->publish->job);
    count_of(y, account)->used++;
    y->accepted++;
    return job;
}

/* One that has not begun. */
static void cancel(struct year *y, struct build *job)
{
    assert_string_equal(kit_error(kit_cancel(&y->k, job->id)), "");
    count_of(y, job->account)->cancelled++;
    give_back(y, job);
    drop(y, job);
}

static void finish(struct year *y, struct kit_run *run, struct build *job)
{
    struct count *c = count_of(y, job->account);
    if (job->is_frail) {
        kit_give_back(&y->k, run, true);
        c->dead++;
        give_back(y, job);
    } else if (chance(y, 15)) {
        bool is_late = chance(y, 30);
        kit_finish(&y->k, &run->lease,
                   is_late ? ROTA__OUTCOME__OUTCOME_TIMED_OUT : ROTA__OUTCOME__OUTCOME_FAILED);
        c->failed++;
    } else {
        kit_finish(&y->k, &run->lease, ROTA__OUTCOME__OUTCOME_SUCCEEDED);
        c->succeeded++;
    }
    drop(y, job);
}

/* All that is ready runs. */
static void work(struct year *y)
{
    struct kit_run run = {0};
    while (kit_lease(&y->k, "w", &run.lease)) {
        struct build *job = job_find(y, run.lease.job);
        assert_non_null(job);
        finish(y, &run, job);
    }
}

/* Held ones are let go or cancelled after a while. */
static void tidy(struct year *y)
{
    for (size_t i = y->jobs_n; i--;) {
        struct build *job = &y->jobs[i];
        if (!job->is_held || !chance(y, 25))
            continue;
        if (chance(y, 50)) {
            cancel(y, job);
        } else {
            assert_string_equal(kit_error(call_release(&y->k, job->id)), "");
            job->is_held = false;
        }
    }
}

/* ---- the year ---- */

static void compare(struct year *y, unsigned account, unsigned n)
{
    struct kit_answer answer;
    const Rota__UsageResult *usage = kit_usage(&y->k, plans[account].id, n, &answer);
    assert_int_equal(usage->n_month, n);
    for (unsigned i = 0; i < n && i <= y->month; i++) {
        const Rota__UsageMonth *m = usage->month[i];
        const struct count *c = &y->counts[account][y->month - i];
        assert_string_equal(m->month, y->months[y->month - i].name);
        assert_int_equal(m->builds_used, c->used);
        assert_int_equal(m->succeeded, c->succeeded);
        assert_int_equal(m->failed, c->failed);
        assert_int_equal(m->cancelled, c->cancelled);
        assert_int_equal(m->dead, c->dead);
        y->compared++;
    }
    kit_answer_end(&answer);
    assert_int_equal(kit_account_get(&y->k, plans[account].id, &answer)->month_ends_ms,
                     y->months[y->month].ends_ms);
    kit_answer_end(&answer);
}

static void wishes(struct year *y, unsigned account)
{
    unsigned n = pick(y, plans[account].a_day + 1);
    for (unsigned i = 0; i < n; i++) {
        struct build *job = publish(y, account, chance(y, 5), chance(y, 5));
        if (job && chance(y, 10))
            cancel(y, job);
    }
}

/* The last millisecond of the month, and the first of the next. */
static void month_ends(struct year *y)
{
    uint64_t ends_ms = y->months[y->month].ends_ms;
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        do
            at(y, ends_ms - 1);
        while (plans[a].builds != UNLIMITED && publish(y, a, true, false));
    }
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        at(y, ends_ms);
        publish(y, a, true, false);
    }
    for (size_t i = y->jobs_n; i--;) {
        if (!y->jobs[i].is_held || y->jobs[i].month == y->month)
            continue;
        at(y, ends_ms);
        cancel(y, &y->jobs[i]);
    }
    y->ends++;
}

static void day(struct year *y, uint64_t begins_ms)
{
    enum { MOMENTS = 3 };
    for (unsigned i = 0; i < MOMENTS; i++) {
        at(y, begins_ms + (uint64_t)(DAY_MS / (MOMENTS + 1)) * (i + 1) + pick(y, 3600000));
        for (unsigned a = 0; a < ACCOUNTS; a++)
            wishes(y, a);
        tidy(y);
        work(y);
    }
    if (begins_ms + DAY_MS == y->months[y->month].ends_ms)
        month_ends(y);
    for (unsigned a = 0; a < ACCOUNTS; a++)
        compare(y, a, 2);
}

static void begin(struct year *y, uint64_t first_ms)
{
    engine_kit_setup(&y->k, 1ull << 30);
    months_fill(first_ms, y->months);
    at(y, first_ms);
    for (unsigned a = 0; a < ACCOUNTS; a++) {
        Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
        kit_plain(&y->k, plans[a].id, plans[a].tier);
        if (!plans[a].is_own)
            continue;
        set.account = (char *)plans[a].id;
        set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_MONTH;
        set.builds_month = (uint64_t)plans[a].builds;
        assert_string_equal(kit_error(kit_account_set(&y->k, &set)), "");
    }
}

/* From free to starter in the middle of a month: what it has used stays used. */
static void mover_moves(struct year *y)
{
    plans[ACCOUNTS - 1].builds = 100;
    kit_plain(&y->k, plans[ACCOUNTS - 1].id, ROTA__TIER__P2);
}

static void restart(struct year *y)
{
    engine_kit_close(&y->k);
    y->k.now.boot_ms = pick(y, 1000);
    engine_kit_open(&y->k);
    y->restarts++;
}

int main(int argc, char **argv)
{
    unsigned days = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 365;
    struct year *y = &year;
    const uint64_t first_ms =
        year_2027_ms + 231ull * DAY_MS; /* 2027-08-20; the next year is long */
    y->random = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    begin(y, first_ms);
    for (unsigned d = 0; d < days; d++) {
        if (d == days / 2)
            mover_moves(y);
        if (d % 7 == 6)
            restart(y);
        day(y, first_ms + (uint64_t)d * DAY_MS);
    }
    for (unsigned a = 0; a < ACCOUNTS; a++)
        compare(y, a, y->month + 1);
    kit_check(&y->k);
    engine_kit_teardown(&y->k);
    printf(
        "%u days, %llu months' ends to the millisecond, %d accounts: %llu wishes, %llu accepted, "
        "%llu refused\n",
        days, y->ends, ACCOUNTS, y->wishes, y->accepted, y->refused);
    printf("%llu builds given back, %llu of them to a month that was over; %llu restarts; %llu "
           "months of usage compared\n",
           y->given_back, y->late, y->restarts, y->compared);
    assert(y->accepted > 0 && y->refused > 0 && y->given_back > 0);
    assert(days < 31 || (y->late > 0 && y->ends > 0));
    return 0;
}
