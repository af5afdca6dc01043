/* test_hostile_text.c: what a build says goes through a terminal in the end. Each row is a way to
 * command a terminal or to fool its reader; whatever of it gets into a log line, a progress message
 * or an error, what is left obeys nobody and reads as it stands. Rows come whole, byte by byte, cut
 * at every place, and behind a megabyte without a line end. */
#undef NDEBUG
#include "build.h"

#include <assert.h>
#include <base/auto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <words.h>

#include <cmocka.h>

#define ROW(name, bytes)                                                                           \
    {                                                                                              \
        name, bytes, sizeof bytes - 1                                                              \
    }

static const struct {
    const char *name, *bytes;
    size_t n;
} rows[] = {
    ROW("colour", "\x1b[31mred\x1b[0m"),
    ROW("clear", "\x1b[2J\x1b[H\x1b[3J"),
    ROW("cursor up over the line before", "\x1b[1A\x1b[2Kfalse line"),
    ROW("alternate screen", "\x1b[?1049h\x1b[?25l"),
    ROW("answer-back: report, device, colours", "\x1b[6n\x1b[c\x1b[>c\x1b]11;?\x07"),
    ROW("title", "\x1b]0;title\x07"),
    ROW("title, other end", "\x1b]2;title\x1b\\"),
    ROW("title without end", "\x1b]2;title"),
    ROW("clipboard", "\x1b]52;c;cm0gLXJmIC8=\x07"),
    ROW("hyperlink", "\x1b]8;;https://example.com\x1b\\here\x1b]8;;\x1b\\"),
    ROW("device control", "\x1bP+q544e\x1b\\"),
    ROW("privacy, application, start of string", "\x1b^x\x1b\\\x1b_y\x1b\\\x1bXz\x1b\\"),
    ROW("full reset", "\x1b"
                      "c"),
    ROW("character set", "\x1b(0lqk\x1b(B\x0e\x0f"),
    ROW("escape in escape", "\x1b\x1b[31m\x1b[\x1b[2J\x1b]\x1b[2J"),
    ROW("escape at the end", "text\x1b"),
    ROW("sequence cut by its end", "\x1b[31"),
    ROW("control sequence of 8 bits in UTF-8", "\xc2\x9b"
                                               "31m\xc2\x9d"
                                               "0;t\xc2\x9c\xc2\x90x\xc2\x9c"),
    ROW("control sequence of 8 bits, raw", "\x9b"
                                           "31m\x9d"
                                           "0;t\x9c\x90x\x9c"),
    ROW("every raw byte above 127",
        "\x80\x81\x85\x8d\x90\x98\x9b\x9c\x9d\x9e\x9f\xa0\xff\xfe\xc0\xc1"),
    ROW("overlong escape", "\xc0\x9b[31m\xe0\x80\x9b[31m\xf0\x80\x80\x9b[31m"),
    ROW("surrogates and beyond the last", "\xed\xa0\x9b\xf4\x90\x80\x80\xf7\xbf\xbf\xbf"),
    ROW("carriage return over a line", "all failed\rall passed"),
    ROW("backspaces over a line", "failed\b\b\b\b\b\bpassed"),
    ROW("bells", "\x07\x07\x07"),
    ROW("tabs, feeds, NUL, DEL", "a\tb\vc\fd\0e\x7f"),
    ROW("next line and index", "\xc2\x85\xc2\x84\x1b"
                               "D\x1b"
                               "E\x1bM"),
    ROW("overrides of direction", "\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae"
                                  "cod.exe"),
    ROW("isolates of direction", "\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9"),
    ROW("marks of direction", "\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c"),
    ROW("ends of lines and paragraphs", "a\xe2\x80\xa8"
                                        "b\xe2\x80\xa9"
                                        "c"),
};

