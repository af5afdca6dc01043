/* broker_objects.c: sources, bundles, attestations and logs through a real rotad and its local
 * store.
 *
 * Shows: a publish needs the source that it names, whole and of the right hash; a source goes when
 * its last job ends, but never from under a publish that is on its way; a worker's artifacts are
 * taken only whole, under a live lease and with this broker's own attestation; limits are said
 * before a byte travels.  */
#include "broker_kit.h"

#include "sign.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BODY_BYTES = 5000, RACES = 60 };

static struct rig rig;
static const char *program; /* rotad */

/* Some bytes and their hashes. */
struct body {
    uint8_t bytes[BODY_BYTES], sha256[32], blake2b[32];
    char source[80]; /* upload:HEX */
};

static void body_init(struct body *b)
{
    char hex[65];
    randombytes_buf(b->bytes, sizeof b->bytes);
    crypto_hash_sha256(b->sha256, b->bytes, sizeof b->bytes);
    crypto_generichash(b->blake2b, sizeof b->blake2b, b->bytes, sizeof b->bytes, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, b->sha256, sizeof b->sha256);
    snprintf(b->source, sizeof b->source, "upload:%s", hex);
}

static int group_up(void **state)
{
    (void)state;
    rig_init(&rig, program);
    rig_start(&rig, NULL);
    rig_account(&rig, "maker", ROTA__TIER__P3, 50);
    return 0;
}

static int group_down(void **state)
{
    (void)state;
    int code = rig_stop(&rig, SIGTERM);
    rig_deinit(&rig);
    return code;
}

static void url_path(const char *url, char path[PATH_MAX])
{
    assert_int_equal(strncmp(url, "file:///", 8), 0);
    assert_null(strchr(url, '%'));
    snprintf(path, PATH_MAX, "%s", url + 7);
}

static void file_put(const char *url, const void *p, size_t n)
{
    char path[PATH_MAX];
    url_path(url, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    close(fd);
}

static bool file_is(const char *url, const struct body *b)
{
    char path[PATH_MAX];
    uint8_t bytes[BODY_BYTES + 1];
    url_path(url, path);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, bytes, sizeof bytes);
    close(fd);
    return n == BODY_BYTES && memcmp(bytes, b->bytes, BODY_BYTES) == 0;
}

/* Asks for a place; the reply owns the URL. */
static Rota__Reply *invite(struct rota_client *c, Rota__LeaseRef *lease, Rota__ObjectKind kind,
                           struct body *b, uint64_t size)
{
    Rota__Request r;
    Rota__SignUpload sign = ROTA__SIGN_UPLOAD__INIT;
    sign.account = (char *)(uintptr_t)(lease ? "" : "maker");
    sign.lease = lease;
    sign.kind = kind;
    sign.sha256 = (ProtobufCBinaryData){sizeof b->sha256, b->sha256};
    sign.size = size;
    return call(c, ASK(r, SIGN_UPLOAD, sign_upload, &sign));
}

static void upload(struct rota_client *c, Rota__LeaseRef *lease, Rota__ObjectKind kind,
                   struct body *b)
{
    Rota__Reply *reply = invite(c, lease, kind, b, BODY_BYTES);
    assert_null(reply->error);
    file_put(reply->sign_upload->url, b->bytes, sizeof b->bytes);
    rota_reply_free(reply);
}

static void refused(Rota__Reply *reply, const char *name)
{
    assert_non_null(reply->error);
    assert_string_equal(reply->error->name, name);
    rota_reply_free(reply);
}

/* The reply may hold an error. */
static Rota__Reply *download(struct rota_client *c, const char *job, Rota__ObjectKind kind,
                             Rota__LeaseRef *lease)
{
    Rota__Request r;
    Rota__SignDownload sign = ROTA__SIGN_DOWNLOAD__INIT;
    sign.job = (char *)(uintptr_t)job;
    sign.kind = kind;
    sign.lease = lease;
    return call(c, ASK(r, SIGN_DOWNLOAD, sign_download, &sign));
}

