/* test_view.c shows that the screen is what was designed, cell by cell as text: at 80x24, wide,
 * narrow, empty, with the broker away or refusing, with the form and the help over it, in ASCII,
 * and with names that are wide, marked, or hostile. It matters because a screen that shifts by a
 * column, or obeys an escape sequence in a name, is seen by people only.
 *
 * The expected screens are the files in screens/. ROTA_SCREENS_WRITE=1 writes them anew: then read
 * the diff.    */
#undef NDEBUG
#include "text.h"
#include "tui/keys.h"
#include "tui/view.h"

#include <base/auto.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS 1795167065000u /* 2026-11-20T09:31:05Z */

static unsigned compared;

/* ---- a fixed picture ---- */

static Rota__TierStats tiers[4];
static Rota__TierStats *tier_list[] = {&tiers[0], &tiers[1], &tiers[2], &tiers[3]};
static Rota__PoolStats pools[2];
static Rota__PoolStats *pool_list[] = {&pools[0], &pools[1]};
static Rota__WorkerJob jobs[4];
static Rota__WorkerJob *job_list[] = {&jobs[0], &jobs[1], &jobs[2], &jobs[3]};
static Rota__WorkerStats workers[3];
static Rota__WorkerStats *worker_list[] = {&workers[0], &workers[1], &workers[2]};
static Rota__NextJob nexts[12];
static Rota__NextJob *next_list[12];
static Rota__StatsResult stats;
static Rota__NextResult next;
static struct model model;

static void tier_fill(int t, uint64_t ready, uint64_t delayed, uint64_t held, uint64_t leased,
                      uint64_t oldest_ms)
{
    rota__tier_stats__init(&tiers[t]);
    tiers[t].tier = (Rota__Tier)t;
    tiers[t].ready = ready;
    tiers[t].delayed = delayed;
    tiers[t].held = held;
    tiers[t].leased = leased;
    tiers[t].oldest_ms = oldest_ms;
    tiers[t].accounts = ready ? 1 + ready / 10 : 0;
    tiers[t].at_cap = ready / 100;
}

static void pool_fill(int i, const char *name, uint32_t c, uint32_t n, uint64_t ready,
                      uint64_t leased)
{
    rota__pool_stats__init(&pools[i]);
    pools[i].pool = (char *)name;
    pools[i].c = c;
    pools[i].n = n;
    pools[i].ready = ready;
    pools[i].leased = leased;
    pools[i].slots = 4;
}

static void job_fill(int i, Rota__Tier tier, const char *account, const char *app,
                     const char *phase, uint32_t percent, uint64_t running_ms)
{
    rota__worker_job__init(&jobs[i]);
    jobs[i].job = (char *)"job_06cv3zk8q0e5w9t1m2n4p6r8s0";
    jobs[i].tier = tier;
    jobs[i].account = (char *)account;
    jobs[i].app = (char *)app;
    jobs[i].phase = (char *)phase;
    jobs[i].percent = percent;
    jobs[i].running_ms = running_ms;
}

static void worker_fill(int i, const char *name, const char *pool, uint32_t slots, uint64_t seen_ms,
                        size_t first_job, size_t n_job)
{
    rota__worker_stats__init(&workers[i]);
    workers[i].worker = (char *)name;
    workers[i].pool = (char *)pool;
    workers[i].slots = slots;
    workers[i].seen_ms = seen_ms;
    workers[i].n_job = n_job;
    workers[i].job = &job_list[first_job];
}

static void nexts_fill(size_t n)
{
    static const char *const ids[] = {"job_06cv3zk8q0e5w9t1m2n4p6r8s0",
                                      "job_06cv3zk9a1b2c3d4e5f6g7h8j9",
                                      "job_06cv3zkbz9y8x7w6v5t4s3r2q1"};
    static const char *const accounts[] = {"acme", "globex", "initech_mobile_team"};
    static const char *const apps[] = {"shop", "field-service", "wallet"};
    static const Rota__Tier order[] = {0, 0, 0, 1, 0, 0, 2, 0, 0, 3};
    for (size_t i = 0; i < n; i++) {
        rota__next_job__init(&nexts[i]);
        nexts[i].job = (char *)ids[i % 3];
        nexts[i].account = (char *)accounts[i % 3];
        nexts[i].app = (char *)apps[i % 3];
        nexts[i].tier = order[i % 10];
        nexts[i].waited_ms = 182000 + 61000 * i;
        next_list[i] = &nexts[i];
    }
    rota__next_result__init(&next);
    next.n_job = n;
    next.job = next_list;
}

