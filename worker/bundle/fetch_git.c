/* fetch_git.c: one step, and what its end means. Whether the host could be reached is the proxy's
 * word, not that of a program that reads what a stranger's server sends. */
#include "fetch_git.h"

#include "step_net.h"

#include <string.h>

static int host_check(struct work *w, const struct source_ref *source)
{
    if (routes_has_git(&w->setup->routes, &source->host)) {
        w->git_host = source->host;
        return 0;
    }
    build_fail(w->result, E_GIT_HOST_NOT_ALLOWED, "this worker does not fetch from %s:%u",
               source->host.name, (unsigned)source->host.port);
    return WORK_ENDED;
}

/* git says it so for answers of 500 and above. */
static bool is_server_fault(const struct work *w)
{
    static const char said[] = "returned error: 5";
    return strstr(w->words.tail, said) != NULL;
}

/* What git says when the host answers 401 and nobody can be asked. */
static bool is_unauthorized(const struct work *w)
{
    return strstr(w->result->text, "Authentication failed") ||
           strstr(w->result->text, "could not read Username");
}

static void failure_explain(struct work *w, const struct source_ref *source)
{
    const char *host = source->host.name, *token = step_net_secret(w, "ROTA_GIT_TOKEN");
    unsigned port = source->host.port;
    if (w->result->error != E_GIT_REFUSED)
        return;
    if (w->refused[0])
        build_fail(w->result, E_GIT_HOST_NOT_ALLOWED, "%s sent git on to %s", host, w->refused);
    else if (w->away[0])
        build_fail(w->result, E_GIT_UNREACHABLE, "no way to %s", w->away);
    else if (is_server_fault(w))
        build_fail(w->result, E_GIT_UNREACHABLE, "%s:%u answered with a fault of its own", host,
                   port);
    else if (is_unauthorized(w))
        build_fail(w->result, E_GIT_REFUSED, "%s:%u %s", host, port,
                   token ? "does not accept the app's ROTA_GIT_TOKEN for this repository"
                         : "wants a token, and the app has no ROTA_GIT_TOKEN");
}

static void commit_tell(struct work *w, const struct source_ref *source)
{
    const struct feedback *f = &w->feedback;
    facts_source_set(&w->facts, source->url, f->commit);
    work_say(w, "source: %s, `%s` is commit %s", source->url, source->ref, f->commit);
    if (f->has_submodules)
        work_say(w, "submodules are not fetched: what lies in them is missing from this build");
    work_say(w, "unpacked %llu entries, %llu bytes; left out %llu (node_modules, .npmrc)",
             (unsigned long long)f->entries, (unsigned long long)f->bytes,
             (unsigned long long)f->skipped);
}

int fetch_git(struct work *w, const struct source_ref *source)
{
    int r = host_check(w, source);
    if (r != 0)
        return r;
    w->git = source;
    r = work_step(w, STEP_CLONE, -1);
    w->git = NULL;
    if (r == WORK_ENDED)
        failure_explain(w, source);
    if (r != 0)
        return r;
    if (source->is_commit && strcmp(source->ref, w->feedback.commit) != 0) {
        build_fail(w->result, E_GIT_REFUSED, "the host gave %s for commit %s", w->feedback.commit,
                   source->ref);
        return WORK_ENDED;
    }
    commit_tell(w, source);
    return 0;
}
