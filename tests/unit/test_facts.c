/* test_facts.c: shows that what an app's files claim about its tools is bounded and clean before it
 * travels. It matters because one odd version must not make the broker refuse the attestation of a
 * good build. */
#undef NDEBUG
#include "facts_message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wire.h>

#include <cmocka.h>

static void tools_are_bounded_and_told_once(void **state)
{
    (void)state;
    struct facts f = {0};
    char name[20];
    uint8_t hash[FACTS_HASH_BYTES] = {1};
    for (int i = 0; i < FACTS_TOOLS_MAX; i++) {
        snprintf(name, sizeof name, "tool-%d", i);
        assert_int_equal(facts_tool_add(&f, name, "1", NULL), 0);
    }
    assert_int_equal(facts_tool_add(&f, "one-more", "1", NULL), FACTS_FULL);
    assert_int_equal(facts_tool_add(&f, "tool-3", "2", hash), 0); /* known: told anew */
    assert_int_equal(f.tools, FACTS_TOOLS_MAX);
    assert_string_equal(f.tool[3].version, "2");
    assert_true(f.tool[3].has_sha256);
}

static void texts_are_cut_and_cleaned(void **state)
{
    (void)state;
    struct facts f = {0};
    char longest[1000];
    memset(longest, 'v', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(facts_tool_add(&f, "node", "1\n2\x1b[31m\xff", NULL), 0);
    assert_string_equal(f.tool[0].version, "1?2?[31m?");
    assert_int_equal(facts_tool_add(&f, longest, longest, NULL), 0);
    assert_int_equal(strlen(f.tool[1].name), FACTS_NAME_MAX);
    facts_source_set(&f, longest, "HEAD");
    assert_int_equal(strlen(f.source_uri), FACTS_URI_MAX);
    assert_string_equal(f.source_commit, ""); /* a name is no commit */
    facts_source_set(&f, "https://h/a", "0123456789abcdef0123456789abcdef01234567");
    assert_int_equal(strlen(f.source_commit), 40);
}

/* The fullest facts pass the check of the raw bytes that the broker makes. */
static void the_fullest_message_passes_the_brokers_bounds(void **state)
{
    (void)state;
    struct facts f = {.started_ms = 1, .finished_ms = 2};
    struct facts_message m;
    char name[FACTS_NAME_MAX + 1], uri[FACTS_URI_MAX + 1];
    uint8_t hash[FACTS_HASH_BYTES] = {1}, bytes[16384];
    memset(uri, 'u', FACTS_URI_MAX);
    uri[FACTS_URI_MAX] = '\0';
    facts_source_set(&f, uri, "0123456789abcdef0123456789abcdef01234567");
    for (int i = 0; i < FACTS_TOOLS_MAX; i++) {
        snprintf(name, sizeof name, "%0*d", FACTS_NAME_MAX, i);
        assert_int_equal(facts_tool_add(&f, name, name, hash), 0);
    }
    facts_lockfile_set(&f, name, hash);
    facts_fill(&f, &m);
    Rota__Attest attest = ROTA__ATTEST__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct wire_fault fault = {0};
    attest.facts = &m.facts;
    request.op_case = ROTA__REQUEST__OP_ATTEST;
    request.attest = &attest;
    size_t n = rota__request__get_packed_size(&request);
    assert_true(n <= sizeof bytes);
    rota__request__pack(&request, bytes);
    if (!wire_check(&rota__request__descriptor, bytes, n, &fault))
        fail_msg("%s", fault.text);
    printf("%zu bytes of facts\n", n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tools_are_bounded_and_told_once),
        cmocka_unit_test(texts_are_cut_and_cleaned),
        cmocka_unit_test(the_fullest_message_passes_the_brokers_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
