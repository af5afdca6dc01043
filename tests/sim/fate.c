/* fate.c: the table of blows. */
#include "sim/fate.h"

#include "sched/month.h"
#include "sim/world.h"

enum {
    PAUSE_MS_MAX = 400,
    DOWN_MS_MAX = 600,
    CUT_MS_MAX = 3000,
    SLOW_MS_MAX = 700,
    WALL_STEP_MS_MAX = 3600000,
    MONTH_END_MS_MAX = 4000,
    BROKEN_MS_MAX = 6000,
};

/* ---- the store ---- */

static const struct {
    enum store_sim_fault fault;
    unsigned weight, times_max;
} store_faults[] = {
    {STORE_SIM_NO_ROOM, 4, 6},      {STORE_SIM_WRITE_FULL, 6, 4},   {STORE_SIM_WRITE_EIO, 3, 1},
    {STORE_SIM_COMMIT_FULL, 4, 3},  {STORE_SIM_COMMIT_MADE, 3, 1},  {STORE_SIM_COMMIT_LOST, 3, 1},
    {STORE_SIM_UNKNOWN_MADE, 2, 1}, {STORE_SIM_UNKNOWN_LOST, 2, 1}, {STORE_SIM_COMMIT_FENCED, 1, 1},
    {STORE_SIM_COMMIT_SLOW, 6, 5},
};

static void store_fails(struct world *w)
{
    unsigned sum = 0, i = 0;
    if (!host_is_up(&w->host))
        return;
    for (size_t k = 0; k < ARRAY_LEN(store_faults); k++)
        sum += store_faults[k].weight;
    for (unsigned at = world_below(w, sum); at >= store_faults[i].weight; i++)
        at -= store_faults[i].weight;
    enum store_sim_fault f = store_faults[i].fault;
    bool is_write = f == STORE_SIM_WRITE_FULL || f == STORE_SIM_WRITE_EIO;
    uint64_t after = world_below(w, is_write ? 40 : 4);
    uint64_t times = 1 + world_below(w, store_faults[i].times_max);
    store_sim_slowness(w->host.store, 1 + world_below(w, SLOW_MS_MAX));
    store_sim_arm(w->host.store, f, after, times);
    world_trace(w, "fate: %s, after %llu, %llu times", store_sim_fault_name(f),
                (unsigned long long)after, (unsigned long long)times);
}

/* ---- the process and the machine ---- */

static void process_dies(struct world *w)
{
    world_trace(w, "fate: the broker is killed");
    world_kill(w, 1 + world_below(w, DOWN_MS_MAX));
}

static void process_dies_unheard(struct world *w)
{
    world_trace(w, "fate: the broker dies after its next commit, before it speaks");
    w->host.dies_after_commit = true;
}

static void process_restarts(struct world *w)
{
    world_trace(w, "fate: the broker is restarted");
    if (host_is_up(&w->host))
        world_drain(w);
    world_kill(w, 1 + world_below(w, DOWN_MS_MAX));
}

static void machine_reboots(struct world *w)
{
    world_trace(w, "fate: the machine reboots");
    w->stats[STAT_REBOOTS]++;
    clock_reboot(&w->clock);
    world_kill(w, 1 + world_below(w, DOWN_MS_MAX));
}

static void wall_clock_steps(struct world *w)
{
    int64_t by_ms = (int64_t)world_below(w, 2 * WALL_STEP_MS_MAX) - WALL_STEP_MS_MAX;
    w->stats[STAT_CLOCK_STEPS]++;
    clock_step_wall(&w->clock, world_chance(w, 500) ? by_ms : by_ms / 1000);
    world_trace(w, "fate: the wall clock is at %llu",
                (unsigned long long)clock_read(&w->clock).wall_ms);
}

/* The clock is set to the last moments of the month. */
static void months_pass(struct world *w)
{
    uint64_t wall_ms = clock_read(&w->clock).wall_ms;
    uint64_t ends_ms = month_start_ms(month_of(wall_ms) + 1u);
    uint64_t by_ms = ends_ms - wall_ms;
    if (by_ms > MONTH_END_MS_MAX)
        by_ms -= world_below(w, MONTH_END_MS_MAX);
    w->stats[STAT_CLOCK_STEPS]++;
    clock_step_wall(&w->clock, (int64_t)by_ms);
    world_trace(w, "fate: it is the end of the month, %llu",
                (unsigned long long)clock_read(&w->clock).wall_ms);
}

