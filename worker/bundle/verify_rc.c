/* verify_rc.c: each line that the sandbox tells is judged here again (app_rc.c). */
#include "verify_rc.h"

#include "app_rc.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static void on_rc(void *arg, const char *line)
{
    struct work *w = arg;
    if (!w->is_rc_refused && app_rc_add(w->rc, line, &w->setup->routes, w->build, w->result) != 0)
        w->is_rc_refused = true;
}

/* The operator's own is no secret of the app's, also where the app names it. */
static bool has_other_registry(const struct work *w)
{
    for (size_t i = 0; i < w->rc->hosts.n; i++)
        if (!host_equal(&w->rc->hosts.host[i], &w->setup->routes.registry))
            return true;
    return false;
}

/* Another registry or a token: nothing is kept. Else settings, which change what an install gives.
 */
static void key_fold(struct work *w)
{
    static const uint8_t nothing[32];
    crypto_hash_sha256_state state;
    w->uses_private_registry = has_other_registry(w) || w->rc->has_token;
    if (w->uses_private_registry || w->rc->n == 0 ||
        memcmp(w->deps_sha256, nothing, sizeof nothing) == 0)
        return;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, w->deps_sha256, sizeof w->deps_sha256);
    crypto_hash_sha256_update(&state, (const unsigned char *)w->rc->text, w->rc->n);
    crypto_hash_sha256_final(&state, w->deps_sha256);
}

int verify_rc(struct work *w)
{
    if (w->asides == 0)
        return 0;
    w->rc = calloc(1, sizeof *w->rc);
    if (!w->rc)
        return err_raise(-ENOMEM);
    w->rc->is_yarn_unread = w->manager->step != STEP_INSTALL_BERRY;
    w->on_rc = on_rc;
    int r = work_step(w, STEP_NPMRC, -1);
    w->on_rc = NULL;
    if (r != 0)
        return r;
    if (w->is_rc_refused)
        return WORK_ENDED;
    key_fold(w);
    for (size_t i = 0; i < w->rc->hosts.n; i++)
        work_say(w, "the app's settings: registry %s:%u", w->rc->hosts.host[i].name,
                 (unsigned)w->rc->hosts.host[i].port);
    return 0;
}
