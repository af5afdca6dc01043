#include "platform.h"

#include <string.h>

const struct platform platforms[PLATFORMS] = {{"android", "index.android.bundle"},
                                              {"ios", "main.jsbundle"}};

const struct platform *platform_of(const char *name)
{
    for (size_t i = 0; i < PLATFORMS; i++)
        if (strcmp(platforms[i].name, name) == 0)
            return &platforms[i];
    return NULL;
}
