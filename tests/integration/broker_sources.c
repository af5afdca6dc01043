/* broker_sources.c: the sources of jobs, through a real rotad and its local store.
 *
 * Shows: a publish needs the source that it names, whole, of the right hash and its account's own;
 * neither a link nor a second name of the file gets other bytes into the store; a source goes when
 * its last job ends, but never from under a publish that is on its way. Why it matters: a job that
 * was accepted must find its source, and nobody's source may stay behind. */
#include "broker_group.h"
#include "object_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RACES = 60, MB = 1000000 };

static int makers_up(void **state)
{
    int code = group_up(state);
    rig_account(&rig, "maker", ROTA__TIER__P3, 50);
    return code;
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

static void source_limit(uint64_t bytes)
{
    Rota__Request r;
    Rota__AccountSet set = ROTA__ACCOUNT_SET__INIT;
    set.account = (char *)(uintptr_t) "maker";
    set.set_source_case = ROTA__ACCOUNT_SET__SET_SOURCE_SOURCE_BYTES_MAX;
    set.source_bytes_max = bytes;
    rota_reply_free(must(rig.root, ASK(r, ACCOUNT_SET, account_set, &set)));
}

static Rota__Reply *publish_ios(const char *source)
{
    Rota__Request r;
    Rota__Publish p = ROTA__PUBLISH__INIT;
    p.account = (char *)(uintptr_t) "maker";
    p.app = (char *)(uintptr_t) "app";
    p.platform = (char *)(uintptr_t) "ios";
    kit_source(&p, source);
    return call(rig.root, ASK(r, PUBLISH, publish, &p));
}

/* Refused before it travels; and where it was announced smaller than it is, before it is a job. */
static void test_a_source_keeps_within_its_accounts_limit(void **state)
{
    (void)state;
    static uint8_t large[MB + 1];
    static const char words[] = "the source has 1000001 bytes, at most 1000000";
    struct body b;
    char hex[65];
    body_init(&b);
    source_limit(MB);
    Rota__Reply *reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, MB + 1);
    assert_non_null(reply->error);
    assert_string_equal(reply->error->text, words);
    refused(reply, "SOURCE_TOO_LARGE");
    randombytes_buf(large, sizeof large);
    memcpy(large, b.bytes, SEAL_MAGIC_LEN);
    crypto_hash_sha256(b.sha256, large, sizeof large);
    sodium_bin2hex(hex, sizeof hex, b.sha256, sizeof b.sha256);
    snprintf(b.source, sizeof b.source, "upload:%s", hex);
    reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, 5);
    file_put(reply->sign_upload->url, large, sizeof large);
    rota_reply_free(reply);
    reply = publish_ios(b.source);
    assert_non_null(reply->error);
    assert_string_equal(reply->error->text, words);
    refused(reply, "SOURCE_TOO_LARGE");
    refused(publish_ios(b.source), "SOURCE_MISSING"); /* it was not kept */
    source_limit(0);
    reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, sizeof large);
    file_put(reply->sign_upload->url, large, sizeof large);
    rota_reply_free(reply);
    reply = publish_ios(b.source);
    assert_null(reply->error);
    rota_reply_free(reply);
    source_limit(MB); /* stored by now, and still too large for another job */
    refused(publish_ios(b.source), "SOURCE_TOO_LARGE");
    source_limit(0);
    printf("refused at the announcement, at the publish, and when it was there already\n");
}

/* The invitation as if it had been given `ahead_s` later than it was. */
static void invitation_move(const char *url, int64_t ahead_s, char ret_url[PATH_MAX])
{
    enum { TIME_LEN = 10, TAIL_LEN = 1 + 32 + 7 }; /* "-TOKEN/object" */
    char from[PATH_MAX], to[PATH_MAX], path[PATH_MAX], digits[TIME_LEN + 1] = {0};
    url_path(url, path);
    size_t at = strlen(path) - TAIL_LEN - TIME_LEN;
    memcpy(digits, path + at, TIME_LEN);
    snprintf(digits, sizeof digits, "%0*llx", TIME_LEN,
             strtoull(digits, NULL, 16) + (unsigned long long)ahead_s);
    snprintf(from, sizeof from, "%.*s", (int)(strrchr(path, '/') - path), path);
    memcpy(path + at, digits, TIME_LEN);
    snprintf(to, sizeof to, "%.*s", (int)(strrchr(path, '/') - path), path);
    assert_int_equal(rename(from, to), 0);
    snprintf(ret_url, PATH_MAX, "file://%.4000s", path);
}