static void test_a_publish_needs_its_source(void **state)
{
    (void)state;
    struct body b, other;
    char job[32], error[40];
    body_init(&b);
    body_init(&other);
    publish_source(rig.root, "maker", b.source, job, error);
    assert_string_equal(error, "SOURCE_MISSING");
    publish_source(rig.root, "maker", "upload:abc", job, error);
    assert_string_equal(error, "SOURCE_INVALID");
    publish_source(rig.root, "maker", "", job, error);
    assert_string_equal(error, "SOURCE_NEEDED");
    Rota__Reply *reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, BODY_BYTES);
    file_put(reply->sign_upload->url, other.bytes, sizeof other.bytes);
    rota_reply_free(reply);
    publish_source(rig.root, "maker", b.source, job, error);
    assert_string_equal(error, "SOURCE_MISSING");
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b);
    publish_source(rig.root, "local", b.source, job, error); /* not its own */
    assert_string_equal(error, "SOURCE_MISSING");
    publish_source(rig.root, "maker", b.source, job, error);
    assert_string_equal(error, "");
    refused(invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, 200000001), "SOURCE_TOO_LARGE");
    refused(invite(rig.root, NULL, ROTA__OBJECT_KIND__BUNDLE, &b, 1), "FIELD_MISSING");
    printf("5 of 5 bad sources refused, the good one accepted\n");
}

/* A link is no upload: it could point at any file that the broker may read. */
static void test_a_link_is_no_upload(void **state)
{
    (void)state;
    struct body b;
    char job[32], error[40], path[PATH_MAX], real[PATH_MAX];
    body_init(&b);
    Rota__Reply *reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, BODY_BYTES);
    url_path(reply->sign_upload->url, path);
    snprintf(real, sizeof real, "%s/elsewhere", rig.dir);
    int fd = open(real, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, b.bytes, sizeof b.bytes), sizeof b.bytes);
    close(fd);
    assert_int_equal(symlink(real, path), 0);
    rota_reply_free(reply);
    publish_source(rig.root, "maker", b.source, job, error);
    assert_string_equal(error, "SOURCE_MISSING");
    reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, BODY_BYTES);
    url_path(reply->sign_upload->url, path);
    assert_int_equal(mkfifo(path, 0600), 0); /* opening it must not hang the broker */
    rota_reply_free(reply);
    publish_source(rig.root, "maker", b.source, job, error);
    assert_string_equal(error, "SOURCE_MISSING");
    printf("link and fifo refused\n");
}

/* A file that somebody else can still write to is copied before it is checked. */
static void test_a_file_with_another_name_is_copied(void **state)
{
    (void)state;
    struct body b;
    char job[32], error[40], path[PATH_MAX], link_path[PATH_MAX];
    body_init(&b);
    Rota__Reply *reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, BODY_BYTES);
    file_put(reply->sign_upload->url, b.bytes, sizeof b.bytes);
    url_path(reply->sign_upload->url, path);
    snprintf(link_path, sizeof link_path, "%s/second-name", rig.dir);
    assert_int_equal(link(path, link_path), 0);
    rota_reply_free(reply);
    publish_source(rig.root, "maker", b.source, job, error);
    assert_string_equal(error, "");
    int fd = open(link_path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "changed", 7), 7);
    close(fd);
    reply = download(rig.root, job, ROTA__OBJECT_KIND__SOURCE, NULL);
    assert_null(reply->error);
    assert_true(file_is(reply->sign_download->url, &b));
    rota_reply_free(reply);
    printf("the stored source did not change with the uploader's\n");
}

static Rota__Reply *finish(struct rota_client *c, Rota__LeaseRef *lease, Rota__Artifact *artifact,
                           Rota__Attestation *attestation)
{
    Rota__Request r;
    Rota__Finish f = ROTA__FINISH__INIT;
    f.lease = lease;
    f.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    f.n_artifact = artifact ? 1 : 0;
    f.artifact = &artifact;
    f.attestation = attestation;
    return call(c, ASK(r, FINISH, finish, &f));
}

static void artifact_of(struct body *b, Rota__ObjectKind kind, Rota__Artifact *a)
{
    rota__artifact__init(a);
    a->kind = kind;
    a->sha256 = (ProtobufCBinaryData){32, b->sha256};
    a->blake2b = (ProtobufCBinaryData){32, b->blake2b};
    a->size = BODY_BYTES;
    a->name = (char *)(uintptr_t) "index.android.bundle.hbc";
}

static Rota__Reply *attest(struct rota_client *c, Rota__LeaseRef *lease, Rota__Artifact *artifact)
{
    Rota__Request r;
    Rota__Attest a = ROTA__ATTEST__INIT;
    a.lease = lease;
    a.artifact = artifact;
    return call(c, ASK(r, ATTEST, attest, &a));
}

/* Leases the bundle job that is next; `state` of the test before must have left none. */
static Rota__LeasedJob *lease_bundle(struct rota_client *c, Rota__Reply **ret_reply)
{
    return lease_one(c, "bundle", "builder", 5000, ret_reply);
}

