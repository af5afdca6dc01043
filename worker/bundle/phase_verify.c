/* phase_verify.c: package.json, lockfile and settings are judged before a package manager gets to
 * see anything; then it is known which manager and which Node the app wants. */
#include "node_choice.h"
#include "verify_rc.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* rota-box found it on the way up from the app's own folder, so it is that folder, or one above. */
static int root_take(struct work *w)
{
    const char *root = w->feedback.root;
    size_t n = strlen(root);
    bool is_top = strcmp(root, ".") == 0;
    bool is_above = n > 0 && strncmp(w->spec.root, root, n) == 0 &&
                    (!w->spec.root[n] || w->spec.root[n] == '/');
    if (!is_top && !is_above)
        return err_raise(-EPROTO);
    snprintf(w->install_root, sizeof w->install_root, "/w/app%s%.*s", is_top ? "" : "/",
             is_top ? 0 : SPEC_PATH_MAX, root);
    return 0;
}

/* The worker's exact version changes what an install gives, so it is part of the key. */
static void deps_take(struct work *w)
{
    static const uint8_t nothing[32];
    crypto_hash_sha256_state state;
    if (memcmp(w->feedback.deps_sha256, nothing, sizeof nothing) == 0)
        return;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, w->feedback.deps_sha256, sizeof w->feedback.deps_sha256);
    crypto_hash_sha256_update(&state, (const unsigned char *)w->manager->name,
                              strlen(w->manager->name) + 1);
    crypto_hash_sha256_update(&state, (const unsigned char *)w->manager->version,
                              strlen(w->manager->version) + 1);
    crypto_hash_sha256_final(&state, w->deps_sha256);
}

static int manager_take(struct work *w)
{
    const struct feedback *f = &w->feedback;
    w->manager = managers_get(&w->setup->managers, f->program);
    if (!w->manager) {
        char have[MANAGERS_TEXT_MAX];
        managers_text(&w->setup->managers, have);
        build_fail(w->result, E_MANAGER_MISSING,
                   "this worker has no %s, which %s is written for: %s", f->program, f->lockfile,
                   have);
        return WORK_ENDED;
    }
    w->packages = f->packages;
    deps_take(w);
    facts_lockfile_set(&w->facts, f->lockfile, f->lockfile_sha256);
    facts_tool_add(&w->facts, w->manager->tool, w->manager->version,
                   w->manager->has_sha256 ? w->manager->sha256 : NULL);
    return root_take(w);
}

static void verified_say(struct work *w)
{
    const struct feedback *f = &w->feedback;
    work_say(w, "%s: %llu packages, each from a registry and with integrity; %s %s", f->lockfile,
             (unsigned long long)(f->packages - f->unpinned), w->manager->tool,
             w->manager->version);
    if (f->unpinned)
        work_say(w, "%s keeps no checksums of %llu more, which are for single platforms",
                 w->manager->tool, (unsigned long long)f->unpinned);
    if (f->left_out)
        work_say(w, "left out %llu of the package manager's settings",
                 (unsigned long long)f->left_out);
}

int phase_verify(struct work *w)
{
    int r = work_step(w, STEP_VERIFY, -1);
    if (r == 0)
        r = manager_take(w);
    if (r != 0)
        return r < 0 ? err_pass(r) : r;
    verified_say(w);
    r = node_choose(w, w->spec.node);
    return r == 0 ? verify_rc(w) : r;
}
