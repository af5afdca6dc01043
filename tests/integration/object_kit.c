/* object_kit.c: each function is a call or two of a client's; what a broker refuses comes back to
 * the test as the reply says it. */
#include "object_kit.h"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

enum { AWAIT_CALLS_MAX = 20000 };

void body_init(struct body *b)
{
    char hex[65];
    randombytes_buf(b->bytes, sizeof b->bytes);
    memcpy(b->bytes, "rota-seal-1\n", SEAL_MAGIC_LEN);
    crypto_hash_sha256(b->sha256, b->bytes, sizeof b->bytes);
    crypto_generichash(b->blake2b, sizeof b->blake2b, b->bytes, sizeof b->bytes, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, b->sha256, sizeof b->sha256);
    snprintf(b->source, sizeof b->source, "upload:%s", hex);
}

void url_path(const char *url, char path[PATH_MAX])
{
    assert_int_equal(strncmp(url, "file:///", 8), 0);
    assert_null(strchr(url, '%'));
    snprintf(path, PATH_MAX, "%s", url + 7);
}

void file_put(const char *url, const void *p, size_t n)
{
    char path[PATH_MAX];
    url_path(url, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    close(fd);
}

bool file_is(const char *url, const struct body *b)
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

Rota__Reply *invite(struct rota_client *c, Rota__LeaseRef *lease, Rota__ObjectKind kind,
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

void upload(struct rota_client *c, Rota__LeaseRef *lease, Rota__ObjectKind kind, struct body *b)
{
    Rota__Reply *reply = invite(c, lease, kind, b, BODY_BYTES);
    assert_null(reply->error);
    file_put(reply->sign_upload->url, b->bytes, sizeof b->bytes);
    rota_reply_free(reply);
}

void refused(Rota__Reply *reply, const char *name)
{
    assert_non_null(reply->error);
    assert_string_equal(reply->error->name, name);
    rota_reply_free(reply);
}

Rota__Reply *download(struct rota_client *c, const char *job, Rota__ObjectKind kind,
                      Rota__LeaseRef *lease)
{
    Rota__Request r;
    Rota__SignDownload sign = ROTA__SIGN_DOWNLOAD__INIT;
    sign.job = (char *)(uintptr_t)job;
    sign.kind = kind;
    sign.lease = lease;
    return call(c, ASK(r, SIGN_DOWNLOAD, sign_download, &sign));
}

Rota__Reply *finish(struct rota_client *c, Rota__LeaseRef *lease, Rota__Artifact *artifact,
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

Rota__LeasedJob *lease_bundle(struct rota_client *c, Rota__Reply **ret_reply)
{
    return lease_one(c, "bundle", "builder", 5000, ret_reply);
}

void bundles_drain(struct rota_client *c)
{
    for (;;) {
        Rota__Reply *reply;
        Rota__LeasedJob *job = lease_one(c, "bundle", "drainer", 0, &reply);
        if (job)
            rota_reply_free(finish(c, job->lease, NULL, NULL));
        rota_reply_free(reply);
        if (!job)
            return;
    }
}

void await_gone(struct rota_client *c, const char *job, Rota__ObjectKind kind, const char *name)
{
    for (int i = 0; i < AWAIT_CALLS_MAX; i++) {
        Rota__Reply *reply = download(c, job, kind, NULL);
        bool is_gone = reply->error && strcmp(reply->error->name, name) == 0;
        rota_reply_free(reply);
        if (is_gone)
            return;
    }
    fail_msg("%s is still there", job);
}