static void bundles_drain(void)
{
    for (;;) {
        Rota__Reply *reply;
        Rota__LeasedJob *job = lease_one(rig.root, "bundle", "drainer", 0, &reply);
        if (job)
            rota_reply_free(finish(rig.root, job->lease, NULL, NULL));
        rota_reply_free(reply);
        if (!job)
            return;
    }
}

static void worker_reads_source(struct rota_client *worker, Rota__LeasedJob *got, struct body *src)
{
    Rota__Reply *reply = download(worker, got->lease->job, ROTA__OBJECT_KIND__SOURCE, got->lease);
    assert_null(reply->error);
    assert_true(file_is(reply->sign_download->url, src));
    char path[PATH_MAX];
    struct stat st;
    url_path(reply->sign_download->url, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    rota_reply_free(reply);
    refused(download(worker, got->lease->job, ROTA__OBJECT_KIND__SOURCE, NULL), "FIELD_MISSING");
    refused(download(worker, got->lease->job, ROTA__OBJECT_KIND__BUNDLE, got->lease),
            "NOT_ALLOWED");
    Rota__LeaseRef old = *got->lease;
    old.token++;
    refused(download(worker, got->lease->job, ROTA__OBJECT_KIND__SOURCE, &old), "LEASE_LOST");
    refused(invite(worker, &old, ROTA__OBJECT_KIND__BUNDLE, src, 10), "LEASE_LOST");
}

/* Every way to finish with wrong artifacts; none of them may end the job. */
static void bad_finishes(struct rota_client *worker, Rota__LeaseRef *lease, struct body *bundle,
                         Rota__Artifact *artifact, Rota__Attestation *good)
{
    struct body other;
    body_init(&other);
    Rota__Artifact wrong = *artifact;
    refused(finish(worker, lease, artifact, good), "OBJECT_MISMATCH"); /* not uploaded */
    Rota__Reply *reply = invite(worker, lease, ROTA__OBJECT_KIND__BUNDLE, bundle, BODY_BYTES);
    file_put(reply->sign_upload->url, other.bytes, sizeof other.bytes);
    rota_reply_free(reply);
    refused(finish(worker, lease, artifact, good), "OBJECT_MISMATCH"); /* other bytes */
    upload(worker, lease, ROTA__OBJECT_KIND__BUNDLE, bundle);
    wrong.blake2b = (ProtobufCBinaryData){32, other.blake2b};
    refused(finish(worker, lease, &wrong, good), "OBJECT_MISMATCH"); /* the second hash */
    wrong = *artifact;
    wrong.sha256.len = 0;
    refused(finish(worker, lease, &wrong, good), "FIELD_INVALID");
    upload(worker, lease, ROTA__OBJECT_KIND__BUNDLE, bundle);
    Rota__Attestation forged = *good;
    uint8_t signature[SIGN_BYTES];
    memcpy(signature, good->signature.data, sizeof signature);
    signature[5] ^= 1;
    forged.signature.data = signature;
    refused(finish(worker, lease, artifact, &forged), "SIGNATURE_INVALID");
    upload(worker, lease, ROTA__OBJECT_KIND__BUNDLE, bundle);
    char statement[STATEMENT_LEN_MAX];
    snprintf(statement, sizeof statement, "%s ", good->statement);
    forged = *good;
    forged.statement = statement;
    refused(finish(worker, lease, artifact, &forged), "STATEMENT_INVALID");
    printf("6 of 6 bad finishes refused\n");
}

static void check_bundle(const char *job, struct body *bundle, const Rota__Attestation *att)
{
    char path[PATH_MAX];
    uint8_t public[SIGN_PUBLIC_BYTES];
    Rota__Reply *reply = download(rig.root, job, ROTA__OBJECT_KIND__BUNDLE, NULL);
    assert_null(reply->error);
    assert_true(file_is(reply->sign_download->url, bundle));
    assert_string_equal(reply->sign_download->name, "index.android.bundle.hbc");
    assert_int_equal(reply->sign_download->size, BODY_BYTES);
    rota_reply_free(reply);
    snprintf(path, sizeof path, "%s/keys/sign.pub", rig.data);
    assert_int_equal(sign_public_read(path, public), 0);
    assert_int_equal(sign_verify(public, att->statement, att->signature.data), 0);
}

static void await_gone(const char *job, Rota__ObjectKind kind, const char *name)
{
    for (int i = 0; i < 20000; i++) {
        Rota__Reply *reply = download(rig.root, job, kind, NULL);
        bool is_gone = reply->error && strcmp(reply->error->name, name) == 0;
        rota_reply_free(reply);
        if (is_gone)
            return;
    }
    fail_msg("%s is still there", job);
}

static void test_a_bundle_goes_through(void **state)
{
    (void)state;
    struct body src, bundle;
    char job[32], error[40], key[KEY_MAX];
    bundles_drain();
    body_init(&src);
    body_init(&bundle);
    rig_key(&rig, "local", ROTA__ROLE__WORKER, key, NULL);
    struct rota_client *worker = rig_client(&rig, key);
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &src);
    publish_source(rig.root, "maker", src.source, job, error);
    assert_string_equal(error, "");
    Rota__Reply *leased;
    Rota__LeasedJob *got = lease_bundle(worker, &leased);
    assert_non_null(got);
    assert_string_equal(got->lease->job, job);
    worker_reads_source(worker, got, &src);
    refused(invite(worker, got->lease, ROTA__OBJECT_KIND__BUNDLE, &bundle, 10000001),
            "OBJECT_TOO_LARGE"); /* tier free: 10 MB */
    Rota__Artifact artifact;
    artifact_of(&bundle, ROTA__OBJECT_KIND__BUNDLE, &artifact);
    Rota__Reply *attested = attest(worker, got->lease, &artifact);
    assert_null(attested->error);
    Rota__Attestation *att = attested->attest->attestation;
    assert_non_null(strstr(att->statement, "\"account\":\"maker\""));
    bad_finishes(worker, got->lease, &bundle, &artifact, att);
    upload(worker, got->lease, ROTA__OBJECT_KIND__BUNDLE, &bundle);
    Rota__Reply *reply = finish(worker, got->lease, &artifact, att);
    assert_null(reply->error);
    rota_reply_free(reply);
    reply = finish(worker, got->lease, &artifact, att); /* said twice: the same answer */
    assert_null(reply->error);
    assert_int_equal(reply->finish->state, ROTA__STATE__SUCCEEDED);
    rota_reply_free(reply);
    check_bundle(job, &bundle, att);
    await_gone(job, ROTA__OBJECT_KIND__SOURCE, "SOURCE_GONE");
    refused(attest(worker, got->lease, &artifact), "LEASE_LOST");
    rota_reply_free(attested);
    rota_reply_free(leased);
    rota_client_free(worker);
}