/* Reads UTF-8 strictly; aborts on what a terminal could obey or reorder. */
static void is_harmless(const char *name, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        size_t len = s[i] < 0x80 ? 1 : s[i] < 0xe0 ? 2 : s[i] < 0xf0 ? 3 : 4;
        uint32_t c = len == 1 ? s[i] : s[i] & (0x7fu >> len);
        bool is_good = (s[i] < 0x80 || (s[i] >= 0xc2 && s[i] < 0xf5)) && i + len <= n;
        for (size_t k = 1; is_good && k < len; k++) {
            is_good = (s[i + k] & 0xc0) == 0x80;
            c = c << 6 | (s[i + k] & 0x3fu);
        }
        is_good = is_good && c >= least[len] && c <= 0x10ffff && !(c >= 0xd800 && c < 0xe000);
        is_good = is_good && c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c != 0x61c;
        is_good = is_good && c != 0x200e && c != 0x200f && !(c >= 0x2028 && c <= 0x202e);
        if (!is_good || (c >= 0x2066 && c <= 0x2069)) {
            fprintf(stderr, "%s: byte %02x at %zu\n", name, s[i], i);
            abort();
        }
        i += len;
    }
}

struct heard {
    const char *name;
    size_t lines, bytes;
};

static void on_line(void *arg, const char *line, size_t n)
{
    struct heard *h = arg;
    assert(n > 0 && n <= WORDS_LINE_MAX);
    is_harmless(h->name, line, n - (line[n - 1] == '\n'));
    h->lines++;
    h->bytes += n;
}

static void words_hear(struct words *w, struct heard *h)
{
    *w = (struct words){.line = on_line, .arg = h};
    words_begin(w);
}

/* The tail becomes an error's text. */
static void words_over(struct words *w, const struct heard *h)
{
    words_end(w);
    for (const char *at = w->tail; *at;) {
        size_t n = strcspn(at, "\n");
        is_harmless(h->name, at, n);
        at += n + (at[n] == '\n');
    }
}

static void no_line_of_a_log_commands_a_terminal(void **state)
{
    (void)state;
    static struct words w;
    size_t ways = 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct heard h = {.name = rows[i].name};
        for (size_t cut = 0; cut <= rows[i].n; cut++, ways++) {
            words_hear(&w, &h);
            words_add(&w, rows[i].bytes, cut);
            words_add(&w, rows[i].bytes + cut, rows[i].n - cut);
            words_add(&w, "\nnext\n", 6);
            words_over(&w, &h);
            assert_non_null(strstr(w.tail, "next\n"));
        }
        words_hear(&w, &h); /* no line end at all */
        for (size_t k = 0; k < rows[i].n; k++)
            words_add(&w, rows[i].bytes + k, 1);
        words_over(&w, &h);
    }
    printf("log: %zu rows, %zu ways to cut them, none left anything\n", ARRAY_LEN(rows), ways);
}

/* Pieces of a long line end at any place of a sequence. */
static void a_megabyte_without_a_line_end_commands_nothing(void **state)
{
    (void)state;
    static struct words w;
    static char filler[1 << 20];
    memset(filler, 'x', sizeof filler);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct heard h = {.name = rows[i].name};
        words_hear(&w, &h);
        for (size_t at = 0; at + rows[i].n <= sizeof filler; at += WORDS_LINE_MAX - 3) {
            words_add(&w, filler, WORDS_LINE_MAX - 3);
            words_add(&w, rows[i].bytes, rows[i].n);
        }
        words_over(&w, &h);
        assert_true(h.lines > 1000);
    }
}

static int log_drop(void *arg, const void *p, size_t n)
{
    (void)arg;
    (void)p;
    (void)n;
    return 0;
}

static void no_message_and_no_error_commands_a_terminal(void **state)
{
    (void)state;
    const struct build_host_config config = {.send = log_drop};
    AUTO(build_host) host = NULL;
    assert_int_equal(build_host_new(&config, &host), 0);
    struct build b = {.host = host};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct build_state seen;
        struct build_result result = {0};
        build_progress(&b, rows[i].bytes, 1, rows[i].bytes);
        build_state_read(host, &seen);
        is_harmless(rows[i].name, seen.message, strlen(seen.message));
        is_harmless(rows[i].name, seen.phase, strlen(seen.phase));
        build_fail(&result, E_RUNNER_FAILED, "it said: %s", rows[i].bytes);
        is_harmless(rows[i].name, result.text, strlen(result.text));
    }
    printf("progress and errors: %zu rows, none left anything\n", ARRAY_LEN(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_line_of_a_log_commands_a_terminal),
        cmocka_unit_test(a_megabyte_without_a_line_end_commands_nothing),
        cmocka_unit_test(no_message_and_no_error_commands_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