static void stats_fill(void)
{
    rota__stats_result__init(&stats);
    stats.environment = (char *)"production";
    stats.n_tier = 4;
    stats.tier = tier_list;
    stats.n_pool = 2;
    stats.pool = pool_list;
    stats.n_worker = 3;
    stats.worker = worker_list;
}

/* A busy hour: four tiers, two pools, three workers. */
static int setup(void **state)
{
    (void)state;
    tier_fill(0, 12, 0, 0, 2, 182000);
    tier_fill(1, 3, 1, 0, 1, 70000);
    tier_fill(2, 0, 0, 2, 0, 0);
    tier_fill(3, 1204, 12, 0, 1, 7500000);
    pool_fill(0, "bundle", 2, 2, 1219, 4);
    pools[0].heat_slots = 4;
    pools[0].heat_until_ms = NOW_MS + UINT64_C(22) * 60 * 1000;
    pool_fill(1, "task", 3, 0, 0, 0);
    job_fill(0, 0, "acme", "shop", "bundle", 42, 72000);
    job_fill(1, 1, "globex", "field-service", "install", 17, 31000);
    job_fill(2, 0, "acme", "shop", "", 0, 400);
    job_fill(3, 3, "initech_mobile_team", "wallet", "compile", 88, 132000);
    worker_fill(0, "build-1", "bundle", 2, 400, 0, 2);
    worker_fill(1, "build-2", "bundle", 4, 1200, 2, 2);
    worker_fill(2, "build-3", "task", 2, 14000, 0, 0);
    workers[2].draining = true;
    nexts_fill(12);
    stats_fill();
    model = (struct model){.url = "ipc:///run/rota/rotad.ipc",
                           .link = LINK_LIVE,
                           .stats = &stats,
                           .next = &next,
                           .as_of_ms = NOW_MS,
                           .now_ms = NOW_MS};
    return 0;
}

/* ---- comparing ---- */

static char *file_text(const char *path)
{
    FILE *from = fopen(path, "r");
    char *text = NULL;
    size_t n = 0;
    if (from && getdelim(&text, &n, 0, from) < 0)
        text[0] = 0;
    if (from)
        fclose(from);
    return text;
}

static char *screen_text(int w, int h, bool ascii)
{
    struct cells cells;
    cells_init(&cells, w, h);
    cells.ascii = ascii;
    view_draw(&model, &cells);
    char *text = cells_text(&cells);
    cells_deinit(&cells);
    return text;
}

/* No line may be wider than the screen, whatever the model says. */
static void lines_check(const char *text, int w, int h)
{
    int lines = 0;
    AUTO_FREE char *copy = x_strdup(text);
    char *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) && rest; lines++)
        assert_in_range(text_columns(line), 0, w);
    assert_int_equal(lines, h);
}

static void screen_check(const char *name, int w, int h, bool ascii)
{
    AUTO_FREE char *path = x_printf("%s/%s.txt", SCREENS_DIR, name);
    AUTO_FREE char *text = screen_text(w, h, ascii);
    lines_check(text, w, h);
    if (getenv("ROTA_SCREENS_WRITE")) {
        FILE *to = fopen(path, "w");
        assert_non_null(to);
        fputs(text, to);
        fclose(to);
    }
    AUTO_FREE char *expected = file_text(path);
    assert_non_null(expected);
    if (strcmp(text, expected) != 0)
        printf("%s is:\n%s\nexpected:\n%s\n", name, text, expected);
    assert_string_equal(text, expected);
    compared++;
}

/* ---- screens ---- */

static void a_busy_hour_fits_80_by_24(void **state)
{
    (void)state;
    screen_check("busy_80x24", 80, 24, false);
}

static void a_wide_terminal_shows_workers_beside_the_queue(void **state)
{
    (void)state;
    screen_check("busy_140x30", 140, 30, false);
}

static void a_tall_terminal_shows_more_of_what_comes_next(void **state)
{
    (void)state;
    screen_check("busy_100x40", 100, 40, false);
}

static void a_narrow_terminal_keeps_the_four_tiers_whole(void **state)
{
    (void)state;
    screen_check("busy_60x15", 60, 15, false);
}

static void a_tiny_terminal_says_what_it_needs(void **state)
{
    (void)state;
    screen_check("tiny_30x8", 30, 8, false);
}

