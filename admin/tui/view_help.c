/* view_help.c: the keys and the words of the screen. */
#include "keys.h"
#include "view.h"

static const char *const words[][2] = {
    {"READY", "may be dispatched as soon as a worker asks"},
    {"DELAYED", "waits for its time: a retry, or a start set for later"},
    {"HELD", "waits for a person"},
    {"LEASED", "a worker has it"},
    {"OLDEST", "greatest age of any account's first job"},
    {"AT CAP", "accounts that run as many jobs as they may"},
    {"turn", "lower tier that went last, and dispatches since"},
};

void view_help(struct area a)
{
    int y = 1;
    put_rule(a, 0, "KEYS");
    for (size_t i = 0; i < keys_rows_n; i++, y++) {
        put(a, 3, y, 10, PAINT_KEY, keys_rows[i].name);
        put(a, 13, y, a.w - 14, PAINT_PLAIN, keys_rows[i].help);
    }
    put_rule(a, y++, "WORDS");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++, y++) {
        put(a, 3, y, 10, PAINT_HEAD, words[i][0]);
        put(a, 13, y, a.w - 14, PAINT_PLAIN, words[i][1]);
    }
}