static Rota__Reply *publish_keyed(const char *source)
{
    Rota__Request r;
    Rota__Publish p = ROTA__PUBLISH__INIT;
    p.account = (char *)(uintptr_t) "maker";
    p.app = (char *)(uintptr_t) "app";
    p.platform = (char *)(uintptr_t) "ios";
    p.source = (char *)(uintptr_t)source;
    p.idempotency_key = (char *)(uintptr_t) "once-and-for-all";
    return call(rig.root, ASK(r, PUBLISH, publish, &p));
}

static void test_a_repeated_publish_is_answered_though_its_source_is_gone(void **state)
{
    (void)state;
    struct body src, other;
    body_init(&src);
    body_init(&other);
    bundles_drain();
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &src);
    Rota__Reply *first = publish_keyed(src.source);
    assert_null(first->error);
    assert_false(first->publish->replayed);
    bundles_drain();
    await_gone(first->publish->job, ROTA__OBJECT_KIND__SOURCE, "SOURCE_GONE");
    Rota__Reply *again = publish_keyed(src.source);
    assert_null(again->error);
    assert_true(again->publish->replayed);
    assert_string_equal(again->publish->job, first->publish->job);
    refused(publish_keyed(other.source), "IDEMPOTENCY_MISMATCH");
    printf("the same job again, and another body refused\n");
    rota_reply_free(first);
    rota_reply_free(again);
}

/* ---- a source under a publish that is on its way ---- */

struct race {
    struct rota_client *client;
    Rota__LeaseRef *lease;
};

static void *race_finish(void *arg)
{
    struct race *race = arg;
    Rota__Reply *reply = finish(race->client, race->lease, NULL, NULL);
    assert_null(reply->error);
    rota_reply_free(reply);
    return NULL;
}

