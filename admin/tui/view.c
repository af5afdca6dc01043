/* view.c: the frame of the screen: title, sections and how they share the rows, hints.
 *
 *   rota · production                       live · 12:31:05Z      title
 *   artifacts away, 4.0s left: …                                  only when something is wrong
 *   TIER        READY  DELAYED  HELD  LEASED  OLDEST …            tiers: always whole
 *   POOLS ────                                                    rotation and heat
 *   NEXT IN bundle ────                                           what goes out next
 *   WORKERS 3 · 9 of 12 slots busy ────                           the rest of the rows
 *   H heat  Tab pool  …                                           keys, or what came of the last
 * deed
 *
 * From WIDE_COLUMNS on the workers stand beside the rest. The more a section can do without rows,
 * the sooner it gives them up. */
#include "view.h"

#include "keys.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

enum { WIDE_COLUMNS = 132, LEFT_COLUMNS = 76, LEAST_COLUMNS = 40, LEAST_ROWS = 9 };
enum { TIER_ROWS = 5, TOTAL_FROM_ROWS = 20, GAPS = 3 };

const char *view_id_tail(const char *job)
{
    size_t n = strlen(job);
    return n > ID_SHORT_BYTES ? job + n - ID_SHORT_BYTES : job;
}

static int state_text(const struct model *m, char *text, size_t n, enum paint *ret_paint)
{
    static const struct {
        const char *word;
        enum paint paint;
    } links[] = {
        [LINK_CONNECTING] = {"connecting…", PAINT_WARN},
        [LINK_LIVE] = {"live", PAINT_GOOD},
        [LINK_AWAY] = {"reconnecting…", PAINT_WARN},
        [LINK_REFUSED] = {"refused", PAINT_BAD},
    };
    char at[TEXT_SHORT_LEN + 1], age[TEXT_SHORT_LEN + 1];
    bool is_stale = m->link != LINK_LIVE && m->as_of_ms && m->now_ms > m->as_of_ms;
    *ret_paint = links[m->link].paint;
    if (is_stale)
        return snprintf(text, n, "%s picture of %s ago", links[m->link].word,
                        text_duration(m->now_ms - m->as_of_ms, age));
    return snprintf(text, n, "%s  %.9s", links[m->link].word,
                    m->as_of_ms ? text_time(m->as_of_ms, at) + 11 : "");
}

static void title_draw(const struct model *m, struct area a)
{
    char text[NOTE_LEN + 1];
    enum paint paint;
    state_text(m, text, sizeof text, &paint);
    int room = a.w - text_columns(text) - 4;
    int used = put(a, 1, 0, room, PAINT_TITLE, "rota");
    if (m->stats)
        used += putf(a, 1 + used, 0, room - used, PAINT_PLAIN, "  %s", m->stats->environment);
    putf(a, 1 + used, 0, room - used, PAINT_DIM, "  %s", m->url);
    put_right(a, 0, 0, a.w - 1, paint, text);
}

static void foot_draw(const struct model *m, struct area a)
{
    int x = 1;
    if (*m->note) {
        put(a, x, 0, a.w - 2, m->note_is_bad ? PAINT_BAD : PAINT_GOOD, m->note);
        return;
    }
    for (size_t i = 0; i < keys_rows_n; i++) {
        const struct key_row *row = &keys_rows[i];
        int columns = text_columns(row->name) + 1 + text_columns(row->hint);
        if (!*row->hint || x + columns > a.w - 1)
            continue;
        x += put(a, x, 0, a.w, PAINT_KEY, row->name) + 1;
        x += put(a, x, 0, a.w, PAINT_DIM, row->hint) + 3;
    }
}

/* Nothing was seen yet, or the broker says no. */
static void empty_draw(const struct model *m, struct area a)
{
    int y = a.h / 3;
    if (m->link == LINK_REFUSED) {
        putf(a, 2, y, a.w - 4, PAINT_BAD, "The broker refuses: %s", m->link_text);
        putf(a, 2, y + 1, a.w - 4, PAINT_DIM, "%s", m->link_name);
        return;
    }
    putf(a, 2, y, a.w - 4, PAINT_PLAIN, "No word from the broker at %s yet.", m->url);
    put(a, 2, y + 1, a.w - 4, PAINT_DIM, "It is tried again by itself. Is rotad running?");
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

/* Rows of each section, its rule included, 0: not shown; and of the gap before each. */
struct share {
    int tiers, pools, next, workers, gap;
};

static struct share rows_share(const struct model *m, int rows, bool has_workers)
{
    struct share s = {.tiers = least(rows, TIER_ROWS + (rows + 2 >= TOTAL_FROM_ROWS))};
    int left = rows - s.tiers, pools = (int)m->stats->n_pool;
    int next = m->next ? (int)m->next->n_job : 0;
    if (left >= 6)
        s.pools = 1 + most(1, least(pools, left / 6));
    left -= s.pools;
    if (left >= 5)
        s.next = 1 + most(1, least(next, has_workers ? left / 3 : left - 1));
    left -= s.next;
    if (has_workers)
        s.workers = least(left, 1 + most(1, view_workers_lines(m)));
    left -= s.workers;
    s.gap = left >= GAPS;
    left -= s.gap * GAPS;
    if (s.next && next >= s.next) /* rows that no worker needs show more of what comes next */
        s.next += least(left, next - s.next + 1);
    return s;
}

static void sections_draw(const struct model *m, struct area a, bool has_workers)
{
    struct share s = rows_share(m, a.h, has_workers);
    int y = 0;
    view_tiers(m, area_part(a, 0, y, a.w, s.tiers));
    y += s.tiers + s.gap;
    view_pools(m, area_part(a, 0, y, a.w, s.pools));
    y += s.pools + s.gap;
    view_next(m, area_part(a, 0, y, a.w, s.next));
    y += s.next + s.gap;
    if (has_workers)
        view_workers(m, area_part(a, 0, y, a.w, a.h - y));
}

static void main_draw(const struct model *m, struct area a)
{
    if (!m->stats) {
        empty_draw(m, a);
        return;
    }
    bool is_wide = a.w >= WIDE_COLUMNS;
    int left = is_wide ? most(LEFT_COLUMNS, a.w / 2) : a.w;
    sections_draw(m, area_part(a, 0, 0, left, a.h), !is_wide);
    if (is_wide)
        view_workers(m, area_part(a, left, 0, a.w - left, a.h));
}

void view_draw(const struct model *m, struct cells *c)
{
    struct area a = area_all(c);
    area_clear(a);
    if (a.w < LEAST_COLUMNS || a.h < LEAST_ROWS) {
        putf(a, 0, 0, a.w, PAINT_WARN, "rota needs %d x %d", LEAST_COLUMNS, LEAST_ROWS);
        return;
    }
    title_draw(m, area_part(a, 0, 0, a.w, 1));
    int top = 1 + view_has_alarm(m);
    if (top > 1)
        view_alarm(m, area_part(a, 0, 1, a.w, 1));
    if (m->page == PAGE_HELP)
        view_help(area_part(a, 0, top, a.w, a.h - 1 - top));
    else
        main_draw(m, area_part(a, 0, top, a.w, a.h - 1 - top));
    foot_draw(m, area_part(a, 0, a.h - 1, a.w, 1));
    if (m->form.is_open)
        view_form(m, a);
}
