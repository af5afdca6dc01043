/* cells.h: a screen as memory: characters with a paint each. What the view draws into, what the
 * terminal shows and what tests compare as text. Pure but for the locale of wcwidth(3).
 *
 * Text from elsewhere is made harmless here: no control character ever becomes a cell. A wide
 * character takes two cells; marks stay with the character that they stand on. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

enum paint {
    PAINT_PLAIN,
    PAINT_DIM,
    PAINT_TITLE,
    PAINT_HEAD,
    PAINT_KEY,
    PAINT_GOOD,
    PAINT_WARN,
    PAINT_BAD,
    PAINT_P0, /* to P3: one after the other */
    PAINT_P1,
    PAINT_P2,
    PAINT_P3,
    PAINT_REST, /* of a bar */
    PAINT_FIELD,
    PAINT_COUNT
};

enum { CELL_CHARS = 3 };

struct cell {
    wchar_t c[CELL_CHARS]; /* c[0] 0: the right half of a wide character */
    uint8_t paint;
};

struct cells {
    int w, h;
    bool ascii; /* the terminal knows no UTF-8: bars and lines in ASCII */
    struct cell *cell;
};

/* Blank. Exits when memory is out, as the tool does everywhere. */
void cells_init(struct cells *c, int w, int h);
void cells_deinit(struct cells *c);

/* A part of the screen: everything below is cut to it, x and y count from its corner. */
struct area {
    struct cells *cells;
    int x, y, w, h;
};

struct area area_all(struct cells *c);
/* The part at (x, y); parts that stick out are cut. */
struct area area_part(struct area a, int x, int y, int w, int h);
void area_clear(struct area a);

/* At most `room` columns; what does not fit ends in "…". Gives the columns used. */
int put(struct area a, int x, int y, int room, enum paint paint, const char *text);
__attribute__((format(printf, 6, 7))) int putf(struct area a, int x, int y, int room,
                                               enum paint paint, const char *format, ...);
/* The same, ending at column x + room. */
void put_right(struct area a, int x, int y, int room, enum paint paint, const char *text);
__attribute__((format(printf, 6, 7))) void putf_right(struct area a, int x, int y, int room,
                                                      enum paint paint, const char *format, ...);
/* "━━━━────" */
void put_bar(struct area a, int x, int y, int w, unsigned percent, enum paint paint);
/* "TITLE ─────────" over the whole width. */
void put_rule(struct area a, int y, const char *title);
/* A frame around the area. */
void put_frame(struct area a, const char *title);

/* All lines as UTF-8, blanks at their ends cut; the caller frees. */
char *cells_text(const struct cells *c);
