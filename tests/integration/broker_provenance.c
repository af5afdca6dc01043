/* broker_provenance.c: builds through a real rotad, around a change of its signing key, and the two
 * commands at the end: what `rota download` wrote, `rota verify` believes with the keys of the time
 * and with no other.
 *
 * Why it matters: a key is changed because somebody fears for it, while builds are running; that
 * day no bundle may become unverifiable, and no build may fail. */
#include "broker_group.h"
#include "object_kit.h"

#include "sign.h"

#include <dsse.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUILDS = 3, OUTPUT_MAX = 8192, AWAIT_CALLS_MAX = 20000, CUTS = 40, DIR_MAX = 128 };

static const char *rota;

/* A build on its way. */
struct built {
    char job[32];
    struct body source, bundle, assets;
    Rota__Reply *leased, *attested;
    Rota__LeasedJob *got;
    Rota__Artifact artifact[3];
    uint8_t sha256[32], blake2b[32]; /* of the envelope */
};

static int makers_up(void **state)
{
    int code = group_up(state);
    rig_account(&rig, "maker", ROTA__TIER__P3, 50);
    return code;
}

static void artifact_of(struct body *b, Rota__ObjectKind kind, const char *name, Rota__Artifact *a)
{
    rota__artifact__init(a);
    a->kind = kind;
    a->sha256 = (ProtobufCBinaryData){32, b->sha256};
    a->blake2b = (ProtobufCBinaryData){32, b->blake2b};
    a->size = BODY_BYTES;
    a->name = (char *)(uintptr_t)name;
}

/* ---- attest ---- */

struct facts {
    Rota__BuildFacts facts;
    Rota__BuildTool tool[20], *tools[20];
};

static void facts_init(struct facts *f, size_t tools)
{
    static uint8_t hash[32] = {9};
    rota__build_facts__init(&f->facts);
    for (size_t i = 0; i < tools; i++) {
        rota__build_tool__init(&f->tool[i]);
        f->tool[i].name = (char *)(uintptr_t)(i ? "metro" : "node");
        f->tool[i].version = (char *)(uintptr_t) "20.19.0";
        f->tools[i] = &f->tool[i];
    }
    f->facts.tool = f->tools;
    f->facts.n_tool = tools;
    f->facts.lockfile = (char *)(uintptr_t) "package-lock.json";
    f->facts.lockfile_sha256 = (ProtobufCBinaryData){32, hash};
    f->facts.started_ms = 1790000000000;
    f->facts.finished_ms = 1790000060000;
}

static Rota__Reply *attest(struct rota_client *c, struct built *b, Rota__BuildFacts *facts)
{
    Rota__Request r;
    Rota__Attest a = ROTA__ATTEST__INIT;
    Rota__Artifact *other[] = {&b->artifact[1]};
    a.lease = b->got->lease;
    a.artifact = &b->artifact[0];
    a.facts = facts;
    a.n_other = facts ? 1 : 0;
    a.other = other;
    return call(c, ASK(r, ATTEST, attest, &a));
}

static void bad_facts(struct rota_client *c, struct built *b)
{
    struct facts f;
    facts_init(&f, 1);
    f.facts.source_uri = (char *)(uintptr_t) "https://user:hidden@git.example.org/a.git";
    refused(attest(c, b, &f.facts), "FIELD_INVALID");
    f.facts.source_uri = (char *)(uintptr_t) "https://git.example.org/a.git";
    f.facts.source_commit = (char *)(uintptr_t) "main";
    refused(attest(c, b, &f.facts), "FIELD_INVALID");
    facts_init(&f, 1);
    f.facts.lockfile_sha256.len = 0;
    refused(attest(c, b, &f.facts), "FIELD_INVALID");
    facts_init(&f, 17);
    refused(attest(c, b, &f.facts), "TOO_MANY");
    facts_init(&f, 1);
    b->artifact[1].kind = ROTA__OBJECT_KIND__MAP; /* private: nothing that is told to everybody */
    refused(attest(c, b, &f.facts), "FIELD_INVALID");
    b->artifact[1].kind = ROTA__OBJECT_KIND__ASSETS;
    printf("5 of 5 bad facts refused\n");
}

