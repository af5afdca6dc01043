/* verdict.c: from the surest sign to the weakest: our own stop or a limit that struck, the step's
 * own error line, marks in what the tool printed, a full workspace, a signal, and last the step's
 * general failure. */
#include "verdict.h"

#include <base/auto.h>
#include <stdio.h>
#include <string.h>
#include <text.h>

enum { STATUS_SIGNAL = 128, STATUS_BOX_FAULT = 74, GIST_LINES_MAX = 4 };

static const struct mark {
    const char *text;
    bool needs_net; /* counts only where npm speaks with the registry */
    enum error_code error;
} marks[] = {
    {"JavaScript heap out of memory", false, E_OUT_OF_MEMORY},
    {"EFBIG", false, E_WORKSPACE_FULL},
    {"ENOSPC", false, E_WORKSPACE_FULL},
    {"No space left on device", false, E_WORKSPACE_FULL},
    {"npm error code ENOTFOUND", true, E_REGISTRY_UNREACHABLE},
    {"npm error code EAI_AGAIN", true, E_REGISTRY_UNREACHABLE},
    {"npm error code ECONN", true, E_REGISTRY_UNREACHABLE},
    {"npm error code ENETUNREACH", true, E_REGISTRY_UNREACHABLE},
    {"npm error code EHOSTUNREACH", true, E_REGISTRY_UNREACHABLE},
    {"npm error code ETIMEDOUT", true, E_REGISTRY_UNREACHABLE},
    {"npm error code ERR_SOCKET_TIMEOUT", true, E_REGISTRY_UNREACHABLE},
    {"npm error code E5", true, E_REGISTRY_UNREACHABLE},
    {"npm error code UNABLE_TO_", true, E_REGISTRY_UNREACHABLE},
    {"npm error code SELF_SIGNED_CERT", true, E_REGISTRY_UNREACHABLE},
    {"npm error code DEPTH_ZERO_SELF_SIGNED", true, E_REGISTRY_UNREACHABLE},
    {"npm error code CERT_", true, E_REGISTRY_UNREACHABLE},
    {"Request failed \"5", true, E_REGISTRY_UNREACHABLE}, /* Yarn 1, then 2 and later, then pnpm */
    {"Response Code: 5", true, E_REGISTRY_UNREACHABLE},
    {"ERR_PNPM_FETCH_5", true, E_REGISTRY_UNREACHABLE},
};

static const struct mark *mark_find(const struct step *s, const char *tail)
{
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if ((!marks[i].needs_net || s->has_net) && strstr(tail, marks[i].text))
            return &marks[i];
    return NULL;
}

/* ---- the gist ---- */

/* How lines begin in which a package manager says what went wrong, and the part that says nothing.
 * Yarn 2 and later says most of it in its last lines. */
static const struct speaker {
    const char *begin, *but;
    size_t skip;
} speakers[] = {
    {"npm error ", "npm error A complete log", sizeof "npm error " - 1},
    {"\u2009ERR_PNPM_", NULL, sizeof "\u2009" - 1}, /* a thin space */
    {"\u27a4 YN0018", NULL, sizeof "\u27a4 " - 1},  /* Yarn 2 and later: another hash */
    {"error ", NULL, sizeof "error " - 1},          /* Yarn 1 */
};

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

static bool is_said_by(const struct speaker *s, const char *line)
{
    return !s || (begins(line, s->begin) && !(s->but && begins(line, s->but)));
}

/* Who says anything in these lines; NULL: nobody whom we know. */
static const struct speaker *speaker_find(const char *tail)
{
    for (size_t i = 0; i < ARRAY_LEN(speakers); i++)
        for (const char *p = tail; *p; p += strcspn(p, "\n"), p += *p == '\n')
            if (begins(p, speakers[i].begin))
                return &speakers[i];
    return NULL;
}

static void gist_add(char *to, size_t size, const char *line, size_t n)
{
    size_t used = strlen(to);
    snprintf(to + used, size - used, "%s%.*s", used ? "; " : "", (int)n, line);
}

