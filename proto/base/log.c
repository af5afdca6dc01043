/* log.c: the line is built on the stack and written with one call, so lines never mix. */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2048 };

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static const char *program_name = "rota";
static enum log_level level_max = LOG_INFO;

void log_open(const char *program)
{
    program_name = program;
    const char *want = getenv("ROTA_LOG_LEVEL");
    for (int i = 0; want && i <= LOG_DEBUG; i++)
        if (strcmp(want, level_names[i]) == 0)
            level_max = (enum log_level)i;
}

/* Copies `from` with control bytes as \xNN; the end of `line` stays free for the newline. */
static size_t escape(char *line, size_t at, const char *from)
{
    for (; *from && at < LINE_BYTES_MAX - 6; from++) {
        unsigned char c = (unsigned char)*from;
        if (c >= 0x20 && c != 0x7f)
            line[at++] = (char)c;
        else
            at += (size_t)snprintf(line + at, 5, "\\x%02x", c);
    }
    return at;
}

void log_event(enum log_level level, const char *id, const char *pairs, ...)
{
    if (level > level_max)
        return;
    char text[LINE_BYTES_MAX], line[LINE_BYTES_MAX], when[RFC3339_LEN + 1];
    va_list ap;
    va_start(ap, pairs);
    vsnprintf(text, sizeof text, pairs, ap);
    va_end(ap);
    int head = snprintf(line, sizeof line, "%s %s %s %s ", rfc3339(clock_wall_ms(), when),
                        level_names[level], program_name, id);
    size_t n = escape(line, (size_t)head, text);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* nobody reads our log: nothing better to do */
}
