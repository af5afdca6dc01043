/* box_kit.h: the two folders that rota-box works between, an app's source and its install, in a
 * temporary place. Asserts that each call is done. */
#pragma once

#include <box.h>

enum { FILES_MAX = 8 };

struct file {
    const char *path, *text;
};

struct world {
    char top[64], app[80], install[80];
    struct verified found;
    struct box_refusal refusal;
};

/* `files` of the app: up to FILES_MAX, the rest of them zero; NULL: none. */
void world_open(struct world *w, const struct file *files);
void world_close(struct world *w); /* removes the folders */

/* Writes a file with the folders above it. */
void put(const char *folder, const char *path, const char *text);
/* All files below, sorted, each followed by a blank. */
void assert_files(const char *folder, const char *want);
