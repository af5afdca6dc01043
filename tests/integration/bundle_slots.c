/* bundle_slots.c: two slots on two processors build more in an hour than one slot does. Packages
 * come from the cache, so that the registry is not what is measured; Metro and hermesc start from
 * nothing in each build, because each has a source of its own and there is no shared layer.
 *
 * As many builds one after the other as side by side, in one run: at least 1.25 times as many an
 * hour. Fails on a machine with one processor, where it can show nothing.
 *
 *   bundle_slots APPS_FOLDER */
#undef NDEBUG
#include "bundle_kit.h"
#include "bundle_pack.h"

#include <assert.h>
#include <base/clock.h>
#include <base/exit.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 2, PERCENT_LEAST = 125, WORKSPACE_MIB = 2048 };

#define CACHE_BYTES (4ull << 30)

struct side {
    pthread_t thread;
    struct kit_order order;
    struct build_result result;
    struct kit_seen seen;
    char archive[KIT_PATH_MAX];
};

static struct kit kit;
static const char *apps;

/* Each build's own source: neither transforms nor bytecode of another one fit all of it. */
static void side_prepare(struct side *s, unsigned slot, unsigned number)
{
    static const char *const layers[] = {"hello"};
    char text[128];
    snprintf(text, sizeof text, "export const number = %u;\n", number);
    snprintf(s->archive, sizeof s->archive, "%.400s/source-%u.tar.gz", kit.folder, number);
    const struct pack_text more = {"src/number.ts", text};
    const struct pack_text index = {
        "index.js", "import {AppRegistry} from 'react-native';\nimport App from './src/App';\n"
                    "import {number} from './src/number';\n"
                    "globalThis.number = number;\n"
                    "AppRegistry.registerComponent('hello', () => App);\n"};
    pack_source(&(struct pack_plan){.top = apps,
                                    .layers = layers,
                                    .layers_n = 1,
                                    .text = (const struct pack_text[]){more, index},
                                    .text_n = 2},
                s->archive);
    s->order = (struct kit_order){.archive = s->archive, .platform = "android", .slot = slot};
}

static void *side_run(void *arg)
{
    struct side *s = arg;
    assert(kit_run(&kit, &s->order, &s->result, &s->seen) == 0);
    return NULL;
}

static void side_check(const struct side *s, const char *name)
{
    kit_print(name, &s->result, &s->seen);
    if (s->result.outcome != BUILD_SUCCEEDED)
        printf("%s\n", s->seen.log);
    assert(s->result.outcome == BUILD_SUCCEEDED);
}

static uint64_t in_turn_ms(struct side side[SLOTS], unsigned number)
{
    uint64_t from_ms = clock_boot_ms();
    for (unsigned i = 0; i < SLOTS; i++) {
        side_prepare(&side[i], 0, number + i);
        side_run(&side[i]);
    }
    return clock_boot_ms() - from_ms;
}

static uint64_t side_by_side_ms(struct side side[SLOTS], unsigned number)
{
    for (unsigned i = 0; i < SLOTS; i++)
        side_prepare(&side[i], i, number + i);
    uint64_t from_ms = clock_boot_ms();
    for (unsigned i = 0; i < SLOTS; i++)
        assert(pthread_create(&side[i].thread, NULL, side_run, &side[i]) == 0);
    for (unsigned i = 0; i < SLOTS; i++)
        pthread_join(side[i].thread, NULL);
    return clock_boot_ms() - from_ms;
}

static bool measure(void)
{
    static struct side first, side[SLOTS];
    side_prepare(&first, 0, 0);
    side_run(&first);
    side_check(&first, "first, with an install");
    uint64_t one_ms = in_turn_ms(side, 1);
    for (unsigned i = 0; i < SLOTS; i++)
        side_check(&side[i], "in turn");
    uint64_t two_ms = side_by_side_ms(side, 1 + SLOTS);
    for (unsigned i = 0; i < SLOTS; i++)
        side_check(&side[i], "side by side");
    uint64_t percent = one_ms * 100 / two_ms;
    printf("one slot: %llu builds an hour; two slots: %llu; %llu.%02llu times as many\n",
           (unsigned long long)(SLOTS * 3600000ull / one_ms),
           (unsigned long long)(SLOTS * 3600000ull / two_ms), (unsigned long long)(percent / 100),
           (unsigned long long)(percent % 100));
    return percent >= PERCENT_LEAST;
}

int main(int argc, char **argv)
{
    char cache[] = "/tmp/rota-slots-XXXXXX";
    assert(argc == 2);
    apps = argv[1];
    if (sysconf(_SC_NPROCESSORS_ONLN) < SLOTS) {
        printf(
            "one processor is online: that two slots build more than one cannot be shown here; run "
            "this on a machine with two\n");
        return EXIT_JOB_FAILED;
    }
    assert(mkdtemp(cache));
    kit_open_cached(&kit, (uint64_t)WORKSPACE_MIB << 20, cache, CACHE_BYTES);
    bool is_good = measure() && kit_leftovers() == 0;
    kit_close(&kit);
    kit_remove(cache);
    return is_good ? EXIT_OK : EXIT_JOB_FAILED;
}
