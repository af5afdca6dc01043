/* pack_rc.h: what of an .npmrc travels with a source: the lines that a build takes from it
 * (proto/registry_rc.h), in their one spelling, and nothing else that stands in it. */
#pragma once

/* The lines as one text, to be freed; NULL: nothing of it travels, and *ret_why says why when its
 * owner should hear of it, else it is NULL. Reads `fd` from its beginning. */
char *pack_rc_text(int fd, const char **ret_why);