static void test_a_source_stays_under_a_publish_on_its_way(void **state)
{
    (void)state;
    unsigned kept = 0, missing = 0;
    bundles_drain();
    struct race race = {.client = rig_client(&rig, NULL)};
    for (int i = 0; i < RACES; i++) {
        struct body src;
        char first[32], second[32], error[40];
        pthread_t thread;
        Rota__Reply *leased;
        body_init(&src);
        upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &src);
        publish_source(rig.root, "maker", src.source, first, error);
        assert_string_equal(error, "");
        Rota__LeasedJob *got = lease_bundle(rig.root, &leased);
        assert_non_null(got);
        assert_string_equal(got->lease->job, first);
        race.lease = got->lease;
        assert_int_equal(pthread_create(&thread, NULL, race_finish, &race), 0);
        publish_source(rig.root, "maker", src.source, second, error);
        pthread_join(thread, NULL);
        rota_reply_free(leased);
        missing += strcmp(error, "SOURCE_MISSING") == 0;
        if (error[0])
            continue;
        got = lease_bundle(rig.root, &leased);
        assert_non_null(got);
        Rota__Reply *reply =
            download(rig.root, got->lease->job, ROTA__OBJECT_KIND__SOURCE, got->lease);
        assert_null(reply->error);
        assert_true(file_is(reply->sign_download->url, &src));
        kept++;
        rota_reply_free(reply);
        rota_reply_free(finish(rig.root, got->lease, NULL, NULL));
        rota_reply_free(leased);
        await_gone(second, ROTA__OBJECT_KIND__SOURCE, "SOURCE_GONE");
    }
    rota_client_free(race.client);
    printf("%u accepted publishes kept their source, %u came too late, of %d\n", kept, missing,
           RACES);
    assert_int_equal(kept + missing, RACES);
    assert_true(kept > 0);
}

/* ---- logs ---- */

static void test_a_log_keeps_its_last_words(void **state)
{
    (void)state;
    char job[32], line[1000];
    Rota__Request r;
    Rota__Reply *leased, *reply;
    publish_task(rig.root, "maker", "app", job);
    Rota__LeasedJob *got = lease_one(rig.root, "task", "writer", 5000, &leased);
    assert_non_null(got);
    Rota__Log log = ROTA__LOG__INIT;
    log.lease = got->lease;
    for (unsigned i = 0; i < 400; i++) {
        snprintf(line, sizeof line, "%0999u", i);
        log.data = (ProtobufCBinaryData){1000, (uint8_t *)line};
        line[999] = '\n';
        reply = must(rig.root, ASK(r, LOG, log, &log));
        assert_int_equal(reply->log->size, 1000ull * (i + 1));
        rota_reply_free(reply);
    }
    Rota__LeaseRef old = *got->lease;
    old.token++;
    log.lease = &old;
    must_fail(rig.root, ASK(r, LOG, log, &log), "LEASE_LOST");
    uint64_t offset = 0, first = UINT64_MAX, lines = 0;
    bool has_ended = false;
    finish_ok(rig.root, got->lease);
    while (!has_ended) {
        Rota__LogRead read = ROTA__LOG_READ__INIT;
        read.job = job;
        read.offset = offset;
        reply = must(rig.root, ASK(r, LOG_READ, log_read, &read));
        if (first == UINT64_MAX)
            first = reply->log_read->offset;
        for (size_t i = 0; i < reply->log_read->data.len; i++)
            lines += reply->log_read->data.data[i] == '\n';
        offset = reply->log_read->next;
        has_ended = reply->log_read->ended;
        rota_reply_free(reply);
    }
    assert_int_equal(offset, 400000);
    assert_int_equal(first, 400000 - 256 * 1024);
    assert_int_equal(lines, 263); /* 262,144 bytes of lines of 1,000: the first one cut */
    printf("400,000 bytes said, the last %llu kept\n", (unsigned long long)(offset - first));
    rota_reply_free(leased);
}

static void test_nothing_is_left_behind(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct stat st;
    unsigned left = 0;
    bundles_drain();
    snprintf(path, sizeof path, "%s/artifacts/source/maker", rig.data);
    for (int i = 0; i < 20000; i++) {
        if (stat(path, &st) == 0 && st.st_nlink == 2 && rmdir(path) == 0)
            break;
        left++;
        Rota__Request r;
        Rota__Ping ping = ROTA__PING__INIT;
        rota_reply_free(must(rig.root, ASK(r, PING, ping, &ping)));
    }
    assert_int_not_equal(stat(path, &st), 0);
    assert_int_equal(errno, ENOENT);
    printf("no source left (looked %u times)\n", left + 1);
}

int main(int argc, char **argv)
{
    if (argc != 2 || sodium_init() < 0)
        return 2;
    program = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_publish_needs_its_source),
        cmocka_unit_test(test_a_link_is_no_upload),
        cmocka_unit_test(test_a_file_with_another_name_is_copied),
        cmocka_unit_test(test_a_bundle_goes_through),
        cmocka_unit_test(test_a_repeated_publish_is_answered_though_its_source_is_gone),
        cmocka_unit_test(test_a_source_stays_under_a_publish_on_its_way),
        cmocka_unit_test(test_a_log_keeps_its_last_words),
        cmocka_unit_test(test_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, group_up, group_down);
}
