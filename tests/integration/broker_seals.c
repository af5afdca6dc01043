/* broker_seals.c: sealed sources and their keys, through a real rotad and its files.
 *
 * Shows: what is not sealed is refused by name and does not stay; the key is on the disk before the
 * publish is answered, survives kill -9, goes to the holder of the lease alone, and is overwritten
 * when the job ends, or at the next start when a crash came between. Why it matters: whoever holds
 * the key holds the source, and destroying it is how a source is deleted. */
#include "broker_group.h"
#include "object_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 300, FILE_MAX = 32 << 20, LOOKS = 20000 };

static int makers_up(void **state)
{
    int code = group_up(state);
    rig_account(&rig, "maker", ROTA__TIER__P3, 500);
    return code;
}

/* Publishes for ios with this key; the caller frees. */
static Rota__Reply *publish(const char *source, uint8_t key[32])
{
    Rota__Request r;
    Rota__Publish p = ROTA__PUBLISH__INIT;
    p.account = (char *)(uintptr_t) "maker";
    p.app = (char *)(uintptr_t) "app";
    p.platform = (char *)(uintptr_t) "ios";
    p.source = (char *)(uintptr_t)source;
    p.source_key = (ProtobufCBinaryData){key ? 32 : 0, key};
    return call(rig.root, ASK(r, PUBLISH, publish, &p));
}

static void accepted(struct body *b, uint8_t key[32], char job[32])
{
    body_init(b);
    randombytes_buf(key, 32);
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, b);
    Rota__Reply *reply = publish(b->source, key);
    assert_null(reply->error);
    snprintf(job, 32, "%s", reply->publish->job);
    rota_reply_free(reply);
}

/* Does the file below the data folder hold these bytes? */
static bool holds(const char *name, const uint8_t key[32])
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", rig.data, name);
    uint8_t *bytes = malloc(FILE_MAX);
    int fd = open(path, O_RDONLY);
    assert_true(bytes && fd >= 0);
    ssize_t n = read(fd, bytes, FILE_MAX);
    assert_in_range(n, 64, FILE_MAX - 1);
    bool found = memmem(bytes, (size_t)n, key, 32) != NULL;
    close(fd);
    free(bytes);
    return found;
}

static bool in_key_file(const uint8_t key[32])
{
    return holds("keys/source.keys", key);
}

static void test_what_is_not_sealed_is_refused_and_does_not_stay(void **state)
{
    (void)state;
    struct body b;
    uint8_t key[32] = {1};
    char path[PATH_MAX], hex[65];
    body_init(&b);
    b.bytes[3] = 'A'; /* no magic any more */
    crypto_hash_sha256(b.sha256, b.bytes, sizeof b.bytes);
    sodium_bin2hex(hex, sizeof hex, b.sha256, sizeof b.sha256);
    snprintf(b.source, sizeof b.source, "upload:%s", hex);
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b);
    refused(publish(b.source, NULL), "SOURCE_NOT_SEALED");
    Rota__Reply *reply = publish(b.source, key);
    assert_non_null(reply->error);
    assert_non_null(strstr(reply->error->hint, "rota publish"));
    refused(reply, "SOURCE_NOT_SEALED");
    snprintf(path, sizeof path, "%s/artifacts/source/maker/%s", rig.data, hex);
    for (int i = 0; i < LOOKS && access(path, F_OK) == 0; i++) {
        Rota__Request r;
        Rota__Ping ping = ROTA__PING__INIT;
        rota_reply_free(must(rig.root, ASK(r, PING, ping, &ping)));
    }
    assert_int_not_equal(access(path, F_OK), 0);
    printf("without a key and without a seal: refused, and the file is gone\n");
}

static void test_the_key_goes_to_the_holder_of_the_lease_alone(void **state)
{
    (void)state;
    struct body b;
    uint8_t key[32];
    char job[32];
    accepted(&b, key, job);
    assert_true(in_key_file(key));
    Rota__Reply *leased, *reply = download(rig.root, job, ROTA__OBJECT_KIND__SOURCE, NULL);
    assert_null(reply->error);
    assert_int_equal(reply->sign_download->source_key.len, 0); /* an operator, the account: no */
    rota_reply_free(reply);
    Rota__LeasedJob *got = lease_bundle(rig.root, &leased);
    assert_non_null(got);
    reply = download(rig.root, job, ROTA__OBJECT_KIND__SOURCE, got->lease);
    assert_null(reply->error);
    assert_int_equal(reply->sign_download->source_key.len, 32);
    assert_memory_equal(reply->sign_download->source_key.data, key, 32);
    rota_reply_free(reply);
    Rota__LeaseRef other = *got->lease;
    other.token++;
    refused(download(rig.root, job, ROTA__OBJECT_KIND__SOURCE, &other), "LEASE_LOST");
    rota_reply_free(finish(rig.root, got->lease, NULL, NULL));
    assert_false(in_key_file(key)); /* before the finish was answered */
    refused(download(rig.root, job, ROTA__OBJECT_KIND__SOURCE, got->lease), "LEASE_LOST");
    rota_reply_free(leased);
    assert_false(holds("data.mdb", key));
}

