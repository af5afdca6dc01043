/* event.c: time, number and kind in columns, then what the event says of itself as pairs: the same
 * fields as in JSON, by the same mapper. */
#include "event.h"

#include "pbjson.h"
#include "terminal.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static void pair_print(const char *name, const json_t *value)
{
    if (!strcmp(name, "seq") || !strcmp(name, "at_ms") || !strcmp(name, "kind"))
        return;
    if (!strcmp(name, "checkpoint")) { /* up to 48 KiB for programs */
        printf(" bytes=%zu", json_string_length(value) / 2);
        return;
    }
    if (json_is_string(value)) {
        char *clean = text_clean(json_string_value(value));
        printf(" %s=%s", name, clean);
        free(clean);
    } else if (json_is_integer(value)) {
        printf(" %s=%lld", name, (long long)json_integer_value(value));
    }
}

void event_print(const Rota__Event *event)
{
    char at[TEXT_SHORT_LEN + 1], word[PB_WORD_LEN + 1];
    json_t *fields = pb_json(&event->base);
    printf("%s%s%s %8llu %-11s", term_on(STYLE_DIM), text_time(event->at_ms, at),
           term_off(STYLE_DIM), (unsigned long long)event->seq,
           pb_word(&rota__event_kind__descriptor, (int)event->kind, word));
    const char *name;
    json_t *value;
    json_object_foreach(fields, name, value) pair_print(name, value);
    putchar('\n');
    json_decref(fields);
}
