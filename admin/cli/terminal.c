/* terminal.c: the few strings that are needed are looked up once. The guard runs in a signal
 * handler, so it uses nothing but write(2), unlink(2) and _exit(2). */
#include "terminal.h"

#include "text.h"

#include <assert.h>
#include <base/exit.h>
#include <curses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

enum { COLUMNS_DEFAULT = 80, SEQUENCE_LEN_MAX = 63 };

static struct {
    bool can_move[3]; /* by descriptor */
    char to_start[SEQUENCE_LEN_MAX + 1], clear_rest[SEQUENCE_LEN_MAX + 1];
    char on[STYLE_COUNT][SEQUENCE_LEN_MAX + 1], off[SEQUENCE_LEN_MAX + 1];
} term;

static const char *volatile guarded_path;
static volatile sig_atomic_t live_fd = -1;

/* Looks a string up in terminfo; a missing one stays "". */
static void sequence(const char *name, int argument, char to[SEQUENCE_LEN_MAX + 1])
{
    char *found = tigetstr(name);
    if (!found || found == (char *)-1)
        return;
    if (argument >= 0)
        found = tparm(found, (long)argument, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L);
    if (found && strlen(found) <= SEQUENCE_LEN_MAX)
        snprintf(to, SEQUENCE_LEN_MAX + 1, "%s", found);
}

static void styles_init(void)
{
    const char *no_color = getenv("NO_COLOR");
    if (!isatty(1) || (no_color && *no_color) || tigetnum("colors") < 8)
        return;
    sequence("bold", -1, term.on[STYLE_HEAD]);
    sequence("dim", -1, term.on[STYLE_DIM]);
    sequence("setaf", COLOR_GREEN, term.on[STYLE_GOOD]);
    sequence("setaf", COLOR_YELLOW, term.on[STYLE_WARN]);
    sequence("setaf", COLOR_RED, term.on[STYLE_BAD]);
    sequence("sgr0", -1, term.off);
}

void term_init(void)
{
    int err = 0;
    if (setupterm(NULL, 1, &err) != OK)
        return;
    sequence("cr", -1, term.to_start);
    sequence("el", -1, term.clear_rest);
    bool can = *term.to_start && *term.clear_rest;
    for (int fd = 1; fd <= 2; fd++)
        term.can_move[fd] = can && isatty(fd);
    styles_init();
    del_curterm(cur_term); /* all that is needed was copied */
}

bool term_is_live(int fd)
{
    assert(fd == 1 || fd == 2);
    return term.can_move[fd];
}

int term_columns(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return COLUMNS_DEFAULT;
}

const char *term_on(enum style style)
{
    return term.on[style];
}

const char *term_off(enum style style)
{
    return *term.on[style] ? term.off : "";
}

void term_live(FILE *to, const char *text)
{
    int fd = fileno(to), room = term_columns(fd) - 1;
    if (!term_is_live(fd))
        return;
    const char *end = text, *next = text;
    for (wchar_t c; (c = text_next(&next)) && (room -= text_char_columns(c)) >= 0;)
        end = next;
    live_fd = fd;
    fprintf(to, "%s%.*s%s", term.to_start, (int)(end - text), text, term.clear_rest);
    fflush(to);
}

void term_live_end(FILE *to)
{
    if (live_fd != fileno(to))
        return;
    live_fd = -1;
    fputc('\n', to);
    fflush(to);
}

char *term_bar(unsigned percent, int width, char *text)
{
    static const char *const glyphs[2][2] = {{"-", "#"}, {"─", "━"}};
    bool utf8 = text_is_utf8();
    unsigned filled = (percent > 100 ? 100 : percent) * (unsigned)width / 100;
    char *to = text;
    for (unsigned i = 0; i < (unsigned)width; i++)
        to = stpcpy(to, glyphs[utf8][i < filled]);
    *to = 0;
    return text;
}

static void on_signal(int number)
{
    const char *path = guarded_path;
    if (live_fd >= 0 && write((int)live_fd, "\n", 1) < 0)
        live_fd = -1;
    if (path)
        unlink(path);
    _exit(number == SIGINT ? EXIT_INTERRUPTED : 128 + number);
}

void term_guard(const char *path)
{
    struct sigaction action = {.sa_handler = on_signal};
    guarded_path = path;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
