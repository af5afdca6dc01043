/* product.h: the things that a build leaves behind, beside the artifact facts in its result:
 * product[i] is what artifact[i] tells of. */
#pragma once

#include "work.h"

/* The file `name` in a folder of the space. */
void product_add(struct work *w, Rota__ObjectKind kind, const char *folder, const char *name);

/* Bytes of a file below out/; 0: it is not there. For the log: what counts is hashed later. */
uint64_t product_bytes(const struct work *w, const char *file);

/* Hashes the next product, whose descriptor is open, into the result. */
MUST_USE int product_hash(struct work *w, const struct product *p);

/* Adds the log as it stands now, hashed. */
MUST_USE int product_log(struct work *w);

/* Asks for a place and carries one there. */
MUST_USE int product_upload(struct work *w, size_t i);

void products_close(struct work *w);
