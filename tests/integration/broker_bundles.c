/* broker_bundles.c: a bundle's way through a real rotad and its local store.
 *
 * Shows: a worker reads the source of its own lease and no other; its artifacts are taken only
 * whole, under a live lease and with this broker's own attestation; limits are said before a byte
 * travels. Why it matters: the signature stands for bytes that this broker has looked at. */
#include "broker_group.h"
#include "object_kit.h"

#include "sign.h"

#include <sodium.h>
#include <sys/stat.h>

static int makers_up(void **state)
{
    int code = group_up(state);
    rig_account(&rig, "maker", ROTA__TIER__P3, 50);
    return code;
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

/* A small bundle whose assets make the two too large. */
static Rota__Reply *invite_part(struct rota_client *c, Rota__LeaseRef *lease, struct body *b,
                                uint64_t bundle_bytes)
{
    Rota__Request r;
    Rota__SignUpload sign = ROTA__SIGN_UPLOAD__INIT;
    sign.lease = lease;
    sign.kind = ROTA__OBJECT_KIND__BUNDLE;
    sign.sha256 = (ProtobufCBinaryData){sizeof b->sha256, b->sha256};
    sign.size = BODY_BYTES;
    sign.bundle_bytes = bundle_bytes;
    return call(c, ASK(r, SIGN_UPLOAD, sign_upload, &sign));
}

static void test_a_bundle_goes_through(void **state)
{
    (void)state;
    struct body src, bundle;
    char job[32], error[40], key[KEY_MAX];
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
            "BUNDLE_TOO_LARGE"); /* tier free: 10 MB */
    refused(invite_part(worker, got->lease, &bundle, 10000001), "BUNDLE_TOO_LARGE");
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
    await_gone(rig.root, job, ROTA__OBJECT_KIND__SOURCE, "SOURCE_GONE");
    refused(attest(worker, got->lease, &artifact), "LEASE_LOST");
    rota_reply_free(attested);
    rota_reply_free(leased);
    rota_client_free(worker);
}

int main(int argc, char **argv)
{
    if (argc != 2 || sodium_init() < 0)
        return 2;
    group_init(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bundle_goes_through),
    };
    return cmocka_run_group_tests(tests, makers_up, group_down);
}
