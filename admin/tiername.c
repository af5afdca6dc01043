/* tiername.c: four words in the order of the enum. */
#include "tiername.h"

#include <stddef.h>
#include <string.h>

/* The price list has called Starter by both names. */
static const char *const names[][3] = {{"enterprise", "P0", "enterprise"},
                                       {"pro", "P1", "pro"},
                                       {"starter", "P2", "basic"},
                                       {"free", "P3", "free"}};

enum { TIER_COUNT = sizeof names / sizeof *names };

int tier_by_name(const char *name)
{
    for (int t = 0; t < TIER_COUNT; t++)
        if (!strcmp(name, names[t][0]) || !strcmp(name, names[t][1]) || !strcmp(name, names[t][2]))
            return t;
    return -1;
}

const char *tier_name(Rota__Tier tier)
{
    return (unsigned)tier < TIER_COUNT ? names[tier][0] : "";
}
