/* test_provenance.c: shows that the largest facts that the wire lets through still fit into an
 * envelope, that what is said comes from whom it should, and that a worker cannot bring in more
 * than it may. It matters because an attestation that is refused at the end of a build is a build
 * lost. */
#undef NDEBUG
#include "edge/provenance.h"

#include <base/auto.h>
#include <dsse.h>
#include <jansson.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TOOLS = 16, OTHERS = 4, LINE_MAX_BYTES = 600 };

static uint8_t hash[32] = {1, 2, 3};

/* A build with everything at its bound, in characters that JSON has to escape. */
struct sample {
    struct job_row row;
    Rota__Attest attest;
    Rota__BuildFacts facts;
    Rota__BuildTool tool[TOOLS], *tools[TOOLS];
    Rota__Artifact artifact, other[OTHERS], *others[OTHERS];
    char quotes[LINE_MAX_BYTES], name[129], word[65], uri[513], spec[PROVENANCE_SPEC_MAX + 200];
    struct provenance p;
};

static void artifact_init(struct sample *s, Rota__Artifact *a, Rota__ObjectKind kind)
{
    rota__artifact__init(a);
    a->kind = kind;
    a->name = s->name;
    a->sha256 = a->blake2b = (ProtobufCBinaryData){32, hash};
}

static void tools_init(struct sample *s)
{
    for (size_t i = 0; i < TOOLS; i++) {
        rota__build_tool__init(&s->tool[i]);
        s->tool[i].name = s->tool[i].version = s->word;
        s->tool[i].sha256 = (ProtobufCBinaryData){32, hash};
        s->tools[i] = &s->tool[i];
    }
    s->facts.tool = s->tools;
    s->facts.n_tool = TOOLS;
}

static void spec_init(struct sample *s, size_t bytes)
{
    snprintf(s->spec, sizeof s->spec, "{\"x\":\"%0*d\"}", (int)bytes - 8, 0);
    s->row.spec = span_str(s->spec);
    assert_int_equal(s->row.spec.n, bytes);
}

static void sample_init(struct sample *s)
{
    memset(s, 0, sizeof *s);
    memset(s->quotes, '"', sizeof s->quotes - 1);
    memset(s->name, '"', sizeof s->name - 1);
    memset(s->word, '"', sizeof s->word - 1);
    memset(s->uri, '"', sizeof s->uri - 1);
    memcpy(s->uri, "https://host/", 13);
    s->row = (struct job_row){.platform = 2,
                              .account_id = span_of(s->quotes, 64),
                              .app_name = span_of(s->quotes, 64),
                              .class = span_of(s->quotes, 32),
                              .source = span_of(s->quotes, 512),
                              .ref = span_of(s->quotes, 128)};
    spec_init(s, PROVENANCE_SPEC_MAX);
    rota__attest__init(&s->attest);
    rota__build_facts__init(&s->facts);
    s->attest.facts = &s->facts;
    s->facts.source_uri = s->uri;
    s->facts.source_commit = (char *)(uintptr_t) "0123456789abcdef0123456789abcdef01234567";
    s->facts.lockfile = s->word;
    s->facts.lockfile_sha256 = (ProtobufCBinaryData){32, hash};
    s->facts.started_ms = s->facts.finished_ms = (1ull << 42) - 1;
    tools_init(s);
    artifact_init(s, &s->artifact, ROTA__OBJECT_KIND__BUNDLE);
    s->attest.artifact = &s->artifact;
    for (size_t i = 0; i < OTHERS; i++) {
        artifact_init(s, &s->other[i], ROTA__OBJECT_KIND__ASSETS);
        s->others[i] = &s->other[i];
    }
    s->attest.other = s->others;
    s->attest.n_other = OTHERS;
    s->p = (struct provenance){s->quotes + LINE_MAX_BYTES - 65, "0123456789abcdef",
                               "job_01jd4m9qk2v3x7y8z0abcdefgh", &s->row, &s->attest};
}

static json_t *made(struct sample *s)
{
    char why[PROVENANCE_WHY_MAX];
    AUTO_FREE char *text = NULL;
    assert_int_equal(provenance_text(&s->p, &text, why), 0);
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    return document;
}

