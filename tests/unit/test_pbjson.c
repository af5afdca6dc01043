/* test_pbjson.c shows that every message of the protocol becomes the JSON that scripts rely on:
 * names, plural lists, words, hex, specs, and which zeros are shown. It matters because this mapper
 * is the only one.      */
#undef NDEBUG
#include "cli/pbjson.h"
#include "rota.pb-c.h"

#include <base/auto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TYPES = 6, ROOTS = 2 };

static void gives(const ProtobufCMessage *message, const char *expected)
{
    json_t *j = pb_json(message);
    AUTO_FREE char *text = json_dumps(j, JSON_COMPACT);
    json_decref(j);
    assert_string_equal(text, expected);
}

static void stats_are_the_contract(void **state)
{
    Rota__TierStats tier = ROTA__TIER_STATS__INIT;
    Rota__TierStats *tiers[] = {&tier};
    Rota__WorkerJob job = ROTA__WORKER_JOB__INIT;
    Rota__WorkerJob *jobs[] = {&job};
    Rota__WorkerStats worker = ROTA__WORKER_STATS__INIT;
    Rota__WorkerStats *workers[] = {&worker};
    char *classes[] = {(char *)"task"};
    Rota__StatsResult stats = ROTA__STATS_RESULT__INIT;
    Rota__ArtifactStats store = ROTA__ARTIFACT_STATS__INIT;
    (void)state;
    store.kind = (char *)"folder";
    store.state = (char *)"ok";
    store.full_percent = 7;
    stats.artifact_store = &store;
    job.job = (char *)"job_x";
    worker.worker = (char *)"w";
    worker.class_ = classes;
    worker.n_class_ = 1;
    worker.job = jobs;
    worker.n_job = 1;
    stats.tier = tiers;
    stats.n_tier = 1;
    stats.worker = workers;
    stats.n_worker = 1;
    gives(
        &stats.base,
        "{\"tiers\":[{\"tier\":\"P0\",\"ready\":0,\"delayed\":0,\"held\":0,\"leased\":0,"
        "\"oldest_ms\":0,\"accounts\":0,\"at_cap\":0,\"barred\":0,"
        "\"bars\":0}],"
        "\"workers\":[{\"worker\":\"w\",\"pool\":\"\",\"classes\":[\"task\"],\"slots\":0,\"seen_"
        "ms\":0,"
        "\"jobs\":[{\"job\":\"job_x\",\"account\":\"\",\"app\":\"\",\"tier\":\"P0\",\"phase\":\"\","
        "\"percent\":0,\"running_ms\":0}],"
        "\"version\":\"\",\"rss_bytes\":0,\"draining\":false}],\"pools\":[],\"jobs\":0,"
        "\"events\":0,\"map_bytes\":0,\"map_bytes_max\":0,\"turns\":0,\"version\":\"\","
        "\"environment\":\"\",\"uptime_ms\":0,"
        "\"reviews_open\":0,\"profile\":\"\",\"limits_version\":0,"
        "\"artifact_store\":{\"kind\":\"folder\",\"state\":\"ok\",\"faults\":0,\"full_percent\":7},"
        "\"store_full\":false}");
}

static void a_job_leaves_out_what_is_not_known(void **state)
{
    Rota__Job job = ROTA__JOB__INIT;
    (void)state;
    job.job = (char *)"job_x";
    job.state = ROTA__STATE__TIMED_OUT;
    job.tier = ROTA__TIER__P0;
    gives(&job.base, "{\"job\":\"job_x\",\"tier\":\"P0\",\"state\":\"timed_out\",\"percent\":0,"
                     "\"attempt\":0}");
}

static void a_job_shows_spec_error_and_artifacts(void **state)
{
    Rota__Job job = ROTA__JOB__INIT;
    Rota__Error error = ROTA__ERROR__INIT;
    Rota__Artifact artifact = ROTA__ARTIFACT__INIT;
    Rota__Artifact *artifacts[] = {&artifact};
    static char spec[] = "{\"a\":[1,true]}";
    static uint8_t hash[] = {0x00, 0xab, 0xff};
    (void)state;
    error.name = (char *)"BUNDLE_SYNTAX";
    error.text = (char *)"App.tsx:3:5";
    error.hint = (char *)"see";
    artifact.kind = ROTA__OBJECT_KIND__BUNDLE;
    artifact.sha256 = (ProtobufCBinaryData){sizeof hash, hash};
    job.spec = (ProtobufCBinaryData){strlen(spec), (uint8_t *)spec};
    job.error = &error;
    job.artifact = artifacts;
    job.n_artifact = 1;
    gives(&job.base,
          "{\"tier\":\"P0\",\"percent\":0,\"attempt\":0,\"spec\":{\"a\":[1,true]},"
          "\"error\":{\"name\":\"BUNDLE_SYNTAX\",\"text\":\"App.tsx:3:5\",\"hint\":\"see\"},"
          "\"artifacts\":[{\"kind\":\"bundle\",\"sha256\":\"00abff\",\"size\":0}]}");
}

