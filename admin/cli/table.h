/* table.h: rows of text in aligned columns on standard output. Main thread.
 *
 *   AUTO(table) t = table_new("TIER READY> OLDEST>");     '>': numbers stand to the right
 *   table_cell(t, STYLE_PLAIN, "%s", name);               left to right, row after row
 *   table_print(t); */
#pragma once

#include "terminal.h"

#include <base/auto.h>

struct table;

struct table *table_new(const char *columns);
struct table *table_free(struct table *t);
DEFINE_FREEP(table)

/* The text is cleaned of control characters. */
__attribute__((format(printf, 3, 4))) void table_cell(struct table *t, enum style style,
                                                      const char *format, ...);
void table_print(const struct table *t);