/* A slot for each job, also when they share one object. */
static void test_jobs_that_share_a_source_have_a_key_each(void **state)
{
    (void)state;
    struct body b;
    uint8_t key[32];
    char first[32], second[32];
    Rota__Reply *leased;
    accepted(&b, key, first);
    Rota__Reply *reply = publish(b.source, key);
    assert_null(reply->error);
    snprintf(second, sizeof second, "%s", reply->publish->job);
    rota_reply_free(reply);
    Rota__LeasedJob *got = lease_bundle(rig.root, &leased);
    assert_string_equal(got->lease->job, first);
    rota_reply_free(finish(rig.root, got->lease, NULL, NULL));
    rota_reply_free(leased);
    got = lease_bundle(rig.root, &leased);
    assert_string_equal(got->lease->job, second);
    reply = download(rig.root, second, ROTA__OBJECT_KIND__SOURCE, got->lease);
    assert_null(reply->error);
    assert_memory_equal(reply->sign_download->source_key.data, key, 32);
    rota_reply_free(reply);
    rota_reply_free(finish(rig.root, got->lease, NULL, NULL));
    rota_reply_free(leased);
    assert_false(in_key_file(key));
}

static void key_file_restore(const void *bytes, size_t n)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/keys/source.keys", rig.data);
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

static size_t key_file_copy(void *bytes)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/keys/source.keys", rig.data);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, bytes, FILE_MAX);
    assert_true(n > 64);
    close(fd);
    return (size_t)n;
}

/* The key file as it was before jobs ended is what a crash between commit and overwriting leaves;
 * and as it was before they came, what a restored backup has. */
static void test_a_crash_leaves_no_key_and_a_restore_no_source(void **state)
{
    (void)state;
    struct body b;
    uint8_t ended[32], live[32], *before = malloc(FILE_MAX), *with = malloc(FILE_MAX);
    char job[32], lives[32];
    Rota__Reply *leased;
    assert_true(before && with);
    size_t before_n = key_file_copy(before);
    accepted(&b, ended, job);
    accepted(&b, live, lives);
    size_t with_n = key_file_copy(with);
    Rota__LeasedJob *got = lease_bundle(rig.root, &leased);
    assert_string_equal(got->lease->job, job);
    rota_reply_free(finish(rig.root, got->lease, NULL, NULL));
    rota_reply_free(leased);
    rig_stop(&rig, SIGKILL);
    assert_true(!in_key_file(ended) && in_key_file(live));
    key_file_restore(with, with_n);
    assert_true(in_key_file(ended));
    rig_start(&rig, NULL);
    assert_true(!in_key_file(ended) && in_key_file(live));
    rig_stop(&rig, SIGKILL);
    key_file_restore(before, before_n);
    rig_start(&rig, NULL);
    got = lease_bundle(rig.root, &leased);
    assert_string_equal(got->lease->job, lives);
    refused(download(rig.root, lives, ROTA__OBJECT_KIND__SOURCE, got->lease), "SOURCE_GONE");
    rota_reply_free(finish(rig.root, got->lease, NULL, NULL));
    rota_reply_free(leased);
    free(before);
    free(with);
    printf("swept at the start, and SOURCE_GONE without the key\n");
}

static void test_many_at_once_and_kill_9(void **state)
{
    (void)state;
    struct body b;
    static uint8_t key[MANY][32];
    static Rota__Publish publish_of[MANY];
    static Rota__Publish *list[MANY];
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    Rota__Request r;
    unsigned there = 0, in_store = 0, left = 0;
    body_init(&b);
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &b);
    randombytes_buf(key, sizeof key);
    for (int i = 0; i < MANY; i++) {
        rota__publish__init(&publish_of[i]);
        publish_of[i].account = (char *)(uintptr_t) "maker";
        publish_of[i].app = (char *)(uintptr_t) "app";
        publish_of[i].platform = (char *)(uintptr_t) "ios";
        publish_of[i].source = b.source;
        publish_of[i].source_key = (ProtobufCBinaryData){32, key[i]};
        list[i] = &publish_of[i];
    }
    many.n_publish = MANY;
    many.publish = list;
    Rota__Reply *reply = must(rig.root, ASK(r, PUBLISH_MANY, publish_many, &many));
    for (int i = 0; i < MANY; i++)
        assert_null(reply->publish_many->outcome[i]->error);
    rig_stop(&rig, SIGKILL);
    for (int i = 0; i < MANY; i++)
        there += in_key_file(key[i]);
    rota_reply_free(reply);
    rig_start(&rig, NULL);
    bundles_drain(rig.root);
    for (int i = 0; i < MANY; i++) {
        left += in_key_file(key[i]);
        in_store += holds("data.mdb", key[i]);
    }
    printf("%u of %d keys behind kill -9; after their jobs: %u in the file, %u in the database\n",
           there, MANY, left, in_store);
    assert_int_equal(there, MANY);
    assert_int_equal(left + in_store, 0);
}

int main(int argc, char **argv)
{
    if (argc != 2 || sodium_init() < 0)
        return 2;
    group_init(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_not_sealed_is_refused_and_does_not_stay),
        cmocka_unit_test(test_the_key_goes_to_the_holder_of_the_lease_alone),
        cmocka_unit_test(test_jobs_that_share_a_source_have_a_key_each),
        cmocka_unit_test(test_a_crash_leaves_no_key_and_a_restore_no_source),
        cmocka_unit_test(test_many_at_once_and_kill_9),
    };
    return cmocka_run_group_tests(tests, makers_up, group_down);
}
