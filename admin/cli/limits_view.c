/* limits_view.c: see limits_view.h. */
#include "limits_view.h"

#include "terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *bars_text(uint32_t bars, char text[TEXT_SHORT_LEN + 1])
{
    static const struct {
        uint32_t bit;
        const char *word;
    } words[] = {{ROTA__BAR__BAR_PAUSED, "paused"},
                 {ROTA__BAR__BAR_RATE, "rate"},
                 {ROTA__BAR__BAR_REVIEW, "review"},
                 {ROTA__BAR__BAR_BLOCKED, "blocked"},
                 {ROTA__BAR__BAR_ERASING, "erasing"}};
    size_t n = 0;
    snprintf(text, TEXT_SHORT_LEN + 1, "-");
    for (size_t i = 0; i < sizeof words / sizeof *words && n < TEXT_SHORT_LEN; i++)
        if (bars & words[i].bit)
            n += (size_t)snprintf(text + n, TEXT_SHORT_LEN + 1 - n, "%s%s", n ? "," : "",
                                  words[i].word);
    return text;
}

char *binary_text(uint64_t bytes, char text[TEXT_SHORT_LEN + 1])
{
    static const struct {
        uint64_t bytes;
        const char *name;
    } units[] = {{1ull << 40, "TiB"}, {1ull << 30, "GiB"}, {1ull << 20, "MiB"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (bytes && bytes % units[i].bytes == 0) {
            snprintf(text, TEXT_SHORT_LEN + 1, "%llu %s",
                     (unsigned long long)(bytes / units[i].bytes), units[i].name);
            return text;
        }
    return text_bytes(bytes, text);
}

void limits_line(const char *name, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = x_must(NULL);
    va_end(args);
    char *clean = text_clean(text);
    printf("  %s%-11s%s %s\n", term_on(STYLE_DIM), name, term_off(STYLE_DIM), clean);
    free(clean);
    free(text);
}

void grant_line(const Rota__Grant *g)
{
    char since[TEXT_SHORT_LEN + 1], until[TEXT_SHORT_LEN + 1];
    limits_line("add-on", "%u %s, +%u min, since %s, %s%s", g->grant, g->addon, g->timeout_minutes,
                text_time(g->since_ms, since),
                !g->until_ms ? "for good"
                : g->active  ? "until "
                             : "ended ",
                g->until_ms ? text_time(g->until_ms, until) : "");
}

char *price_text(const Rota__Addon *a, char text[TEXT_SHORT_LEN + 1])
{
    snprintf(text, TEXT_SHORT_LEN + 1, "$%llu.%02llu %s", (unsigned long long)a->price_cents / 100,
             (unsigned long long)a->price_cents % 100, a->recurring ? "a month" : "once");
    return text;
}
