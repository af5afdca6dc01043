/* tiername.h: the product's words for the tiers. Pure. */
#pragma once

#include "rota.pb-c.h"

/* "enterprise", "pro", "starter" or "basic", "free"; or "P0" to "P3"; -1: none of these. */
int tier_by_name(const char *name);
const char *tier_name(Rota__Tier tier);
