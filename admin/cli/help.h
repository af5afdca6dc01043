/* help.h: what is known of the commands, in words. Main thread. */
#pragma once

#include "cli.h"

#include <stdbool.h>
#include <stdio.h>

void help_all(FILE *to);

/* Lists the commands that start with the word `group`; false when there are none. */
bool help_group(const char *group, FILE *to);

/* Is "NAME WORD" a command of its own? */
bool command_has_word(const char *name, const char *word);

/* For option_parse(): `rows` is filled and borrowed; program and *ret_about are the caller's to
 * free. */
struct option_spec command_spec(const struct command *c, struct option_row rows[OPTION_ROWS_MAX],
                                char **ret_about);