/* ---- a build, step by step ---- */

static void build_begin(struct rota_client *worker, struct built *b)
{
    char error[40];
    *b = (struct built){0};
    body_init(&b->source);
    body_init(&b->bundle);
    body_init(&b->assets);
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b->source);
    publish_source(rig.root, "maker", b->source.source, b->job, error);
    assert_string_equal(error, "");
    b->got = lease_bundle(worker, &b->leased);
    assert_non_null(b->got);
    assert_string_equal(b->got->lease->job, b->job);
    artifact_of(&b->bundle, ROTA__OBJECT_KIND__BUNDLE, "index.android.bundle.hbc", &b->artifact[0]);
    artifact_of(&b->assets, ROTA__OBJECT_KIND__ASSETS, "assets.tar.gz", &b->artifact[1]);
    upload(worker, b->got->lease, ROTA__OBJECT_KIND__BUNDLE, &b->bundle);
    upload(worker, b->got->lease, ROTA__OBJECT_KIND__ASSETS, &b->assets);
}

/* The envelope as an object of the job. */
static void envelope_upload(struct rota_client *worker, struct built *b)
{
    Rota__Request r;
    Rota__SignUpload sign = ROTA__SIGN_UPLOAD__INIT;
    const char *text = b->attested->attest->provenance;
    size_t n = strlen(text);
    assert_true(n > 0 && n <= DSSE_TEXT_MAX);
    crypto_hash_sha256(b->sha256, (const uint8_t *)text, n);
    crypto_generichash(b->blake2b, 32, (const uint8_t *)text, n, NULL, 0);
    sign.lease = b->got->lease;
    sign.kind = ROTA__OBJECT_KIND__PROVENANCE;
    sign.sha256 = (ProtobufCBinaryData){32, b->sha256};
    sign.size = n;
    Rota__Reply *reply = must(worker, ASK(r, SIGN_UPLOAD, sign_upload, &sign));
    file_put(reply->sign_upload->url, text, n);
    rota_reply_free(reply);
    artifact_of(&b->bundle, ROTA__OBJECT_KIND__PROVENANCE, "provenance.dsse.json", &b->artifact[2]);
    b->artifact[2].sha256.data = b->sha256;
    b->artifact[2].blake2b.data = b->blake2b;
    b->artifact[2].size = n;
}

static void build_attest(struct rota_client *worker, struct built *b)
{
    struct facts f;
    facts_init(&f, 2);
    b->attested = attest(worker, b, &f.facts);
    assert_null(b->attested->error);
    envelope_upload(worker, b);
}

static Rota__Reply *build_finish(struct rota_client *worker, struct built *b,
                                 Rota__Attestation *attestation)
{
    Rota__Request r;
    Rota__Finish f = ROTA__FINISH__INIT;
    Rota__Artifact *artifacts[] = {&b->artifact[0], &b->artifact[1], &b->artifact[2]};
    f.lease = b->got->lease;
    f.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    f.n_artifact = 3;
    f.artifact = artifacts;
    f.attestation = attestation;
    return call(worker, ASK(r, FINISH, finish, &f));
}

static void build_end(struct rota_client *worker, struct built *b)
{
    Rota__Reply *reply = build_finish(worker, b, b->attested->attest->attestation);
    if (reply->error)
        fail_msg("%s: %s", reply->error->name, reply->error->text);
    rota_reply_free(reply);
}

static void build_free(struct built *b)
{
    rota_reply_free(b->attested);
    rota_reply_free(b->leased);
}

/* ---- the commands ---- */

/* Runs rota; its words, both kinds, are put into `text`. */
static int run_rota(const char *const *args, char text[OUTPUT_MAX])
{
    struct rig tool = rig;
    tool.rotad = rota;
    return rig_run(&tool, args, text, OUTPUT_MAX);
}

static void fetch(const struct built *b, char dir[DIR_MAX])
{
    char text[OUTPUT_MAX];
    snprintf(dir, DIR_MAX, "%.60s/%.31s", rig.dir, b->job);
    const char *const args[] = {"download",      b->job,  "--out",      dir,
                                "--url",         rig.url, "--key-file", rig.key_file,
                                "--environment", "test",  NULL};
    if (run_rota(args, text) != 0)
        fail_msg("download: %s", text);
}

