/* confine.h: sets limits of the process and becomes the program that shall run under them. */
#pragma once

/* args: "NAME=NUMBER"..., "--", PROGRAM, ARGUMENTS..., NULL. A limit that is lower already stays.
 * "cpus=COUNT:SLOT" holds the program to COUNT of the processors that it may use, others for each
 * slot (counted from 0) as long as there are enough; it cannot leave them.
 * Returns only when it fails: an exit code, after saying why on stderr. */
int box_confine(char **args);
