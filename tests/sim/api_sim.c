/* api_sim.c: the simulated store, under its other names, as a table of functions. */
#include "sim/store_rename.h"

#include "sim/store_api.h"

const struct store_api api_sim = STORE_API;
