/* view_form.c: the form behind `H`, over the middle of the screen. */
#include "view.h"

#include <stdio.h>

enum { FORM_COLUMNS = 50, FORM_ROWS = 9, LABEL_COLUMNS = 9 };

static void field_draw(struct area a, int y, const struct form *f, enum form_field field,
                       const char *label, const char *note)
{
    bool is_here = f->field == field;
    put(a, 3, y, LABEL_COLUMNS, is_here ? PAINT_KEY : PAINT_DIM, label);
    putf(a, 3 + LABEL_COLUMNS, y, FORM_TEXT_LEN + 3, is_here ? PAINT_FIELD : PAINT_PLAIN, " %-*s ",
         FORM_TEXT_LEN, f->text[field]);
    if (is_here) /* where the next key goes, also without colours */
        put(a, 1, y, 1, PAINT_KEY, a.cells->ascii ? ">" : "▸");
    put(a, 3 + LABEL_COLUMNS + FORM_TEXT_LEN + 4, y, a.w, PAINT_DIM, note);
}

void view_form(const struct model *m, struct area screen)
{
    int w = screen.w - 4 < FORM_COLUMNS ? screen.w - 4 : FORM_COLUMNS;
    struct area a = area_part(screen, (screen.w - w) / 2, (screen.h - FORM_ROWS) / 2, w, FORM_ROWS);
    area_clear(a);
    put_frame(a, "Heat up");
    put(a, 3, 2, LABEL_COLUMNS, PAINT_DIM, "pool");
    put(a, 4 + LABEL_COLUMNS, 2, a.w - 6 - LABEL_COLUMNS, PAINT_HEAD, model_pool_name(m));
    field_draw(a, 3, &m->form, FIELD_SLOTS, "slots", "0 ends the heat");
    field_draw(a, 4, &m->form, FIELD_FOR, "for", "90s, 30m, 2h");
    struct area inner = area_part(a, 1, 1, a.w - 2, a.h - 2);
    if (*m->form.fault)
        put(inner, 2, 5, inner.w - 3, PAINT_BAD, m->form.fault);
    int x = 2;
    x += put(inner, x, 6, 6, PAINT_KEY, "Enter") + 1;
    x += put(inner, x, 6, 12, PAINT_DIM, "heat up") + 3;
    x += put(inner, x, 6, 4, PAINT_KEY, "Esc") + 1;
    put(inner, x, 6, 12, PAINT_DIM, "close");
}