static void a_spec_that_is_no_json_is_shown_in_hex(void **state)
{
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    static uint8_t bad[] = {'{', 0xff};
    (void)state;
    publish.spec = (ProtobufCBinaryData){2, bad};
    gives(&publish.base, "{\"spec\":\"7bff\"}");
}

static void events_show_the_fields_of_their_kind(void **state)
{
    Rota__Event event = ROTA__EVENT__INIT;
    (void)state;
    event.seq = 7;
    event.kind = ROTA__EVENT_KIND__EVENT_DISPATCHED;
    event.eligible = 1;
    gives(&event.base,
          "{\"seq\":7,\"kind\":\"dispatched\",\"tier\":\"P0\",\"number\":0,\"eligible\":1,"
          "\"c\":0,\"n\":0,\"attempt\":0}");
    event.kind = ROTA__EVENT_KIND__EVENT_KEY_REVOKED;
    event.eligible = 0;
    event.key_serial = 3;
    gives(&event.base, "{\"seq\":7,\"kind\":\"key_revoked\",\"key_serial\":3}");
}

static void only_the_chosen_member_of_a_oneof_is_read(void **state)
{
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    (void)state;
    set.account = (char *)"a";
    set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_MONTH;
    set.builds_month = 0x0101010101010101u;
    gives(&set.base, "{\"account\":\"a\",\"builds_month\":72340172838076673}");
    set.set_builds_case = ROTA__ACCOUNT_SET__SET_BUILDS_BUILDS_UNLIMITED;
    set.builds_unlimited = 1;
    gives(&set.base, "{\"account\":\"a\",\"builds_unlimited\":true}");
}

static void text_that_is_no_utf8_is_shown_and_not_lost(void **state)
{
    Rota__Error error = ROTA__ERROR__INIT;
    (void)state;
    error.text = (char *)"a\xff"
                         "b\nc";
    gives(&error.base, "{\"text\":\"a\xef\xbf\xbd"
                       "b\xef\xbf\xbd"
                       "c\"}");
}

static void words_are_read_back(void **state)
{
    static const ProtobufCEnumDescriptor *const types[TYPES] = {
        &rota__state__descriptor,      &rota__role__descriptor, &rota__object_kind__descriptor,
        &rota__event_kind__descriptor, &rota__tier__descriptor, &rota__outcome__descriptor};
    char word[PB_WORD_LEN + 1];
    unsigned n = 0;
    (void)state;
    for (size_t t = 0; t < TYPES; t++)
        for (unsigned i = 0; i < types[t]->n_values; i++) {
            int value = types[t]->values[i].value;
            pb_word(types[t], value, word);
            if (!*word)
                continue;
            assert_int_equal(pb_word_value(types[t], word), value);
            n++;
        }
    assert_int_equal(pb_word_value(&rota__state__descriptor, "STATE_NONE"), -1);
    assert_int_equal(pb_word_value(&rota__state__descriptor, ""), -1);
    assert_string_equal(pb_word(&rota__state__descriptor, 999, word), "");
    printf("%u words\n", n);
}

/* Every message of the schema, empty and after a round over the wire. */
static void every_message_can_be_shown(void **state)
{
    static const ProtobufCMessageDescriptor *const roots[ROOTS] = {&rota__request__descriptor,
                                                                   &rota__reply__descriptor};
    unsigned n = 0;
    (void)state;
    for (size_t r = 0; r < ROOTS; r++)
        for (unsigned i = 0; i < roots[r]->n_fields; i++) {
            if (roots[r]->fields[i].type != PROTOBUF_C_TYPE_MESSAGE)
                continue;
            const ProtobufCMessageDescriptor *type = roots[r]->fields[i].descriptor;
            ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, 0, NULL);
            assert_non_null(message);
            json_t *j = pb_json(message);
            assert_true(json_is_object(j));
            json_decref(j);
            protobuf_c_message_free_unpacked(message, NULL);
            n++;
        }
    printf("%u messages\n", n);
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stats_are_the_contract),
        cmocka_unit_test(a_job_leaves_out_what_is_not_known),
        cmocka_unit_test(a_job_shows_spec_error_and_artifacts),
        cmocka_unit_test(a_spec_that_is_no_json_is_shown_in_hex),
        cmocka_unit_test(events_show_the_fields_of_their_kind),
        cmocka_unit_test(only_the_chosen_member_of_a_oneof_is_read),
        cmocka_unit_test(text_that_is_no_utf8_is_shown_and_not_lost),
        cmocka_unit_test(words_are_read_back),
        cmocka_unit_test(every_message_can_be_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
