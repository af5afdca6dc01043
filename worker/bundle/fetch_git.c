/* fetch_git.c: one step, and what its end means. Whether the host could be reached is the proxy's
 * word, not that of a program that reads what a stranger's server sends.
 *
 * What a branch or a tag is may change while a job is tried. So the broker keeps the commit of the
 * first fetch before the build goes on, and an attempt that is told a commit asks for nothing else.
 */
#include "fetch_git.h"

#include "call.h"
#include "step_net.h"

#include <errno.h>

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

/* What git says of a commit that the host does not have, or no longer hands out. */
static bool is_commit_gone(const struct work *w)
{
    static const char *const said[] = {"not our ref", "unadvertised object",
                                       "couldn't find remote ref"};
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        if (strstr(w->result->text, said[i]))
            return true;
    return false;
}

/* An earlier attempt was told so by the same host. */
static bool is_pinned(const struct work *w)
{
    return w->build->commit && w->build->commit[0];
}

static const char *unauthorized_text(const struct work *w)
{
    if (w->build->is_token_withheld)
        return "wants a token, and the app's ROTA_GIT_TOKEN is for the app's own repository alone, "
               "which this is not";
    return step_net_secret(w, "ROTA_GIT_TOKEN")
               ? "does not accept the app's ROTA_GIT_TOKEN for this repository"
               : "wants a token, and the app has no ROTA_GIT_TOKEN";
}

static void failure_explain(struct work *w, const struct source_ref *source)
{
    const char *host = source->host.name;
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
        build_fail(w->result, E_GIT_REFUSED, "%s:%u %s", host, port, unauthorized_text(w));
    else if (is_pinned(w) && is_commit_gone(w))
        build_fail(w->result, E_GIT_COMMIT_GONE,
                   "%s:%u no longer has commit %s, which an earlier attempt of this job fetched",
                   host, port, source->ref);
}

static void commit_tell(struct work *w, const struct source_ref *asked)
{
    const struct feedback *f = &w->feedback;
    facts_source_set(&w->facts, asked->url, f->commit);
    work_say(w, "source: %s, `%s` is commit %s%s", asked->url, asked->ref, f->commit,
             is_pinned(w) ? ", as an earlier attempt found it" : "");
    if (f->has_submodules)
        work_say(w, "submodules are not fetched: what lies in them is missing from this build");
    work_say(w, "unpacked %llu entries, %llu bytes; left out %llu (node_modules, .npmrc)",
             (unsigned long long)f->entries, (unsigned long long)f->bytes,
             (unsigned long long)f->skipped);
}

/* What is to be fetched: a commit that the job was given goes before the name that it came by. */
static int source_choose(const struct work *w, const struct source_ref *asked,
                         struct source_ref *ret_source)
{
    char text[SOURCE_TEXT_MAX + 1];
    *ret_source = *asked;
    if (!is_pinned(w))
        return 0;
    if (strlen(w->build->commit) != SOURCE_COMMIT_LEN)
        return err_raise(-EPROTO);
    memcpy(ret_source->ref, w->build->commit, SOURCE_COMMIT_LEN + 1);
    source_ref_text(ret_source, text);
    /* It becomes a word of a command: strict, whoever said it. */
    if (source_ref_parse(span_str(text), ret_source) != 0 || !ret_source->is_commit)
        return err_raise(-EPROTO);
    return 0;
}

static int clone(struct work *w, const struct source_ref *source)
{
    w->git = source;
    if (w->build->is_token_withheld)
        work_say(w, "ROTA_GIT_TOKEN is left out: %s is not the app's repository", source->url);
    int r = work_step(w, STEP_CLONE, -1);
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
    return 0;
}

int fetch_git(struct work *w, const struct source_ref *asked)
{
    struct source_ref source;
    int r = host_check(w, asked);
    if (r == 0)
        r = source_choose(w, asked, &source);
    if (r == 0)
        r = clone(w, &source);
    if (r == 0 && !source.is_commit)
        r = call_source_pin(w, w->feedback.commit);
    if (r == 0)
        commit_tell(w, asked);
    return r;
}
