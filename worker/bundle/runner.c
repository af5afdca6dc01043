/* runner.c: runner bundle. React Native sources become a Hermes bundle, a map and packed assets.
 *
 * Everything that touches the app's bytes runs in bubblewrap (plan.c says which program sees what);
 * the agent itself only opens, hashes and copies the files that come out. Each phase is a row of
 * phase.c. */
#include "app_rc.h"
#include "cache_choose.h"
#include "call.h"
#include "explain.h"
#include "frame.h"
#include "layer.h"
#include "modules.h"
#include "phase.h"
#include "product.h"
#include "standby.h"
#include "swap.h"
#include "verdict.h"

#include <base/clock.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HEAP_MIB = 3072, HEAP_MIB_LEAST = 64, HEAP_MIB_MOST = 65536 };

static struct setup setup; /* written once, by check(), before there are threads */

/* ---- check ---- */

static void heap_choose(void)
{
    const char *told = getenv("ROTA_NODE_HEAP_MIB");
    long mib = told ? strtol(told, NULL, 10) : HEAP_MIB;
    if (mib < HEAP_MIB_LEAST || mib > HEAP_MIB_MOST)
        mib = HEAP_MIB;
    setup.heap_mib = (uint64_t)mib;
}

static int bundle_check(const struct runner_settings *s, char said[RUNNER_SAID_MAX])
{
    if (sodium_init() < 0)
        return err_raise(-EIO);
    char why[TOOLS_WHY_MAX] = "";
    program_note();
    int r = filters_make();
    if (r == 0)
        r = space_enter(&setup.root, why);
    if (r == 0)
        r = tools_find(&setup.root, &setup.tools, why);
    if (r == 0)
        r = managers_find(&setup.tools, &setup.managers);
    if (r == 0)
        r = routes_read(s, &setup.tools.rc, &setup.routes, why);
    if (r == 0)
        r = frame_probe(&setup.tools, why);
    if (r == 0)
        cgroups_here(s->cgroup, &setup.cgroups);
    if (r == 0)
        r = swap_check_here(&setup.root, &setup.cgroups, s->allow_swap, why);
    if (r < 0)
        return err_pass(r);
    if (r > 0) {
        snprintf(said, RUNNER_SAID_MAX, "%s", why);
        return RUNNER_UNUSABLE;
    }
    r = layer_driver_hash(setup.tools.always, setup.driver_sha256);
    if (r < 0)
        return err_pass(r);
    cache_choose(s->cache_dir, s->cache_bytes, &setup.cache);
    heap_choose();
    const struct cgroups *g = &setup.cgroups;
    char nodes[NODES_TEXT_MAX], managers[MANAGERS_TEXT_MAX];
    nodes_text(&setup.tools.nodes, nodes);
    managers_text(&setup.managers, managers);
    snprintf(said, RUNNER_SAID_MAX,
             "node=%.120s managers=%s limits-by=%s%s%.180s%s sandbox-uid=%u user-namespace=%s "
             "workspace_bytes=%llu "
             "at=%.100s",
             nodes, managers, cgroups_text(g), g->why[0] ? " why=\"" : "", g->why,
             g->why[0] ? "\"" : "", (unsigned)setup.tools.owner,
             setup.root.has_user_namespace ? "own" : "host", (unsigned long long)s->workspace_bytes,
             setup.root.path);
    return 0;
}

/* ---- run ---- */

static bool names_choose(struct work *w)
{
    w->platform = platform_of(w->build->platform);
    if (!w->platform)
        return false;
    const char *name = w->platform->bundle;
    snprintf(w->bundle_name, sizeof w->bundle_name, "%s", name);
    snprintf(w->bytecode_name, sizeof w->bytecode_name, "%s.hbc", name);
    snprintf(w->map_name, sizeof w->map_name, "%s.map", name);
    const struct {
        enum word word;
        const char *folder, *suffix;
    } files[] = {{WORD_BUNDLE_FILE, "out", ""},
                 {WORD_BYTECODE_FILE, "out", ".hbc"},
                 {WORD_PACKAGER_MAP_FILE, "out", ".packager.map"},
                 {WORD_MAP_FILE, "map", ".map"}};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        snprintf(w->file_words[files[i].word], WORK_FILE_MAX, "/w/%s/%s%s", files[i].folder, name,
                 files[i].suffix);
    return true;
}

