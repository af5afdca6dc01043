/* platform.h: what apps are bundled for, and how a bundle is called there: React Native's own
 * native code looks for these names. Pure data. */
#pragma once

#include <stddef.h>

struct platform {
    const char *name, *bundle;
};

enum { PLATFORMS = 2 };

extern const struct platform platforms[PLATFORMS];

/* NULL: there is no such platform. */
const struct platform *platform_of(const char *name);
