/* phase_hash.c: outside the sandbox, the agent opens what was built, through no link that the build
 * could have laid, and hashes what it will upload: the same open descriptors go on to the upload.
 */
#include "product.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static int product_open(struct work *w, struct product *p)
{
    if (p->fd >= 0)
        return 0; /* the log, which lies in memory */
    int r = space_open_file(w->space, p->path, &p->fd);
    if (r == 0)
        return 0;
    build_fail(w->result, E_BUNDLE_FAILED, "the build left no regular file %s (%s)", p->path,
               strerror(-r));
    return WORK_ENDED;
}

static void products_list(struct work *w)
{
    product_add(w, ROTA__OBJECT_KIND__BUNDLE, "out", w->bytecode_name);
    product_add(w, ROTA__OBJECT_KIND__ASSETS, "out", "assets.tar.gz");
    product_add(w, ROTA__OBJECT_KIND__MAP, "map", w->map_name);
}

static void product_say(struct work *w, const struct build_artifact *a)
{
    char hex[65];
    sodium_bin2hex(hex, sizeof hex, a->sha256, sizeof a->sha256);
    work_say(w, "%s: %llu bytes, sha256 %s", a->name, (unsigned long long)a->size, hex);
}

int phase_hash(struct work *w)
{
    products_list(w);
    for (size_t i = 0; i < w->products; i++) {
        int r = product_open(w, &w->product[i]);
        if (r == 0)
            r = product_hash(w, &w->product[i]);
        if (r != 0)
            return r;
        product_say(w, &w->result->artifact[i]);
    }
    /* The log comes last, so that it tells of all the others. */
    return product_log(w);
}
