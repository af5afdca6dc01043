/* phase_fetch.c: finds the source by its hash, reads it once to be sure that it is the one, and has
 * it unpacked inside the sandbox. The path comes from the broker's capability, and the sandbox gets
 * an open descriptor, never a name. */
#include "call.h"
#include "carry.h"

#include <errno.h>
#include <sign.h>
#include <source_ref.h>
#include <string.h>

static const struct {
    int outcome;
    enum error_code error;
} refusals[] = {
    {CARRY_GONE, E_SOURCE_GONE},
    {CARRY_SCHEME, E_WORKER_HOST},
    {CARRY_BAD_URL, E_SANDBOX_FAILED},
    {CARRY_FAILED, E_SOURCE_GONE},
};

static int source_open(struct work *w, const char *url, int *ret_fd)
{
    int r = carry_get(url, ret_fd);
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
        if (r == refusals[i].outcome) {
            build_fail(w->result, refusals[i].error, NULL);
            return WORK_ENDED;
        }
    return r;
}

static int source_check(struct work *w, int fd, const uint8_t want[32])
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
    work_say(w, "source: %llu bytes", (unsigned long long)size);
    return 0;
}

static int source_find(struct work *w, int *ret_fd)
{
    struct source_ref source;
    if (source_ref_parse(span_str(w->build->source), &source) != 0 ||
        source.kind != SOURCE_UPLOAD) {
        build_fail(w->result, E_SOURCE_INVALID, NULL);
        return WORK_ENDED;
    }
    AUTO_REPLY *reply = NULL;
    const Rota__SignResult *sign;
    int r = call_sign_download(w, &reply, &sign);
    if (r != 0)
        return r;
    AUTO_FD fd = -1;
    r = source_open(w, sign->url, &fd);
    if (r == 0)
        r = source_check(w, fd, source.sha256);
    if (r == 0)
        *ret_fd = TAKE_FD(fd);
    return r;
}

int phase_fetch(struct work *w)
{
    AUTO_FD fd = -1;
    int r = source_find(w, &fd);
    if (r == 0)
        r = work_step(w, STEP_UNPACK, fd);
    if (r == 0)
        work_say(w, "unpacked %llu entries, %llu bytes; left out %llu (node_modules, .npmrc)",
                 (unsigned long long)w->feedback.entries, (unsigned long long)w->feedback.bytes,
                 (unsigned long long)w->feedback.skipped);
    return r;
}
