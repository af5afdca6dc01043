/* box_kit.c: see box_kit.h. */
#undef NDEBUG
#include "box_kit.h"
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <base/file.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tree.h>

void put(const char *folder, const char *path, const char *text)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", folder, path);
    char *slash = strrchr(full, '/');
    *slash = 0;
    assert_int_equal(dir_make(full, 0755), 0);
    *slash = '/';
    assert_int_equal(file_write(full, 0644, text, strlen(text)), 0);
}

void world_open(struct world *w, const struct file *files)
{
    *w = (struct world){0};
    snprintf(w->top, sizeof w->top, "/tmp/rota-box-XXXXXX");
    assert_non_null(mkdtemp(w->top));
    snprintf(w->app, sizeof w->app, "%s/app", w->top);
    snprintf(w->install, sizeof w->install, "%s/install", w->top);
    assert_int_equal(mkdir(w->app, 0755), 0);
    assert_int_equal(mkdir(w->install, 0755), 0);
    for (size_t i = 0; files && i < FILES_MAX && files[i].path; i++)
        put(w->app, files[i].path, files[i].text);
}

void world_close(struct world *w)
{
    folder_remove(w->top);
}

static int name_add(void *arg, const char *path, const struct stat *st)
{
    if (S_ISDIR(st->st_mode))
        return TREE_GO_ON;
    strncat(arg, path, 200);
    strncat(arg, " ", 2);
    return TREE_GO_ON;
}

void assert_files(const char *folder, const char *want)
{
    char names[1000] = "";
    assert_int_equal(tree_walk(folder, name_add, names), 0);
    assert_string_equal(names, want);
}
