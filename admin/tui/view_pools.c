/* view_pools.c: a line for each pool: depth, waiting workers, where the rotation stands, heat or
 * what stops it. The chosen pool is marked; it is the one whose next dispatches are shown and that
 * `H` heats. */
#include "text.h"
#include "view.h"

#include <stdio.h>
#include <string.h>

enum { NAME_COLUMNS = 14, ROTATION_N = 3, ROOM_LEFT = 22, ROOM_WARM = 32 };

/* "last P2 ●●○": the tier of the last turn and the dispatches since. */
static int rotation_draw(struct area a, int x, int y, const Rota__PoolStats *pool)
{
    static const char *const dots[2][2] = {{"○", "●"}, {".", "o"}};
    int used = put(a, x, y, 5, PAINT_DIM, "turn");
    enum paint paint = pool->c >= 1 && pool->c <= 3 ? PAINT_P0 + pool->c : PAINT_PLAIN;
    used += 1 + putf(a, x + used + 1, y, 3, paint, "P%u", pool->c);
    used++;
    for (unsigned i = 0; i < ROTATION_N; i++)
        used += put(a, x + used, y, 1, i < pool->n ? paint : PAINT_REST,
                    dots[a.cells->ascii][i < pool->n]);
    return used;
}

/* "heat 5, 1h 59m left, 2 warm", as much of it as there is room for. */
static void heat_draw(const struct model *m, struct area a, int x, int y,
                      const Rota__PoolStats *pool)
{
    char left[TEXT_SHORT_LEN + 1], warm[TEXT_SHORT_LEN + 1] = "";
    int room = a.w - x - 1;
    if (room >= ROOM_WARM)
        snprintf(warm, sizeof warm, ", %u warm", pool->slots);
    if (pool->heat_slots && pool->heat_until_ms > m->now_ms)
        putf(a, x, y, room, PAINT_WARN, "heat %u, %s%s%s", pool->heat_slots,
             text_duration(pool->heat_until_ms - m->now_ms, left), room < ROOM_LEFT ? "" : " left",
             warm);
    else if (pool->ready && !pool->slots)
        put(a, x, y, room, PAINT_WARN, "no worker");
    else
        put(a, x, y, room, PAINT_DIM, "heat off");
}

static bool is_stopped(const Rota__ClassStats *class)
{
    return class->paused || strcmp(class->breaker, "closed") != 0;
}

/* What keeps the pool or a class of it from being served: "task: breaker open, 59s left". False:
 * nothing does. */
static bool stop_draw(const struct model *m, struct area a, int x, int y,
                      const Rota__PoolStats *pool)
{
    char left[TEXT_SHORT_LEN + 1];
    int room = a.w - x - 1;
    for (size_t i = 0; i < pool->n_class_state; i++) {
        const Rota__ClassStats *class = pool->class_state[i];
        if (!is_stopped(class))
            continue;
        if (class->paused)
            putf(a, x, y, room, PAINT_WARN, "%s: paused", class->class_);
        else if (class->open_until_ms > m->now_ms)
            putf(a, x, y, room, PAINT_WARN, "%s: breaker %s, %s left", class->class_,
                 class->breaker, text_duration(class->open_until_ms - m->now_ms, left));
        else
            putf(a, x, y, room, PAINT_WARN, "%s: breaker %s", class->class_, class->breaker);
        return true;
    }
    if (pool->bars)
        put(a, x, y, room, PAINT_WARN, "paused");
    return pool->bars != 0;
}

static int number_draw(struct area a, int x, int y, uint64_t n, const char *word)
{
    char text[TEXT_SHORT_LEN + 1];
    put_right(a, x, y, 6, n ? PAINT_PLAIN : PAINT_DIM, text_count(n, text));
    return 6 + 1 + put(a, x + 7, y, 12, PAINT_DIM, word);
}

static void pool_draw(const struct model *m, struct area a, int y, const Rota__PoolStats *pool)
{
    bool is_chosen = pool == model_pool(m);
    bool is_roomy = a.w >= 74;
    int x = NAME_COLUMNS + 1;
    if (is_chosen)
        put(a, 1, y, 1, PAINT_KEY, a.cells->ascii ? ">" : "▸");
    put(a, 3, y, NAME_COLUMNS - 3, is_chosen ? PAINT_HEAD : PAINT_PLAIN, pool->pool);
    x += number_draw(a, x, y, pool->ready, "ready");
    x += number_draw(a, x, y, pool->leased, "leased");
    if (is_roomy)
        x += 3 + rotation_draw(a, x + 3, y, pool);
    if (!stop_draw(m, a, x + 3, y, pool))
        heat_draw(m, a, x + 3, y, pool);
}

void view_pools(const struct model *m, struct area a)
{
    if (!a.h)
        return;
    put_rule(a, 0, "POOLS");
    if (!m->stats->n_pool)
        put(a, 3, 1, a.w - 4, PAINT_DIM, "none yet");
    /* When not all fit, the chosen one is among those that are shown. */
    int rows = a.h - 1, n = (int)m->stats->n_pool, chosen = (int)model_pool_index(m);
    int first = chosen >= rows ? chosen - rows + 1 : 0;
    for (int i = 0; i < rows && first + i < n; i++)
        pool_draw(m, a, 1 + i, m->stats->pool[first + i]);
}
