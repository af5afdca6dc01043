/* engines.h: does a version of Node satisfy a range, as `engines.node` of package.json writes it?
 *
 * The forms of npm's semver: 20, 20.x, >=20.19, ^22.13.0 || ^24.3.0, ~18.17, 18 - 22, "", *. Only
 * released versions are asked about, so a pre-release in a range (>=20.0.0-rc.1) stands right
 * before its release. Pure. */
#pragma once

#include <stdint.h>

struct engines_version {
    unsigned major, minor, patch;
};

enum engines_outcome {
    ENGINES_OTHER = 1,  /* no: the range wants another one */
    ENGINES_UNREADABLE, /* no range, as in "lts" or ">=" */
};

enum { ENGINES_RANGE_MAX = 256 }; /* longer ones are unreadable */

/* 0: it does. */
int engines_match(const char *range, struct engines_version version);

/* Reads "v22.13.0" or "22.13.0"; ENGINES_UNREADABLE when it is neither. */
int engines_version_read(const char *text, struct engines_version *ret);
