/* table.c: cells are kept until all are known, because a column is as wide as its widest cell. */
#include "table.h"

#include "text.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

enum { TABLE_COLUMNS_MAX = 16, TABLE_GAP = 2 };

struct cell {
    char *text;
    enum style style;
};

struct table {
    char *names;
    const char *head[TABLE_COLUMNS_MAX];
    bool is_right[TABLE_COLUMNS_MAX];
    int width[TABLE_COLUMNS_MAX];
    size_t n_columns;
    struct cell *cells;
    size_t n, room;
};

struct table *table_new(const char *columns)
{
    struct table *t = x_alloc(sizeof *t);
    char *rest = t->names = x_strdup(columns);
    for (char *name; (name = strsep(&rest, " "));) {
        size_t i = t->n_columns++, n = strlen(name);
        assert(n && i < TABLE_COLUMNS_MAX);
        t->is_right[i] = name[n - 1] == '>';
        if (t->is_right[i])
            name[n - 1] = 0;
        t->head[i] = name;
        t->width[i] = text_columns(name);
    }
    return t;
}

struct table *table_free(struct table *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i].text);
    free(t->cells);
    free(t->names);
    free(t);
    return NULL;
}

void table_cell(struct table *t, enum style style, const char *format, ...)
{
    va_list args;
    char *raw = NULL;
    va_start(args, format);
    if (vasprintf(&raw, format, args) < 0)
        raw = x_must(NULL);
    va_end(args);
    if (t->n == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->cells = x_realloc(t->cells, t->room * sizeof *t->cells);
    }
    struct cell *c = &t->cells[t->n];
    *c = (struct cell){text_clean(raw), style};
    free(raw);
    int columns = text_columns(c->text), *width = &t->width[t->n % t->n_columns];
    if (columns > *width)
        *width = columns;
    t->n++;
}

static void put(const struct table *t, size_t column, const char *text, enum style style)
{
    int pad = t->width[column] - text_columns(text);
    bool is_last = column + 1 == t->n_columns;
    if (t->is_right[column])
        printf("%*s", pad, "");
    printf("%s%s%s", term_on(style), text, term_off(style));
    if (!is_last)
        printf("%*s", (t->is_right[column] ? 0 : pad) + TABLE_GAP, "");
    else
        putchar('\n');
}

void table_print(const struct table *t)
{
    assert(t->n % t->n_columns == 0);
    for (size_t i = 0; i < t->n_columns; i++)
        put(t, i, t->head[i], STYLE_DIM);
    for (size_t i = 0; i < t->n; i++)
        put(t, i % t->n_columns, t->cells[i].text, t->cells[i].style);
}
