/* secrets.h: where a secret of the broker's own comes from. It is named by its place, so that it
 * never stands among the options: file:PATH           a file that only its owner may read; a bare
 * PATH means the same env:NAME            an environment variable command:PROGRAM...  what a
 * program writes to its standard output, found by PATH, its arguments parted by spaces, no shell;
 * it has 10 seconds Any thread; a command waits. */
#pragma once

#include <base/err.h>
#include <stddef.h>

enum { SECRET_BYTES_MAX = 64 << 10, SECRET_WHY_MAX = 160 };

enum secret_outcome { SECRET_REFUSED = 1 };

/* The text, with a NUL behind it. SECRET_REFUSED: `why` says what to do, without the secret. */
MUST_USE int secret_read(const char *place, char **ret_text, size_t *ret_n,
                         char why[SECRET_WHY_MAX]);
/* Wipes and frees; NULL is fine. */
void secret_free(char *text, size_t n);