/* Where the last few lines begin. */
static const char *last_lines(const char *tail, unsigned lines)
{
    const char *p = tail + strlen(tail);
    for (; p > tail; p--)
        if (p[-1] == '\n' && p[0] && --lines == 0)
            break;
    return p;
}

void verdict_gist(const char *tail, char *to, size_t size)
{
    const struct speaker *speaker = speaker_find(tail);
    size_t skip = speaker ? speaker->skip : 0;
    unsigned lines = 0;
    to[0] = 0;
    for (const char *p = speaker ? tail : last_lines(tail, 3); *p && lines < GIST_LINES_MAX;) {
        size_t n = strcspn(p, "\n");
        if (is_said_by(speaker, p) && n > skip) {
            gist_add(to, size, p + skip, n - skip);
            lines++;
        }
        p += n + (p[n] == '\n');
    }
}

/* ---- the verdict ---- */

/* With the tool's last words, where they say more than its name does. */
static int end_with_words(struct work *w, enum error_code code, const char *why)
{
    char gist[BUILD_TEXT_MAX], text[BUILD_TEXT_MAX];
    verdict_gist(w->words.tail, gist, sizeof gist);
    text_clean(gist, text, sizeof text);
    build_fail(w->result, code, "%s%s%.400s", why, *text ? ": " : "", text);
    return WORK_ENDED;
}

static int end_with(struct work *w, enum error_code code)
{
    build_fail(w->result, code, NULL);
    return WORK_ENDED;
}

/* "src/App.tsx:3:7: Unexpected token", or the text alone. */
static int end_with_feedback(struct work *w)
{
    const struct feedback *p = &w->feedback;
    char place[FEEDBACK_PATH_MAX + 32] = "";
    if (p->file[0] && p->line && p->column)
        snprintf(place, sizeof place, "%s:%u:%u: ", p->file, p->line, p->column);
    else if (p->file[0] && p->line)
        snprintf(place, sizeof place, "%s:%u: ", p->file, p->line);
    else if (p->file[0])
        snprintf(place, sizeof place, "%s: ", p->file);
    build_fail(w->result, p->error, "%s%s", place, p->text);
    return WORK_ENDED;
}

static int end_with_signal(struct work *w, const struct step *s, int number)
{
    build_fail(w->result, E_BUILD_CRASHED, "%s was ended by signal %d (%s)", s->name, number,
               strsignal(number));
    return WORK_ENDED;
}

static int judge_failure(struct work *w, const struct step *s, int status)
{
    char why[64];
    snprintf(why, sizeof why, "%s ended with %d", s->name, status);
    const struct mark *mark = status ? mark_find(s, w->words.tail) : NULL;
    if (mark)
        return mark->needs_net ? end_with_words(w, mark->error, why) : end_with(w, mark->error);
    if (w->space && space_is_full(w->space))
        return end_with(w, E_WORKSPACE_FULL);
    if (status > STATUS_SIGNAL)
        return end_with_signal(w, s, status - STATUS_SIGNAL);
    bool is_box_fault = s->must_say_done && status == STATUS_BOX_FAULT;
    return end_with_words(w, is_box_fault ? E_BUILD_CRASHED : s->failure, why);
}

int verdict_step(struct work *w, const struct step *s, int outcome, int status)
{
    if (outcome == SANDBOX_STOPPED) {
        w->result->outcome = BUILD_STOPPED;
        return WORK_ENDED;
    }
    if (outcome == SANDBOX_DEADLINE)
        return end_with(w, E_TIMED_OUT);
    if (outcome == SANDBOX_MEMORY)
        return end_with(w, E_OUT_OF_MEMORY);
    if (outcome == SANDBOX_TASKS)
        return end_with(w, E_PIDS_LIMIT);
    if (outcome == SANDBOX_BROKEN)
        return end_with_words(w, E_SANDBOX_FAILED, "bubblewrap failed");
    if (w->feedback.error != E_OK)
        return end_with_feedback(w);
    if (status == 0 && (w->feedback.is_done || !s->must_say_done))
        return 0;
    return judge_failure(w, s, status);
}
