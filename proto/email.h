/* email.h: e-mail addresses in the strict form that rota takes: what mail systems deliver to in
 * practice, and nothing that one program reads differently from another.
 *
 * local@domain, at most 254 characters of ASCII. Local: at most 64, runs of letters, digits and
 * !#$%&'*+/=?^_`{|}~- with single dots between them. Domain: two or more labels of at most 63
 * letters, digits and inner hyphens; the last one is not all digits. No quotes, comments, blanks,
 * address literals. The domain is taken in lower case; the local part is as it was written, since
 * only its own host may say whether case matters there. Pure. */
#pragma once

#include <stdbool.h>

enum { EMAIL_LEN_MAX = 254 };

/* False: this is no such address; `ret_email` is untouched. */
bool email_read(const char *text, char ret_email[EMAIL_LEN_MAX + 1]);
