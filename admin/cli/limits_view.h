/* limits_view.h: limits and add-ons as people read them, for several commands. Main thread. */
#pragma once

#include "rota.pb-c.h"
#include "text.h"

/* "paused, rate"; "-" for none. */
char *bars_text(uint32_t bars, char text[TEXT_SHORT_LEN + 1]);

/* "10 GiB", "512 MiB": limits that are set in powers of two. */
char *binary_text(uint64_t bytes, char text[TEXT_SHORT_LEN + 1]);

/* A name and what is to be said of it, cleaned of control characters. */
__attribute__((format(printf, 2, 3))) void limits_line(const char *name, const char *format, ...);

/* One add-on of an account. */
void grant_line(const Rota__Grant *g);

/* "$9.00 once", "$5.00 a month" */
char *price_text(const Rota__Addon *a, char text[TEXT_SHORT_LEN + 1]);
