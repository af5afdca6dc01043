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
#include "view_kit.h"

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

static unsigned compared;

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

static void what_stops_publishes_and_artifacts_stands_below_the_title(void **state)
{
    (void)state;
    Rota__ArtifactStats store = ROTA__ARTIFACT_STATS__INIT;
    store.kind = (char *)"bucket";
    store.state = (char *)"ok";
    store.error = (char *)"";
    store.breaker = (char *)"closed";
    stats.artifact_store = &store;
    screen_check("busy_80x24", 80, 24, false); /* no alarm, no line */
    store.state = (char *)"away";
    store.error = (char *)"STORE_UNAVAILABLE";
    store.text = (char *)"Connection timed out after 3000 ms";
    store.open_until_ms = NOW_MS + 4000;
    screen_check("alarm_80x24", 80, 24, false);
    stats.store_full = true;
    AUTO_FREE char *both = screen_text(100, 40, false);
    assert_non_null(
        strstr(both, "database full: publishes are refused   artifacts away, 4.0s left"));
    lines_check(both, 100, 40);
    stats.store_full = false;
    store.state = (char *)"foreign";
    store.error = (char *)"ENVIRONMENT_MISMATCH";
    store.text = (char *)"it belongs to environment staging";
    store.open_until_ms = 0;
    AUTO_FREE char *foreign = screen_text(80, 24, false);
    assert_non_null(strstr(foreign, "artifacts foreign: it belongs to environment staging"));
    store.state = (char *)"full";
    store.error = (char *)"";
    store.full_percent = 93;
    AUTO_FREE char *full = screen_text(60, 15, false);
    assert_non_null(strstr(full, "artifacts: disk 93% full"));
}

/* In the worker's own line, where there is room; a narrow one keeps what it showed before. */
static void what_a_worker_has_stands_in_its_line(void **state)
{
    (void)state;
    Rota__Resources has = ROTA__RESOURCES__INIT, one = ROTA__RESOURCES__INIT;
    char *nodes[] = {(char *)"v22.13.0", (char *)"v20.20.2", (char *)"v24.1.0"};
    has.cpus = 16;
    has.memory_bytes = UINT64_C(64) << 30;
    has.node = nodes;
    has.n_node = ARRAY_LEN(nodes);
    one.cpus = 1;
    one.memory_bytes = UINT64_C(2) << 30;
    workers[0].resources = &has;
    workers[2].resources = &one;
    AUTO_FREE char *tall = screen_text(100, 40, false);
    assert_non_null(strstr(tall, " build-1  bundle  16 cpus, 68.7 GB, node v22 v20 v24  "));
    assert_non_null(strstr(tall, " build-2  bundle         "));
    assert_non_null(strstr(tall, " build-3  task  1 cpu, 2.1 GB  "));
    lines_check(tall, 100, 40);
    for (int w = 50; w < 160; w++) {
        AUTO_FREE char *text = screen_text(w, 40, false);
        lines_check(text, w, 40);
        assert_non_null(strstr(text, "2 of 2 slots   seen now"));
    }
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
        cmocka_unit_test_setup(a_busy_hour_fits_80_by_24, view_setup),
        cmocka_unit_test_setup(a_wide_terminal_shows_workers_beside_the_queue, view_setup),
        cmocka_unit_test_setup(a_tall_terminal_shows_more_of_what_comes_next, view_setup),
        cmocka_unit_test_setup(a_narrow_terminal_keeps_the_four_tiers_whole, view_setup),
        cmocka_unit_test_setup(a_tiny_terminal_says_what_it_needs, view_setup),
        cmocka_unit_test_setup(an_ascii_terminal_gets_ascii_only, view_setup),
        cmocka_unit_test_setup(a_pool_says_what_stops_it, view_setup),
        cmocka_unit_test_setup(what_stops_publishes_and_artifacts_stands_below_the_title,
                               view_setup),
        cmocka_unit_test_setup(what_a_worker_has_stands_in_its_line, view_setup),
        cmocka_unit_test_setup(an_empty_queue_says_so, view_setup),
        cmocka_unit_test_setup(before_the_first_answer_it_says_where_it_asks, view_setup),
        cmocka_unit_test_setup(the_last_picture_stays_while_the_broker_is_away, view_setup),
        cmocka_unit_test_setup(a_refusal_is_shown_by_its_name, view_setup),
        cmocka_unit_test_setup(names_of_any_script_keep_the_columns, view_setup),
        cmocka_unit_test_setup(hostile_names_cannot_command_the_terminal, view_setup),
        cmocka_unit_test_setup(an_answer_out_of_range_is_drawn_within_its_cells, view_setup),
        cmocka_unit_test_setup(every_size_up_to_200_by_60_stays_inside, view_setup),
        cmocka_unit_test_setup(the_form_stands_over_the_picture, view_setup),
        cmocka_unit_test_setup(a_wrong_form_says_what_is_wrong, view_setup),
        cmocka_unit_test_setup(the_help_names_every_key, view_setup),
        cmocka_unit_test_setup(what_came_of_a_deed_stands_at_the_foot, view_setup),
        cmocka_unit_test_setup(scrolling_moves_the_workers_and_stops_at_their_end, view_setup),
    };
    return cmocka_run_group_tests(tests, locale_setup, report);
}
