/* product.c: opened once, hashed and uploaded through the same descriptor. */
#include "product.h"

#include "call.h"
#include "carry.h"

#include <assert.h>
#include <errno.h>
#include <sign.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char log_name[] = "build.log";

void product_add(struct work *w, Rota__ObjectKind kind, const char *folder, const char *name)
{
    assert(w->products < PRODUCTS_MAX);
    struct product *p = &w->product[w->products++];
    *p = (struct product){.kind = kind, .name = name, .fd = -1};
    snprintf(p->path, sizeof p->path, "%s/%s", folder, name);
}

uint64_t product_bytes(const struct work *w, const char *file)
{
    char path[sizeof w->product[0].path];
    struct stat st;
    AUTO_FD fd = -1;
    snprintf(path, sizeof path, "out/%s", file);
    if (space_open_file(w->space, path, &fd) != 0 || fstat(fd, &st) < 0)
        return 0;
    return (uint64_t)st.st_size;
}

int product_hash(struct work *w, const struct product *p)
{
    assert(w->result->artifacts < BUILD_ARTIFACTS_MAX);
    struct build_artifact *a = &w->result->artifact[w->result->artifacts];
    *a = (struct build_artifact){.kind = p->kind};
    snprintf(a->name, sizeof a->name, "%s", p->name);
    int r = hash_file(p->fd, a->sha256, a->blake2b, &a->size);
    if (r < 0)
        return err_pass(r);
    w->result->artifacts++;
    return 0;
}

int product_log(struct work *w)
{
    product_add(w, ROTA__OBJECT_KIND__BUILD_LOG, "", log_name);
    struct product *p = &w->product[w->products - 1];
    p->fd = dup(w->log_fd);
    if (p->fd < 0)
        return err_raise(-errno);
    return product_hash(w, p);
}

static const struct {
    int outcome;
    enum error_code error;
} refusals[] = {
    {CARRY_GONE, E_UPLOAD_FAILED},     {CARRY_SCHEME, E_WORKER_HOST},
    {CARRY_BAD_URL, E_UPLOAD_FAILED},  {CARRY_FAILED, E_UPLOAD_FAILED},
    {CARRY_AWAY, E_STORE_UNAVAILABLE},
};

static int carry_failed(struct work *w, const struct build_artifact *a, const struct carry *c,
                        int r)
{
    for (size_t k = 0; k < ARRAY_LEN(refusals); k++)
        if (r == refusals[k].outcome) {
            build_fail(w->result, refusals[k].error, "%s could not be stored: %s", a->name, c->why);
            return WORK_ENDED;
        }
    if (r == CARRY_STOPPED)
        w->result->outcome = BUILD_STOPPED;
    return r == CARRY_STOPPED ? WORK_ENDED : r;
}

int product_upload(struct work *w, size_t i)
{
    const struct build_artifact *a = &w->result->artifact[i];
    AUTO_REPLY *reply = NULL;
    const Rota__SignResult *sign;
    int r = call_sign_upload(w, a, &reply, &sign);
    if (r != 0)
        return r;
    struct carry c = {
        .url = sign->url, .size = a->size, .sha256 = a->sha256, .stop_fd = w->build->stop_fd};
    r = carry_put(&c, w->product[i].fd);
    return r == 0 ? 0 : carry_failed(w, a, &c, r);
}

void products_close(struct work *w)
{
    for (size_t i = 0; i < w->products; i++)
        if (w->product[i].fd >= 0)
            close(w->product[i].fd);
    w->products = 0;
}
