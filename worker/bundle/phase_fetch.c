/* phase_fetch.c: the source comes into the build's workspace, whichever way its kind has. */
#include "fetch_git.h"
#include "fetch_upload.h"

static const struct {
    enum source_kind kind;
    int (*fetch)(struct work *w, const struct source_ref *source);
} ways[] = {{SOURCE_UPLOAD, fetch_upload}, {SOURCE_GIT, fetch_git}};

static int fetch(struct work *w, const struct source_ref *source)
{
    for (size_t i = 0; i < ARRAY_LEN(ways); i++)
        if (ways[i].kind == source->kind) {
            int r = ways[i].fetch(w, source);
            w->asides = w->feedback.aside;
            return r;
        }
    build_fail(w->result, E_SOURCE_INVALID, NULL);
    return WORK_ENDED;
}

int phase_fetch(struct work *w)
{
    struct source_ref source;
    if (source_ref_parse(span_str(w->build->source), &source) == 0)
        return fetch(w, &source);
    build_fail(w->result, E_SOURCE_INVALID, NULL);
    return WORK_ENDED;
}