static void an_ascii_terminal_gets_ascii_only(void **state)
{
    (void)state;
    AUTO_FREE char *text = screen_text(80, 24, true);
    screen_check("ascii_80x24", 80, 24, true);
    for (const char *c = text; *c; c++)
        assert_true((unsigned char)*c < 128);
}

/* A class whose breaker is open, one that is paused, a pool that is. */
static void a_pool_says_what_stops_it(void **state)
{
    (void)state;
    Rota__ClassStats class = ROTA__CLASS_STATS__INIT, *list[] = {&class};
    class.class_ = (char *)"bundle";
    class.breaker = (char *)"open";
    class.open_until_ms = NOW_MS + 59000;
    pools[0].class_state = list;
    pools[0].n_class_state = 1;
    pools[1].bars = ROTA__BAR__BAR_PAUSED;
    screen_check("stopped_100x40", 100, 40, false);
    AUTO_FREE char *open = screen_text(80, 24, false);
    assert_non_null(strstr(open, "bundle: breaker open"));
    class.breaker = (char *)"half-open";
    class.open_until_ms = 0;
    AUTO_FREE char *half = screen_text(100, 40, false);
    assert_non_null(strstr(half, "bundle: breaker half-open"));
    class.paused = true;
    AUTO_FREE char *paused = screen_text(100, 40, false);
    assert_non_null(strstr(paused, "bundle: paused"));
    class.paused = false;
    class.breaker = (char *)"closed";
    AUTO_FREE char *again = screen_text(100, 40, false);
    assert_non_null(strstr(again, "heat 4"));
}

static void an_empty_queue_says_so(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++)
        tier_fill(t, 0, 0, 0, 0, 0);
    pool_fill(0, "bundle", 3, 0, 0, 0);
    stats.n_pool = 1;
    stats.n_worker = 0;
    nexts_fill(0);
    screen_check("empty_80x24", 80, 24, false);
}

static void before_the_first_answer_it_says_where_it_asks(void **state)
{
    (void)state;
    model.stats = NULL;
    model.next = NULL;
    model.as_of_ms = 0;
    model.link = LINK_CONNECTING;
    screen_check("connecting_80x24", 80, 24, false);
}

static void the_last_picture_stays_while_the_broker_is_away(void **state)
{
    (void)state;
    model.link = LINK_AWAY;
    model.now_ms = NOW_MS + 7300;
    screen_check("away_80x24", 80, 24, false);
}

static void a_refusal_is_shown_by_its_name(void **state)
{
    (void)state;
    model.stats = NULL;
    model.next = NULL;
    model.as_of_ms = 0;
    model.link = LINK_REFUSED;
    snprintf(model.link_name, sizeof model.link_name, "KEY_REVOKED");
    snprintf(model.link_text, sizeof model.link_text, "the key was revoked");
    screen_check("refused_60x15", 60, 15, false);
}

static void names_of_any_script_keep_the_columns(void **state)
{
    (void)state;
    job_fill(0, 0, "acme", "店舗アプリ", "bundle", 42, 72000);
    job_fill(1, 1, "globex", "cafe\xcc\x81-d\xc3\xa9j\xc3\xa0", "install", 17, 31000);
    job_fill(3, 3, "initech", "пример-приложения", "compile", 88, 132000);
    workers[0].worker = (char *)"строитель-1";
    nexts[1].app = (char *)"장바구니와결제화면모음";
    nexts[2].app = (char *)"🛒 shop";
    screen_check("unicode_80x24", 80, 24, false);
}

static void hostile_names_cannot_command_the_terminal(void **state)
{
    (void)state;
    job_fill(0, 0, "acme", "\x1b[2J\x1b]0;owned\x07",
             "bun\x9b"
             "dle",
             42, 72000);
    nexts[0].app = (char *)"a\xe2\x80\xaez\xff\xfe"; /* right-to-left override, broken UTF-8 */
    workers[0].worker = (char *)"line\nbreak\ttab";
    AUTO_FREE char *text = screen_text(80, 24, false);
    for (const char *c = text; *c; c++)
        assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
    assert_null(strstr(text, "\xe2\x80\xae"));
    screen_check("hostile_80x24", 80, 24, false);
}