/* Not a secret: the app's own code could put it into the bundle. What the dynamic loader reads
 * would run code before rota-box has set the limits. */
static bool is_for_builds(const struct build_var *var)
{
    return !var->is_secret && strncmp(var->text, "LD_", 3) != 0 &&
           strncmp(var->text, "GLIBC_", 6) != 0;
}

static void env_choose(struct work *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->build->vars && n < WORK_ENV_MAX; i++)
        if (is_for_builds(&w->build->var[i]))
            w->env[n++] = w->build->var[i].text;
}

static int work_open(struct work *w)
{
    work_fit(w, w->build->tier);
    env_choose(w);
    w->log_fd = memfd_create("build.log", MFD_CLOEXEC);
    if (w->log_fd < 0)
        return err_raise(-errno);
    if (!names_choose(w)) {
        build_fail(w->result, E_PLATFORM_UNKNOWN, NULL);
        return WORK_ENDED;
    }
    char why[SPEC_WHY_MAX];
    if (spec_parse(w->build->spec, w->build->spec_bytes, &w->spec, why) != 0) {
        build_fail(w->result, E_SPEC_INVALID, "%s", why);
        return WORK_ENDED;
    }
    standby_take(w);
    if (w->space)
        return 0;
    return space_new(&setup.root, w->name, w->build->settings->workspace_bytes, setup.tools.owner,
                     &w->space);
}

static int phase_do(struct work *w, const struct phase *p)
{
    uint64_t from_ms = clock_boot_ms();
    int r = work_go_on(w);
    if (r != 0)
        return r;
    w->phase = p;
    work_say(w, "--- %s", p->name);
    work_share(w, 0, NULL);
    r = p->run(w);
    if (r == 0)
        work_share(w, 1, NULL);
    w->percent_from += p->weight;
    build_phase_add(w->result, p->name, clock_boot_ms() - from_ms);
    return r;
}

static int phases_do(struct work *w)
{
    int r = work_open(w);
    for (size_t i = 0; r == 0 && i < phases_n; i++)
        if (phases[i].is_for_heat || !work_is_heat(w))
            r = phase_do(w, &phases[i]);
    return r;
}

/* Always, and never a reason for the build to end otherwise. */
static void clean(struct work *w, bool is_done)
{
    uint64_t from_ms = clock_boot_ms();
    products_close(w);
    w->rc = app_rc_free(w->rc);
    w->composer = ahead_free(w->composer);
    standby_end(w);
    modules_end(w);
    if (is_done && work_is_heat(w))
        standby_note(w);
    layer_end(w);
    w->space = space_free(w->space);
    if (w->log_fd >= 0)
        close(w->log_fd);
    build_phase_add(w->result, phase_clean.name, clock_boot_ms() - from_ms);
}

static int bundle_run(struct build *b, struct build_result *ret)
{
    struct work w = {.build = b, .result = ret, .setup = &setup, .log_fd = -1, .side = ""};
    w.facts.started_ms = clock_wall_ms();
    int r = phases_do(&w);
    if (r == WORK_ENDED && ret->outcome == BUILD_FAILED) {
        work_say(&w, "%s: %s", error_row(ret->error)->name, ret->text);
        log_keep(&w);
    }
    clean(&w, r == 0);
    if (r < 0)
        return err_pass(r);
    if (r == 0) {
        ret->outcome = BUILD_SUCCEEDED;
        build_progress(b, phase_clean.name, 100, NULL);
    }
    return 0;
}

static void bundle_idle(const struct runner_settings *s, uint32_t slot, bool is_warm)
{
    if (is_warm)
        standby_start(&setup, s, slot);
    else
        standby_stop(slot);
}

/* The builds of class heat fill what those of bundle share. */
static const char *const classes[] = {"bundle", "heat", NULL};

const struct runner runner_bundle = {.name = "bundle",
                                     .class = classes,
                                     .check = bundle_check,
                                     .explain = explain,
                                     .run = bundle_run,
                                     .idle = bundle_idle};
