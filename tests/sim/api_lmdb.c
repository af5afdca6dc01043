/* api_lmdb.c: the store on LMDB as a table of functions. */
#include "sim/store_api.h"

const struct store_api api_lmdb = STORE_API;
