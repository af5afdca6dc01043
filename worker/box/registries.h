/* registries.h: the registries and tokens in an app's own .yarnrc.yml, told in the words of an
 * .npmrc (npmrc.h), so that one list judges both:
 *
 *   npmRegistryServer, npmAuthToken                      registry=…  //…/:_authToken=${NAME}
 *   npmScopes:      { acme: { the same two } }           @acme:registry=…
 *   npmRegistries:  { "https://HOST/PATH": { npmAuthToken } }
 *
 * Beside them npmAlwaysAuth may stand, which changes nothing: a token is always sent to its own
 * registry. A token is "${NAME}" alone, also in Yarn's spelling with an empty default ("${NAME-}");
 * one of a scope or of the top belongs to the registry that is named there. */
#pragma once

#include "npmrc.h"

enum { REGISTRIES_BYTES_MAX = 1 << 20 };

/* A name of the outermost map that is read here. */
bool registries_has(const char *name);

/* Tells reader->line what counts, and reader->left_out what is not on the list in the maps above;
 * either may be NULL. Refuses NPMRC_INVALID and NPMRC_SECRET and names the key, never a value;
 * LOCKFILE_INVALID for what is no YAML. Of a file that is refused no line is told. */
MUST_USE int registries_read(const char *text, size_t n, const struct npmrc_reader *reader,
                             struct box_refusal *ret_refusal);

/* The same for .yarnrc.yml in `folder`, if there is one. */
MUST_USE int registries_read_in(const char *folder, const struct npmrc_reader *reader,
                                struct box_refusal *ret_refusal);
