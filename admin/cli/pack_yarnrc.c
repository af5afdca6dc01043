/* pack_yarnrc.c: the judge names a file by its last part, so the folder is put before its words.
 * What the judge stopped at may stand before a secret: whatever it refuses stays here. */
#include "pack_yarnrc.h"

#include "registries.h"
#include "text.h"

#include <base/auto.h>
#include <base/file.h>
#include <stdio.h>
#include <string.h>

enum { PACK_FOLDER_MAX = 250 };

static int refuse(const char *path, const struct box_refusal *why, struct pack_refusal *ret_refusal)
{
    const char *slash = strrchr(path, '/');
    ret_refusal->error = why->name;
    int n = slash ? (int)(slash - path) + 1 : 0;
    snprintf(ret_refusal->text, sizeof ret_refusal->text, "%.*s%.300s",
             n < PACK_FOLDER_MAX ? n : PACK_FOLDER_MAX, path, why->text);
    return PACK_REFUSED;
}

int pack_yarnrc_text(int fd, const char *path, char **ret_text, size_t *ret_n,
                     struct pack_refusal *ret_refusal)
{
    AUTO_FREE char *text = x_alloc(REGISTRIES_BYTES_MAX + 1);
    const struct npmrc_reader judge = {0};
    struct box_refusal why;
    size_t n = 0;
    int r = read_all(fd, text, REGISTRIES_BYTES_MAX + 1, &n);
    if (r < 0)
        return err_pass(r);
    if (n > REGISTRIES_BYTES_MAX)
        r = BOX_REFUSE(&why, NPMRC_INVALID, ".yarnrc.yml: larger than a build reads");
    else
        r = registries_read(text, n, &judge, &why);
    if (r > 0)
        return refuse(path, &why, ret_refusal);
    if (r < 0)
        return err_pass(r);
    *ret_text = TAKE(text);
    *ret_n = n;
    return 0;
}