/* Up to two keys, by their files' names below the rig's folder. */
static int verify(const char *dir, const char *key, const char *key2, char text[OUTPUT_MAX])
{
    char path[2][PATH_MAX];
    snprintf(path[0], PATH_MAX, "%s/%s", rig.dir, key);
    snprintf(path[1], PATH_MAX, "%s/%s", rig.dir, key2 ? key2 : "");
    const char *const args[] = {
        "verify", dir, "--public-key", path[0], key2 ? "--public-key" : NULL, path[1], NULL};
    return run_rota(args, text);
}

static void said(const char *text, const char *want)
{
    if (!strstr(text, want))
        fail_msg("\"%s\" is not in: %s", want, text);
}

/* ---- the change of keys ---- */

static void rotate(char old_id[SIGN_KEY_ID_LEN + 1])
{
    char path[PATH_MAX], text[OUTPUT_MAX];
    uint8_t public[SIGN_PUBLIC_BYTES];
    const char *const args[] = {"key", "rotate", "--data", rig.data, NULL};
    snprintf(path, sizeof path, "%s/keys/sign.pub", rig.data);
    assert_int_equal(sign_public_read(path, public), 0);
    sign_key_id(public, old_id);
    if (rig_run(&rig, args, text, sizeof text) != 0)
        fail_msg("rotate: %s", text);
    said(text, old_id);
    assert_int_equal(kill(rig.pid, SIGHUP), 0);
}

/* Asks until the broker signs with another key. */
static void await_other_key(struct rota_client *worker, struct built *b, const char *old_id)
{
    for (int i = 0; i < AWAIT_CALLS_MAX; i++) {
        Rota__Reply *reply = attest(worker, b, NULL);
        assert_null(reply->error);
        assert_string_equal(reply->attest->provenance, ""); /* no facts, no envelope */
        bool is_other = strcmp(reply->attest->attestation->key_id, old_id) != 0;
        rota_reply_free(reply);
        if (is_other)
            return;
    }
    fail_msg("the broker still signs with %s", old_id);
}

/* Under a key that was never ours. */
static void strange_key_refused(struct rota_client *worker, struct built *b)
{
    Rota__Attestation forged = *b->attested->attest->attestation;
    char statement[STATEMENT_LEN_MAX], strange[] = "0123456789abcdef";
    snprintf(statement, sizeof statement, "%s", forged.statement);
    char *at = strstr(statement, forged.key_id);
    assert_non_null(at);
    memcpy(at, strange, SIGN_KEY_ID_LEN);
    forged.statement = statement;
    forged.key_id = strange;
    refused(build_finish(worker, b, &forged), "SIGNATURE_INVALID");
}

/* The envelope cut at many places, each in front of the real command. */
static void cut_envelopes(const char *dir, const char *key, const char *envelope)
{
    char path[PATH_MAX], text[OUTPUT_MAX];
    size_t n = strlen(envelope), refusals = 0;
    snprintf(path, sizeof path, "%s/provenance.dsse.json", dir);
    for (size_t i = 0; i < CUTS; i++) {
        assert_int_equal(truncate(path, (off_t)(n * (CUTS - 1 - i) / CUTS)), 0);
        int code = verify(dir, key, NULL, text);
        if (code != 1)
            fail_msg("cut to %zu bytes: exit %d, %s", n * (CUTS - 1 - i) / CUTS, code, text);
        refusals++;
    }
    printf("%zu of %d cut envelopes refused\n", refusals, CUTS);
}

