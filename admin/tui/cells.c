/* cells.c: every write goes through one function that knows the area's edges, so nothing above it
 * has to. */
#include "cells.h"

#include "text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PUTF_LEN_MAX = 512 };

enum glyph { GLYPH_BAR, GLYPH_REST, GLYPH_LINE, GLYPH_MORE, GLYPH_SIDE, GLYPH_CORNERS };

static const wchar_t glyphs[2][9] = {L"━──…│┌┐└┘", L"#--~|++++"};

static wchar_t glyph(const struct cells *c, enum glyph g)
{
    return glyphs[c->ascii][g];
}

void cells_init(struct cells *c, int w, int h)
{
    assert(w >= 0 && h >= 0);
    *c = (struct cells){.w = w, .h = h};
    c->cell = x_alloc(sizeof *c->cell * (size_t)w * (size_t)h);
    area_clear(area_all(c));
}

void cells_deinit(struct cells *c)
{
    free(c->cell);
    c->cell = NULL;
}

struct area area_all(struct cells *c)
{
    return (struct area){c, 0, 0, c->w, c->h};
}

static int clamp(int n, int least, int most)
{
    return n < least ? least : n > most ? most : n;
}

struct area area_part(struct area a, int x, int y, int w, int h)
{
    int left = clamp(x, 0, a.w), top = clamp(y, 0, a.h);
    return (struct area){a.cells, a.x + left, a.y + top, clamp(w, 0, a.w - left),
                         clamp(h, 0, a.h - top)};
}

static struct cell *at(struct area a, int x, int y)
{
    if (x < 0 || y < 0 || x >= a.w || y >= a.h)
        return NULL;
    return &a.cells->cell[(a.y + y) * a.cells->w + a.x + x];
}

static void set(struct area a, int x, int y, enum paint paint, wchar_t c)
{
    struct cell *cell = at(a, x, y);
    if (cell)
        *cell = (struct cell){{c}, (uint8_t)paint};
}

static void fill(struct area a, int x, int y, int n, enum paint paint, wchar_t c)
{
    for (int i = 0; i < n; i++)
        set(a, x + i, y, paint, c);
}

void area_clear(struct area a)
{
    for (int y = 0; y < a.h; y++)
        fill(a, 0, y, a.w, PAINT_PLAIN, L' ');
}

/* A mark joins the cell before it. */
static void join(struct area a, int x, int y, wchar_t mark)
{
    struct cell *cell = at(a, x, y);
    if (cell && !cell->c[0])
        cell = at(a, x - 1, y);
    for (int i = 1; cell && i < CELL_CHARS; i++)
        if (!cell->c[i]) {
            cell->c[i] = mark;
            return;
        }
}

int put(struct area a, int x, int y, int room, enum paint paint, const char *text)
{
    int total = text_columns(text), used = 0;
    room = room < a.w - x ? room : a.w - x;
    int most = total > room ? room - 1 : room; /* keeps a column for the "…" */
    if (room <= 0)
        return 0;
    for (wchar_t c; (c = text_next(&text));) {
        int columns = text_char_columns(c);
        if (used + columns > most)
            break;
        if (!columns) {
            join(a, x + used - 1, y, c);
            continue;
        }
        set(a, x + used, y, paint, c);
        if (columns == 2)
            set(a, x + used + 1, y, paint, 0);
        used += columns;
    }
    if (total > room)
        set(a, x + used++, y, paint, glyph(a.cells, GLYPH_MORE));
    return used;
}

#define FORMAT_TEXT(text)                                                                          \
    char text[PUTF_LEN_MAX + 1];                                                                   \
    va_list args_;                                                                                 \
    va_start(args_, format);                                                                       \
    vsnprintf(text, sizeof text, format, args_);                                                   \
    va_end(args_)

int putf(struct area a, int x, int y, int room, enum paint paint, const char *format, ...)
{
    FORMAT_TEXT(text);
    return put(a, x, y, room, paint, text);
}

void put_right(struct area a, int x, int y, int room, enum paint paint, const char *text)
{
    int columns = text_columns(text);
    int pad = columns < room ? room - columns : 0;
    put(a, x + pad, y, room - pad, paint, text);
}

void putf_right(struct area a, int x, int y, int room, enum paint paint, const char *format, ...)
{
    FORMAT_TEXT(text);
    put_right(a, x, y, room, paint, text);
}

void put_bar(struct area a, int x, int y, int w, unsigned percent, enum paint paint)
{
    int filled = w * (int)(percent > 100 ? 100 : percent) / 100;
    fill(a, x, y, filled, paint, glyph(a.cells, GLYPH_BAR));
    fill(a, x + filled, y, w - filled, PAINT_REST, glyph(a.cells, GLYPH_REST));
}

void put_rule(struct area a, int y, const char *title)
{
    int used = put(a, 1, y, a.w - 2, PAINT_HEAD, title);
    fill(a, used + 2, y, a.w - used - 3, PAINT_REST, glyph(a.cells, GLYPH_LINE));
}

void put_frame(struct area a, const char *title)
{
    const wchar_t *corner = &glyphs[a.cells->ascii][GLYPH_CORNERS];
    for (int y = 0; y<a.h; y += a.h> 1 ? a.h - 1 : 1)
        fill(a, 1, y, a.w - 2, PAINT_DIM, glyph(a.cells, GLYPH_LINE));
    for (int y = 1; y < a.h - 1; y++) {
        set(a, 0, y, PAINT_DIM, glyph(a.cells, GLYPH_SIDE));
        set(a, a.w - 1, y, PAINT_DIM, glyph(a.cells, GLYPH_SIDE));
    }
    set(a, 0, 0, PAINT_DIM, corner[0]);
    set(a, a.w - 1, 0, PAINT_DIM, corner[1]);
    set(a, 0, a.h - 1, PAINT_DIM, corner[2]);
    set(a, a.w - 1, a.h - 1, PAINT_DIM, corner[3]);
    putf(a, 2, 0, a.w - 4, PAINT_HEAD, " %s ", title);
}

/* Length of a line without the blanks at its end. */
static int line_end(const struct cells *c, int y)
{
    int n = c->w;
    while (n > 0 && c->cell[y * c->w + n - 1].c[0] == L' ')
        n--;
    return n;
}

char *cells_text(const struct cells *c)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = x_must(open_memstream(&text, &bytes));
    for (int y = 0; y < c->h; y++) {
        int n = line_end(c, y);
        for (int x = 0; x < n; x++)
            for (int i = 0; i < CELL_CHARS && c->cell[y * c->w + x].c[i]; i++) {
                char utf8[8] = "";
                text_encode(c->cell[y * c->w + x].c[i], utf8);
                fputs(utf8, to);
            }
        fputc('\n', to);
    }
    fclose(to);
    return x_must(text);
}
