/* confine.h: sets limits of the process and becomes the program that shall run under them. */
#pragma once

/* args: "NAME=NUMBER"..., "--", PROGRAM, ARGUMENTS..., NULL. A limit that is lower already stays.
 * Returns only when it fails: an exit code, after saying why on stderr. */
int box_confine(char **args);
