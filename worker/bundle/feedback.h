/* feedback.h: what a program in the sandbox says on fd 3, one JSON object a line.
 *
 * The lines come from inside, where the app's own code can write them too: they are read with
 * bounds, texts are cleaned, unknown members ignored, and only names that blame the app itself are
 * believed, so that no app can make its build look like a fault of the machine and be tried again.
 * Of a flood at most 100 progress lines a second are read, and FEEDBACK_LINES_MAX others in all.
 * One thread. */
#pragma once

#include "errors.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FEEDBACK_TEXT_MAX = 400, FEEDBACK_PATH_MAX = 256, FEEDBACK_VERSION_MAX = 64 };
enum { FEEDBACK_LINES_MAX = 65536 };

struct feedback {
    /* Called for progress lines: the share of the step that is done, 0 to 1; and what to say. */
    void (*progress)(void *arg, double share, const char *message);
    /* Called for the places of node_modules; NULL where none are expected. */
    void (*tree)(void *arg, const char *path);
    /* Called for lines of an .npmrc; NULL where none are expected. */
    void (*rc)(void *arg, const char *line);
    void *arg;

    bool is_done;
    enum error_code error; /* the first error line's; E_OK: none came */
    char text[FEEDBACK_TEXT_MAX + 1];
    char file[FEEDBACK_PATH_MAX + 1]; /* empty: unknown */
    uint32_t line, column;            /* 0: unknown */

    char hermesc[FEEDBACK_PATH_MAX + 1]; /* paths below /w/app, or empty; the first line's */
    char compose[FEEDBACK_PATH_MAX + 1];
    char engines[FEEDBACK_TEXT_MAX + 1]; /* package.json's engines.node; empty: it has none */
    char react_native[FEEDBACK_VERSION_MAX + 1], metro[FEEDBACK_VERSION_MAX + 1];
    char hermesc_version[FEEDBACK_VERSION_MAX + 1];
    uint64_t packages, modules, entries, skipped, bytes, assets; /* of the "done" line */
    char manager[40], program[40], lockfile[40];                 /* what an install is made with */
    char root[FEEDBACK_PATH_MAX + 1]; /* the folder of the lockfile below the source, or "." */
    uint8_t lockfile_sha256[32], deps_sha256[32];
    uint64_t unpinned, left_out;
    uint64_t aside;      /* .npmrc files that the source brought */
    char commit[40 + 1]; /* of a source from git */
    bool has_submodules;

    uint64_t window_ms; /* start of the running second */
    uint32_t in_window; /* progress lines in it */
    uint32_t lines;     /* others, so far */
};

void feedback_line(struct feedback *r, const char *line, size_t n, bool is_cut);