/* Every run of a class fails for a while, whatever it does. */
static void class_breaks(struct world *w)
{
    unsigned class = world_below(w, CLASSES);
    w->broken_until_ms[class] = w->clock.now_ms + world_below(w, BROKEN_MS_MAX);
    world_trace(w, "fate: the infrastructure of class %s is broken until %llu", world_class(class),
                (unsigned long long)w->broken_until_ms[class]);
}

/* ---- links ---- */

void fate_weather(struct world *w, struct weather *ret_weather)
{
    static const struct weather kinds[] = {
        {0, 0, 0, 2, 0},         /* a local socket */
        {2, 2, 10, 30, 200},     /* a network */
        {60, 30, 100, 60, 2000}, /* a bad one */
        {250, 60, 250, 40, 800}, /* hardly one at all */
    };
    unsigned most = w->storm_permille ? ARRAY_LEN(kinds) : 1;
    *ret_weather = kinds[world_below(w, most)];
}

static void weather_turns(struct world *w)
{
    struct actor *a = w->actors[world_below(w, w->actors_n)];
    fate_weather(w, &a->link.weather);
    world_trace(w, "fate: %s's link loses %u of 1000", a->name, a->link.weather.lost_permille);
}

static void link_is_cut(struct world *w)
{
    struct actor *a = w->actors[world_below(w, w->actors_n)];
    uint64_t until_ms = w->clock.now_ms + world_below(w, CUT_MS_MAX);
    unsigned ways = 1 + world_below(w, 3);
    w->stats[STAT_CUTS]++;
    for (unsigned way = 0; way < LINK_WAYS; way++)
        if (ways & 1u << way)
            a->link.cut_until_ms[way] = until_ms;
    world_trace(w, "fate: %s's link is cut until %llu, ways %u", a->name,
                (unsigned long long)until_ms, ways);
}

static void link_breaks(struct world *w)
{
    struct actor *a = w->actors[world_below(w, w->actors_n)];
    world_trace(w, "fate: %s's connection breaks", a->name);
    world_reconnect(w, a, world_chance(w, 700));
}

/* ---- which, and when ---- */

static const struct {
    void (*strike)(struct world *w);
    unsigned weight;
} blows[] = {{store_fails, 40},     {process_dies, 6},    {process_dies_unheard, 6},
             {process_restarts, 2}, {machine_reboots, 2}, {wall_clock_steps, 4},
             {months_pass, 1},      {class_breaks, 4},    {weather_turns, 10},
             {link_is_cut, 10},     {link_breaks, 6}};

static void strike(struct world *w, struct event *e);

static void strike_next(struct world *w)
{
    uint64_t pause_ms = 1 + world_below(w, PAUSE_MS_MAX) * 1000 / w->storm_permille;
    agenda_add(&w->agenda, (struct event){.at_ms = w->clock.now_ms + pause_ms, .happen = strike});
}

static void strike(struct world *w, struct event *e)
{
    unsigned sum = 0, i = 0;
    (void)e;
    if (w->is_ending)
        return;
    for (size_t k = 0; k < ARRAY_LEN(blows); k++)
        sum += blows[k].weight;
    for (unsigned at = world_below(w, sum); at >= blows[i].weight; i++)
        at -= blows[i].weight;
    blows[i].strike(w);
    strike_next(w);
}

void fate_begin(struct world *w)
{
    if (w->storm_permille)
        strike_next(w);
}

void fate_end(struct world *w)
{
    for (unsigned i = 0; i < w->actors_n; i++)
        w->actors[i]->link = (struct link){.weather = {.delay_ms_max = 1}};
    if (host_is_up(&w->host))
        store_sim_disarm(w->host.store);
    w->host.dies_after_commit = false;
    memset(w->broken_until_ms, 0, sizeof w->broken_until_ms);
    clock_set_right(&w->clock);
}