static const json_t *external_of(const json_t *document)
{
    return json_object_get(
        json_object_get(json_object_get(document, "predicate"), "buildDefinition"),
        "externalParameters");
}

static void the_largest_facts_fit_into_an_envelope(void **state)
{
    (void)state;
    static struct sample s;
    uint8_t public_key[32], secret_key[64];
    char why[PROVENANCE_WHY_MAX], envelope[DSSE_TEXT_MAX + 1];
    AUTO_FREE char *text = NULL;
    sample_init(&s);
    crypto_sign_keypair(public_key, secret_key);
    assert_int_equal(provenance_text(&s.p, &text, why), 0);
    assert_int_equal(dsse_sign(secret_key, DSSE_TYPE_INTOTO, text, strlen(text), envelope), 0);
    printf("largest: %zu bytes of at most %d, envelope %zu of %d\n", strlen(text), DSSE_PAYLOAD_MAX,
           strlen(envelope), DSSE_TEXT_MAX);
}

static void a_large_spec_stands_by_its_hash(void **state)
{
    (void)state;
    static struct sample s;
    sample_init(&s);
    json_t *document = made(&s);
    assert_non_null(json_object_get(external_of(document), "spec"));
    assert_null(json_object_get(external_of(document), "specSha256"));
    json_decref(document);
    spec_init(&s, PROVENANCE_SPEC_MAX + 1);
    document = made(&s);
    assert_null(json_object_get(external_of(document), "spec"));
    assert_int_equal(
        strlen(json_string_value(json_object_get(external_of(document), "specSha256"))), 64);
    json_decref(document);
}

/* The hash of an uploaded source is the row's, whatever the worker might wish. */
static void an_uploaded_source_is_the_brokers_word(void **state)
{
    (void)state;
    static struct sample s;
    static const char source[] =
        "upload:abababababababababababababababababababababababababababababababab";
    sample_init(&s);
    s.facts.source_uri = (char *)(uintptr_t) "";
    s.row.source = span_str(source);
    json_t *document = made(&s);
    const json_t *entry = json_array_get(
        json_object_get(json_object_get(json_object_get(document, "predicate"), "buildDefinition"),
                        "resolvedDependencies"),
        0);
    assert_string_equal(json_string_value(json_object_get(entry, "uri")), source);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(entry, "annotations"), "statedBy")),
        "broker");
    json_decref(document);
}

static void what_cannot_be_used_is_named(void **state)
{
    (void)state;
    static struct sample s;
    static const char *const bad_uris[] = {"https://token@host/a", "https://a:b@host/a",
                                           "token@host/a"};
    char why[PROVENANCE_WHY_MAX];
    char *text = NULL;
    for (size_t i = 0; i < ARRAY_LEN(bad_uris); i++) {
        sample_init(&s);
        s.facts.source_uri = (char *)(uintptr_t)bad_uris[i];
        assert_int_equal(provenance_text(&s.p, &text, why), PROVENANCE_FIELD);
        assert_null(strstr(why, "token"));
    }
    sample_init(&s);
    s.facts.source_commit = (char *)(uintptr_t) "HEAD";
    assert_int_equal(provenance_text(&s.p, &text, why), PROVENANCE_FIELD);
    assert_non_null(strstr(why, "source_commit"));
    sample_init(&s);
    s.other[2].kind = ROTA__OBJECT_KIND__MAP;
    assert_int_equal(provenance_text(&s.p, &text, why), PROVENANCE_FIELD);
    sample_init(&s);
    s.tool[3].name = (char *)(uintptr_t) "";
    assert_int_equal(provenance_text(&s.p, &text, why), PROVENANCE_FIELD);
    assert_non_null(strstr(why, "tool"));
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_facts_fit_into_an_envelope),
        cmocka_unit_test(a_large_spec_stands_by_its_hash),
        cmocka_unit_test(an_uploaded_source_is_the_brokers_word),
        cmocka_unit_test(what_cannot_be_used_is_named),
    };
    return sodium_init() < 0 ? 2 : cmocka_run_group_tests(tests, NULL, NULL);
}
