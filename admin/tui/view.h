/* view.h: model -> cells. Pure: the same model and size give the same cells. */
#pragma once

#include "cells.h"
#include "model.h"

/* Draws the whole screen; `c` has the size that it shall have. */
void view_draw(const struct model *m, struct cells *c);

/* Parts of it, one file each. */
void view_tiers(const struct model *m, struct area a);
void view_pools(const struct model *m, struct area a);
void view_next(const struct model *m, struct area a);
void view_workers(const struct model *m, struct area a);
void view_form(const struct model *m, struct area screen);
void view_help(struct area a);
bool view_has_alarm(const struct model *m);
void view_alarm(const struct model *m, struct area a);

/* Lines that all workers take, one for each and one for each of their jobs. */
int view_workers_lines(const struct model *m);

/* "…5hx2k1pq": the end of an id, where ids differ. */
enum { ID_SHORT_BYTES = 8 };
const char *view_id_tail(const char *job);