static void two_files_of_two_jobs(const char *a, const char *b, const char *key, const char *key2)
{
    static const char *const names[] = {"provenance.dsse.json", "assets.tar.gz", "statement.json",
                                        "signature", "artifacts.json"};
    char from[PATH_MAX], to[PATH_MAX], kept[PATH_MAX], text[OUTPUT_MAX];
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        snprintf(from, sizeof from, "%s/%s", b, names[i]);
        snprintf(to, sizeof to, "%s/%s", a, names[i]);
        snprintf(kept, sizeof kept, "%s/kept", a);
        assert_int_equal(rename(to, kept), 0);
        assert_int_equal(symlink(from, to), 0);
        assert_int_equal(verify(a, key, key2, text), 1);
        assert_int_equal(unlink(to), 0);
        assert_int_equal(rename(kept, to), 0);
    }
    assert_int_equal(verify(a, key, key2, text), 0);
    printf("%zu of %zu files of another job refused\n", ARRAY_LEN(names), ARRAY_LEN(names));
}

static void test_builds_around_a_change_of_keys_verify(void **state)
{
    (void)state;
    static struct built b[BUILDS];
    char key[KEY_MAX], dir[BUILDS][DIR_MAX], text[OUTPUT_MAX], old_id[SIGN_KEY_ID_LEN + 1], old[64];
    rig_key(&rig, "local", ROTA__ROLE__WORKER, key, NULL);
    struct rota_client *worker = rig_client(&rig, key);
    build_begin(worker, &b[0]); /* before */
    bad_facts(worker, &b[0]);
    build_attest(worker, &b[0]);
    build_end(worker, &b[0]);
    build_begin(worker, &b[1]); /* attested before, finished after */
    build_attest(worker, &b[1]);
    rotate(old_id);
    await_other_key(worker, &b[1], old_id);
    strange_key_refused(worker, &b[1]);
    envelope_upload(worker, &b[1]); /* that finish used the first one up, or not: both are fine */
    upload(worker, b[1].got->lease, ROTA__OBJECT_KIND__BUNDLE, &b[1].bundle);
    upload(worker, b[1].got->lease, ROTA__OBJECT_KIND__ASSETS, &b[1].assets);
    build_end(worker, &b[1]);
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig_start(&rig, NULL);
    build_begin(worker, &b[2]); /* after */
    build_attest(worker, &b[2]);
    assert_string_not_equal(b[2].attested->attest->attestation->key_id, old_id);
    build_end(worker, &b[2]);

    const char *const init[] = {"init", "--data", dir[0], "--key-file", dir[1], NULL};
    snprintf(dir[0], sizeof dir[0], "%s/other", rig.dir);
    snprintf(dir[1], sizeof dir[1], "%s/other.key", rig.dir);
    assert_int_equal(rig_run(&rig, init, NULL, 0), 0);
    snprintf(old, sizeof old, "data/keys/sign.pub.%s", old_id);
    for (size_t i = 0; i < BUILDS; i++) {
        bool is_old = i < 2;
        fetch(&b[i], dir[i]);
        if (verify(dir[i], "data/keys/sign.pub", old, text) != 0)
            fail_msg("build %zu: %s", i, text);
        said(text, "signature ok: key");
        said(text, "ok   provenance  2 files");
        said(text, "package-lock.json, sha256 0900");
        said(text, "node 20.19.0, metro 20.19.0");
        said(text, b[i].source.source);
        assert_int_equal(verify(dir[i], is_old ? old : "data/keys/sign.pub", NULL, text), 0);
        assert_int_equal(verify(dir[i], is_old ? "data/keys/sign.pub" : old, NULL, text), 1);
        said(text, "SIGNATURE_INVALID");
        assert_int_equal(verify(dir[i], "other/keys/sign.pub", NULL, text), 1);
        said(text, "SIGNATURE_INVALID");
    }
    printf("%d builds around a change of keys: all verify by the two keys, none by a wrong one\n",
           BUILDS);
    two_files_of_two_jobs(dir[0], dir[1], "data/keys/sign.pub", old);
    cut_envelopes(dir[2], "data/keys/sign.pub", b[2].attested->attest->provenance);
    for (size_t i = 0; i < BUILDS; i++)
        build_free(&b[i]);
    rota_client_free(worker);
}

int main(int argc, char **argv)
{
    if (argc != 3 || sodium_init() < 0)
        return 2;
    group_init(argv[1]);
    rota = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builds_around_a_change_of_keys_verify),
    };
    return cmocka_run_group_tests(tests, makers_up, group_down);
}
