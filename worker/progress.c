/* progress.c: reads one line of JSON and hands it on. The lines come from the customer's side. */
#include "progress.h"

#include <jansson.h>
#include <string.h>

enum { LINES_A_SECOND = 100 };

static bool is_flood(struct progress *p, uint64_t now_ms)
{
    if (now_ms - p->window_ms >= 1000) {
        p->window_ms = now_ms;
        p->in_window = 0;
    }
    return ++p->in_window > LINES_A_SECOND;
}

static void bad_line(struct progress *p, const char *why)
{
    if (p->bad++ == 0)
        build_log_line(p->build, "[rota-worker: a progress line on fd 3 was ignored: %s]", why);
}

/* False: a member is of the wrong kind. Nothing is taken over then. */
static bool members_read(struct progress *p, json_t *line, const char **ret_message)
{
    json_t *phase = json_object_get(line, "phase"), *percent = json_object_get(line, "percent"),
           *message = json_object_get(line, "message");
    if ((phase && !json_is_string(phase)) || (percent && !json_is_number(percent)) ||
        (message && !json_is_string(message)))
        return false;
    if (phase) {
        strncpy(p->phase, json_string_value(phase), sizeof p->phase - 1);
        p->phase[sizeof p->phase - 1] = '\0';
    }
    if (percent) {
        double v = json_number_value(percent);
        p->percent = v > 0 ? v < 100 ? (uint32_t)v : 100 : 0;
    }
    *ret_message = message ? json_string_value(message) : NULL;
    return true;
}

static void line_read(struct progress *p, const char *text, size_t n)
{
    json_t *line = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    const char *message = NULL;
    if (!json_is_object(line))
        bad_line(p, "it is not a JSON object");
    else if (!members_read(p, line, &message))
        bad_line(p, "phase and message are strings, percent is a number");
    else
        build_progress(p->build, p->phase, p->percent, message);
    json_decref(line);
}

void progress_line(struct progress *p, const char *text, size_t n, bool is_cut, uint64_t now_ms)
{
    if (is_cut) {
        bad_line(p, "it is longer than 8192 bytes");
    } else if (is_flood(p, now_ms)) {
        memcpy(p->waiting, text, n);
        p->waiting_n = n;
    } else {
        p->waiting_n = 0;
        line_read(p, text, n);
    }
}

void progress_end(struct progress *p)
{
    if (p->waiting_n > 0)
        line_read(p, p->waiting, p->waiting_n);
    p->waiting_n = 0;
}