static void an_answer_out_of_range_is_drawn_within_its_cells(void **state)
{
    (void)state;
    job_fill(0, (Rota__Tier)77, "acme", "shop", "bundle", 4000000000u, UINT64_MAX);
    tier_fill(3, UINT64_MAX, UINT64_MAX, 1, 1, UINT64_MAX);
    tiers[3].accounts = UINT64_MAX;
    pools[0].c = 4000000000u;
    pools[0].n = 4000000000u;
    workers[0].slots = UINT32_MAX;
    static const int sizes[][2] = {{0, 0},   {1, 1},   {40, 9},   {41, 10},  {60, 15},
                                   {80, 24}, {123, 9}, {124, 50}, {400, 120}};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO_FREE char *text = screen_text(sizes[i][0], sizes[i][1], false);
        lines_check(text, sizes[i][0], sizes[i][1]);
    }
}

static void every_size_up_to_200_by_60_stays_inside(void **state)
{
    (void)state;
    unsigned n = 0;
    for (int w = 0; w <= 200; w += 3)
        for (int h = 0; h <= 60; h += 2, n++) {
            AUTO_FREE char *text = screen_text(w, h, false);
            lines_check(text, w, h);
        }
    printf("%u sizes drawn\n", n);
}

static void the_form_stands_over_the_picture(void **state)
{
    (void)state;
    keys_handle(&model, 'H');
    screen_check("form_80x24", 80, 24, false);
}

static void a_wrong_form_says_what_is_wrong(void **state)
{
    (void)state;
    keys_handle(&model, 'H');
    keys_handle(&model, KEYS_TAB);
    for (int i = 0; i < 3; i++)
        keys_handle(&model, KEYS_ERASE);
    assert_int_equal(keys_handle(&model, KEYS_ENTER), KEYS_REDRAW);
    screen_check("form_wrong_60x15", 60, 15, false);
}

static void the_help_names_every_key(void **state)
{
    (void)state;
    keys_handle(&model, '?');
    screen_check("help_80x24", 80, 24, false);
}

static void what_came_of_a_deed_stands_at_the_foot(void **state)
{
    (void)state;
    snprintf(model.note, sizeof model.note, "bundle: 4 slots stay warm until 2026-11-20T09:53:05Z");
    AUTO_FREE char *text = screen_text(80, 24, false);
    assert_non_null(strstr(text, " bundle: 4 slots stay warm until 2026-11-20T09:53:05Z\n"));
}

static void scrolling_moves_the_workers_and_stops_at_their_end(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        keys_handle(&model, KEYS_DOWN);
    AUTO_FREE char *text = screen_text(60, 15, false);
    assert_non_null(strstr(text, "build-3"));
    assert_null(strstr(text, "build-1"));
}

static int locale_setup(void **state)
{
    (void)state;
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static int report(void **state)
{
    (void)state;
    printf("%u screens compared\n", compared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_busy_hour_fits_80_by_24, setup),
        cmocka_unit_test_setup(a_wide_terminal_shows_workers_beside_the_queue, setup),
        cmocka_unit_test_setup(a_tall_terminal_shows_more_of_what_comes_next, setup),
        cmocka_unit_test_setup(a_narrow_terminal_keeps_the_four_tiers_whole, setup),
        cmocka_unit_test_setup(a_tiny_terminal_says_what_it_needs, setup),
        cmocka_unit_test_setup(an_ascii_terminal_gets_ascii_only, setup),
        cmocka_unit_test_setup(a_pool_says_what_stops_it, setup),
        cmocka_unit_test_setup(an_empty_queue_says_so, setup),
        cmocka_unit_test_setup(before_the_first_answer_it_says_where_it_asks, setup),
        cmocka_unit_test_setup(the_last_picture_stays_while_the_broker_is_away, setup),
        cmocka_unit_test_setup(a_refusal_is_shown_by_its_name, setup),
        cmocka_unit_test_setup(names_of_any_script_keep_the_columns, setup),
        cmocka_unit_test_setup(hostile_names_cannot_command_the_terminal, setup),
        cmocka_unit_test_setup(an_answer_out_of_range_is_drawn_within_its_cells, setup),
        cmocka_unit_test_setup(every_size_up_to_200_by_60_stays_inside, setup),
        cmocka_unit_test_setup(the_form_stands_over_the_picture, setup),
        cmocka_unit_test_setup(a_wrong_form_says_what_is_wrong, setup),
        cmocka_unit_test_setup(the_help_names_every_key, setup),
        cmocka_unit_test_setup(what_came_of_a_deed_stands_at_the_foot, setup),
        cmocka_unit_test_setup(scrolling_moves_the_workers_and_stops_at_their_end, setup),
    };
    return cmocka_run_group_tests(tests, locale_setup, report);
}
