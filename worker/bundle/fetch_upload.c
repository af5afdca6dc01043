/* fetch_upload.c: the sealed object is read once to be sure that it is the one that was published,
 * then opened into a file without a name on the build's tmpfs, whose bound is the bound of what
 * comes out. Only when its last chunk proved that it is whole does the unpacker, inside the
 * sandbox, get to read it: by an open descriptor, never by a name.
 *
 * Three ways to fail are told apart: the object or its key is gone, the object is not what was
 * published (somebody changed it at rest), and it does not open with its key (it was sealed so). */
#include "fetch_upload.h"

#include "call.h"
#include "carry.h"

#include <errno.h>
#include <seal.h>
#include <sign.h>
#include <sodium.h>
#include <string.h>

static const struct {
    int outcome;
    enum error_code error;
} refusals[] = {
    {CARRY_GONE, E_SOURCE_GONE},       {CARRY_SCHEME, E_WORKER_HOST},
    {CARRY_BAD_URL, E_SANDBOX_FAILED}, {CARRY_FAILED, E_SOURCE_GONE},
    {CARRY_AWAY, E_STORE_UNAVAILABLE},
};

/* Over the network it comes into the build's own tmpfs. */
static int sealed_file(void *arg, int *ret_fd)
{
    return space_file(arg, ret_fd);
}

static int object_open(struct work *w, const Rota__SignResult *sign, const uint8_t sha256[32],
                       int *ret_fd)
{
    struct carry c = {.url = sign->url,
                      .size = sign->size,
                      .sha256 = sha256,
                      .stop_fd = w->build->stop_fd,
                      .file = sealed_file,
                      .arg = w->space};
    int r = carry_get(&c, ret_fd);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (r == refusals[i].outcome) {
            build_fail(w->result, refusals[i].error, r == CARRY_AWAY ? "%s" : NULL, c.why);
            return WORK_ENDED;
        }
    if (r == CARRY_STOPPED)
        w->result->outcome = BUILD_STOPPED;
    return r == CARRY_STOPPED ? WORK_ENDED : r;
}

static int object_check(struct work *w, int fd, const uint8_t want[32])
{
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    int r = hash_file(fd, sha256, blake2b, &size);
    if (r < 0)
        return err_pass(r);
    if (memcmp(sha256, want, sizeof sha256) != 0) {
        build_fail(w->result, E_OBJECT_MISMATCH, "the stored source is not the one published");
        return WORK_ENDED;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_raise(-errno);
    work_say(w, "source: %llu bytes, sealed", (unsigned long long)size);
    return 0;
}

/* The key leaves the answer for memory that is locked and wiped. NULL: there is none. */
static uint8_t *key_take(const Rota__SignResult *sign)
{
    const ProtobufCBinaryData *had = &sign->source_key;
    uint8_t *key = had->len == SEAL_KEY_BYTES ? sodium_malloc(SEAL_KEY_BYTES) : NULL;
    if (key)
        memcpy(key, had->data, SEAL_KEY_BYTES);
    if (had->len)
        sodium_memzero(had->data, had->len);
    return key;
}

static int sealed_find(struct work *w, const struct source_ref *source, uint8_t **ret_key,
                       int *ret_fd)
{
    AUTO_REPLY *reply = NULL;
    const Rota__SignResult *sign;
    AUTO_FD fd = -1;
    int r = call_sign_download(w, &reply, &sign);
    if (r != 0)
        return r;
    *ret_key = key_take(sign);
    r = object_open(w, sign, source->sha256, &fd);
    if (r == 0)
        r = object_check(w, fd, source->sha256);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

/* SEAL_NONE, SEAL_BROKEN and a tmpfs that is too small, in the build's own words. */
static int open_failed(struct work *w, int r)
{
    static const struct {
        int outcome;
        enum error_code error;
    } ends[] = {
        {SEAL_NONE, E_SOURCE_NOT_SEALED},
        {SEAL_BROKEN, E_SOURCE_SEAL_BROKEN},
        {-ENOSPC, E_WORKSPACE_FULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (r == ends[i].outcome) {
            build_fail(w->result, ends[i].error, NULL);
            return WORK_ENDED;
        }
    return err_pass(r);
}

/* The archive as a file without a name. */
static int sealed_open(struct work *w, const uint8_t *key, int sealed, int *ret_fd)
{
    if (!key) {
        build_fail(w->result, E_SOURCE_NOT_SEALED, "the broker has no key for the source");
        return WORK_ENDED;
    }
    AUTO_FD fd = -1;
    int r = space_file(w->space, &fd);
    if (r == 0)
        r = seal_open_fd(key, sealed, fd);
    if (r != 0)
        return open_failed(w, r);
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_raise(-errno);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int fetch_upload(struct work *w, const struct source_ref *source)
{
    uint8_t *key = NULL;
    AUTO_FD sealed = -1;
    AUTO_FD archive = -1;
    int r = sealed_find(w, source, &key, &sealed);
    if (r == 0)
        r = sealed_open(w, key, sealed, &archive);
    sodium_free(key); /* wipes */
    if (r == 0)
        r = work_step(w, STEP_UNPACK, archive);
    if (r == 0)
        work_say(w, "unpacked %llu entries, %llu bytes; left out %llu (node_modules, .npmrc)",
                 (unsigned long long)w->feedback.entries, (unsigned long long)w->feedback.bytes,
                 (unsigned long long)w->feedback.skipped);
    return r;
}
