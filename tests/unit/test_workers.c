/* test_workers.c: what the broker keeps of a connected worker: what it has for its jobs, by its own
 * word. Operators read it; a worker that says too much must cost the broker no more than one that
 * says little, and what it says must not change what it is given. */
#undef NDEBUG
#include "engine_kit.h"

#include <base/auto.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct board_resources declare(struct engine_kit *k, const Rota__Resources *resources)
{
    Rota__Heartbeat heartbeat = ROTA__HEARTBEAT__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char *classes[] = {(char *)"task"};
    struct board_worker *all = NULL;
    size_t n = 0;
    request.op_case = ROTA__REQUEST__OP_HEARTBEAT;
    request.heartbeat = &heartbeat;
    heartbeat.worker = (char *)"w";
    heartbeat.class_ = classes;
    heartbeat.n_class_ = 1;
    heartbeat.slots = 2;
    heartbeat.resources = (Rota__Resources *)(uintptr_t)resources;
    kit_turn(k, kit_request(k, &request, NULL));
    assert_int_equal(board_workers(k->board, &all, &n), 0);
    assert_int_equal(n, 1);
    struct board_resources said = all[0].resources;
    free(all);
    return said;
}

/* It is kept as the last heartbeat said it, bounded, and decides nothing. */
static void what_a_worker_has_is_kept_as_it_says(void **state)
{
    struct engine_kit *k = *state;
    char *nodes[] = {(char *)"v22.13.0", (char *)"", (char *)"v20.20.2"}, *many[16];
    Rota__Resources has = ROTA__RESOURCES__INIT;
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = (char *)"yarn-1.22.22";
    has.cpus = 8;
    has.memory_bytes = UINT64_C(16) << 30;
    has.node = nodes;
    has.n_node = ARRAY_LEN(nodes);
    has.manager = many;
    has.n_manager = ARRAY_LEN(many);
    has.limits = (char *)"cgroup-v2";
    struct board_resources said = declare(k, &has);
    assert_true(said.are_said);
    assert_int_equal(said.cpus, 8);
    assert_int_equal(said.memory_bytes, UINT64_C(16) << 30);
    assert_string_equal(said.nodes, "v22.13.0 v20.20.2");
    assert_string_equal(said.limits, "cgroup-v2");
    assert_int_equal(strlen(said.managers) % 13, 12); /* whole names, a blank between */
    assert_in_range(strlen(said.managers), RESOURCE_NAMES_MAX - 13, RESOURCE_NAMES_MAX);
    has = (Rota__Resources)ROTA__RESOURCES__INIT;
    said = declare(k, &has);
    assert_int_equal(said.cpus + strlen(said.nodes) + strlen(said.managers), 0);
    assert_false(declare(k, NULL).are_said); /* an older worker */
    kit_publish(k, "", NULL);
    struct kit_lease l;
    assert_true(kit_lease(k, "w", &l)); /* one with nothing at all is given the job */
}

int main(void)
{
    const struct CMUnitTest tests[] = {ENGINE_CASE(what_a_worker_has_is_kept_as_it_says)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
