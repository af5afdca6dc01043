/* facts.h: what a build was made from and with, for its provenance. The phases fill it in as they
 * learn it; attest sends it to the broker. One thread, the slot's.
 *
 * Texts may come from the app's own files: what is no printable ASCII becomes '?', and what is too
 * long is cut, so that a strange version can never make a whole attestation be refused. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bounds of proto/limits.def. */
enum {
    FACTS_TOOLS_MAX = 16,
    FACTS_URI_MAX = 512,
    FACTS_COMMIT_MAX = 64,
    FACTS_NAME_MAX = 64,
    FACTS_HASH_BYTES = 32
};

struct facts_tool {
    char name[FACTS_NAME_MAX + 1]; /* "node", "npm", "react-native", "metro", "hermesc" */
    char version[FACTS_NAME_MAX + 1];
    uint8_t sha256[FACTS_HASH_BYTES]; /* of the program's file */
    bool has_sha256;
};

/* All zero: nothing is known yet. */
struct facts {
    char source_uri[FACTS_URI_MAX + 1];       /* a git URL without secrets; empty for an upload */
    char source_commit[FACTS_COMMIT_MAX + 1]; /* lower-case hex */
    char lockfile[FACTS_NAME_MAX + 1];        /* its file name */
    uint8_t lockfile_sha256[FACTS_HASH_BYTES];
    struct facts_tool tool[FACTS_TOOLS_MAX];
    size_t tools;
    uint64_t started_ms, finished_ms; /* Unix time */
};

/* `commit` that is not 40 or 64 lower-case hex digits is left out. */
void facts_source_set(struct facts *f, const char *uri, const char *commit);

void facts_lockfile_set(struct facts *f, const char *name, const uint8_t sha256[FACTS_HASH_BYTES]);

enum facts_outcome { FACTS_FULL = 1 };

/* A tool of this name is told once: the last word about it counts. `version` may be empty, `sha256`
 * NULL when it is not known. FACTS_FULL: there are FACTS_TOOLS_MAX already. */
int facts_tool_add(struct facts *f, const char *name, const char *version,
                   const uint8_t sha256[FACTS_HASH_BYTES]);