/* A clock that was set back, and an upload that took too long: each is told by its name, and the
 * same source by a new URL is taken. */
static void test_an_upload_keeps_to_the_time_of_its_url(void **state)
{
    (void)state;
    static const struct {
        int64_t ahead_s;
        const char *error;
    } row[] = {{-3960, "URL_EXPIRED"}, {-3840, ""}, {360, "URL_AHEAD"}, {240, ""}};
    char job[32], error[40], url[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        struct body b;
        body_init(&b);
        Rota__Reply *reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, BODY_BYTES);
        invitation_move(reply->sign_upload->url, row[i].ahead_s, url);
        rota_reply_free(reply);
        file_put(url, b.bytes, sizeof b.bytes);
        publish_source(rig.root, "maker", b.source, job, error);
        assert_string_equal(error, row[i].error);
        upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b);
        publish_source(rig.root, "maker", b.source, job, error);
        assert_string_equal(error, "");
    }
    printf("%zu times of a URL, 5 minutes to spare at both ends\n", ARRAY_LEN(row));
}

/* No key stands behind a URL of the files, so a new one ends none. */
static void test_a_url_outlives_the_change_of_keys_and_a_restart(void **state)
{
    (void)state;
    struct body b;
    char job[32], error[40], url[PATH_MAX], text[4096];
    const char *const args[] = {"key", "rotate", "--data", rig.data, NULL};
    body_init(&b);
    Rota__Reply *reply = invite(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b, BODY_BYTES);
    snprintf(url, sizeof url, "%s", reply->sign_upload->url);
    rota_reply_free(reply);
    assert_int_equal(rig_run(&rig, args, text, sizeof text), 0);
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig_start(&rig, NULL);
    file_put(url, b.bytes, sizeof b.bytes);
    publish_source(rig.root, "maker", b.source, job, error);
    assert_string_equal(error, "");
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

static Rota__Reply *publish_keyed(const char *source)
{
    Rota__Request r;
    Rota__Publish p = ROTA__PUBLISH__INIT;
    p.account = (char *)(uintptr_t) "maker";
    p.app = (char *)(uintptr_t) "app";
    p.platform = (char *)(uintptr_t) "ios";
    kit_source(&p, source);
    p.idempotency_key = (char *)(uintptr_t) "once-and-for-all";
    return call(rig.root, ASK(r, PUBLISH, publish, &p));
}

static void test_a_repeated_publish_is_answered_though_its_source_is_gone(void **state)
{
    (void)state;
    struct body src, other;
    body_init(&src);
    body_init(&other);
    bundles_drain(rig.root);
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &src);
    Rota__Reply *first = publish_keyed(src.source);
    assert_null(first->error);
    assert_false(first->publish->replayed);
    bundles_drain(rig.root);
    await_gone(rig.root, first->publish->job, ROTA__OBJECT_KIND__SOURCE, "SOURCE_GONE");
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
    bundles_drain(rig.root);
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
        await_gone(rig.root, second, ROTA__OBJECT_KIND__SOURCE, "SOURCE_GONE");
    }
    rota_client_free(race.client);
    printf("%u accepted publishes kept their source, %u came too late, of %d\n", kept, missing,
           RACES);
    assert_int_equal(kept + missing, RACES);
    assert_true(kept > 0);
}

static void test_nothing_is_left_behind(void **state)
{
    (void)state;
    char path[PATH_MAX];
    struct stat st;
    unsigned left = 0;
    bundles_drain(rig.root);
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
    group_init(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_publish_needs_its_source),
        cmocka_unit_test(test_a_source_keeps_within_its_accounts_limit),
        cmocka_unit_test(test_an_upload_keeps_to_the_time_of_its_url),
        cmocka_unit_test(test_a_url_outlives_the_change_of_keys_and_a_restart),
        cmocka_unit_test(test_a_link_is_no_upload),
        cmocka_unit_test(test_a_file_with_another_name_is_copied),
        cmocka_unit_test(test_a_repeated_publish_is_answered_though_its_source_is_gone),
        cmocka_unit_test(test_a_source_stays_under_a_publish_on_its_way),
        cmocka_unit_test(test_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, makers_up, group_down);
}
