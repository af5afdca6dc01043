/* screen.c: ncurses and nothing else. Only cells that changed travel, which is ncurses' own art;
 * calm colours come from the 256 where there are so many, else from the eight. */
#include "screen.h"

#include "keys.h"

#include <curses.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ESCAPE_MS = 50 };

/* Colours of each paint: among 256, among 8, and what stands in for them where there are none. */
static const struct {
    int of_256, of_8;
    attr_t attributes;
} paints[PAINT_COUNT] = {
    [PAINT_PLAIN] = {-1, -1, A_NORMAL},
    [PAINT_DIM] = {245, -1, A_DIM},
    [PAINT_TITLE] = {-1, -1, A_BOLD},
    [PAINT_HEAD] = {-1, -1, A_BOLD},
    [PAINT_KEY] = {180, COLOR_YELLOW, A_BOLD},
    [PAINT_GOOD] = {108, COLOR_GREEN, A_NORMAL},
    [PAINT_WARN] = {179, COLOR_YELLOW, A_NORMAL},
    [PAINT_BAD] = {167, COLOR_RED, A_NORMAL},
    [PAINT_P0] = {140, COLOR_MAGENTA, A_NORMAL},
    [PAINT_P1] = {74, COLOR_BLUE, A_NORMAL},
    [PAINT_P2] = {72, COLOR_CYAN, A_NORMAL},
    [PAINT_P3] = {109, COLOR_WHITE, A_NORMAL},
    [PAINT_REST] = {239, -1, A_DIM},
    [PAINT_FIELD] = {-1, -1, A_REVERSE},
};

static SCREEN *screen;
static bool has_colors_now;

static void colors_init(void)
{
    const char *no_color = getenv("NO_COLOR");
    has_colors_now = has_colors() && !(no_color && *no_color);
    if (!has_colors_now)
        return;
    start_color();
    use_default_colors();
    for (int p = 0; p < PAINT_COUNT; p++)
        init_extended_pair(p + 1, COLORS >= 256 ? paints[p].of_256 : paints[p].of_8, -1);
}

int screen_open(void)
{
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return err_raise(-ENOTTY);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(ESCAPE_MS);
    curs_set(0);
    colors_init();
    return 0;
}

void screen_close(void)
{
    if (!screen)
        return;
    endwin();
    delscreen(screen);
    screen = NULL;
}

void screen_size(int *ret_w, int *ret_h)
{
    getmaxyx(stdscr, *ret_h, *ret_w);
}

static void cell_show(const struct cell *cell)
{
    wchar_t text[CELL_CHARS + 1] = {0};
    memcpy(text, cell->c, sizeof cell->c);
    attr_t attributes = paints[cell->paint].attributes;
    short pair = 0;
    if (has_colors_now) {
        pair = (short)(cell->paint + 1);
        bool is_colored =
            (COLORS >= 256 ? paints[cell->paint].of_256 : paints[cell->paint].of_8) >= 0;
        attributes = is_colored ? attributes & ~A_DIM : attributes;
    }
    cchar_t c;
    setcchar(&c, text, attributes, pair, NULL);
    add_wch(&c);
}

void screen_show(const struct cells *c)
{
    erase();
    for (int y = 0; y < c->h; y++) {
        move(y, 0);
        for (int x = 0; x < c->w; x++)
            if (c->cell[y * c->w + x].c[0]) /* else the right half of the character before */
                cell_show(&c->cell[y * c->w + x]);
    }
    refresh();
}

int screen_key(void)
{
    static const struct {
        int from, to;
    } codes[] = {
        {KEY_UP, KEYS_UP},
        {KEY_DOWN, KEYS_DOWN},
        {KEY_PPAGE, KEYS_PAGE_UP},
        {KEY_NPAGE, KEYS_PAGE_DOWN},
        {KEY_ENTER, KEYS_ENTER},
        {'\r', KEYS_ENTER},
        {'\n', KEYS_ENTER},
        {27, KEYS_ESCAPE},
        {KEY_BACKSPACE, KEYS_ERASE},
        {127, KEYS_ERASE},
        {8, KEYS_ERASE},
        {'\t', KEYS_TAB},
        {KEY_BTAB, KEYS_TAB},
        {KEY_RESIZE, SCREEN_RESIZED},
    };
    int key = getch();
    if (key == ERR)
        return 0;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].from == key)
            return codes[i].to;
    return key < 256 ? key : 0x10ffff; /* some other key: nothing knows it, but it was one */
}
