/* npmrc.c: line by line. Sections ("[x]") would change what the lines behind them mean, so they are
 * refused. */
#include "npmrc.h"

#include <base/auto.h>
#include <base/file.h>
#include <errno.h>
#include <registry_rc.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096, LINE_BYTES = RC_KEY_MAX + RC_VALUE_MAX + 8 };

static int row_tell(const struct rc_row *row, const struct npmrc_reader *reader)
{
    char line[LINE_BYTES];
    if (row->kind == RC_NOTHING)
        return 0;
    if (row->kind == RC_LEFT_OUT)
        return reader->left_out(reader->arg, row->key);
    snprintf(line, sizeof line, "%s=%s", row->key, row->value);
    return reader->line(reader->arg, line);
}

static int line_read(struct span line, unsigned number, const struct npmrc_reader *reader,
                     struct box_refusal *ret)
{
    struct rc_row row;
    if (line.n > 0 && *(const char *)line.p == '[')
        return BOX_REFUSE(ret, NPMRC_INVALID, ".npmrc line %u begins a section", number);
    int r = registry_rc_read(line, &row);
    if (r == RC_SECRET)
        return BOX_REFUSE(ret, NPMRC_SECRET, ".npmrc line %u: `%s` holds a secret", number,
                          row.key);
    if (r != 0)
        return BOX_REFUSE(ret, NPMRC_INVALID,
                          ".npmrc line %u: `%s` has a value that is not allowed", number, row.key);
    return row_tell(&row, reader);
}

int box_npmrc_read(const char *text, size_t n, const struct npmrc_reader *reader,
                   struct box_refusal *ret_refusal)
{
    unsigned number = 0;
    int r = 0;
    for (const char *p = text, *end = text + n; r == 0 && p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t len = stop ? (size_t)(stop - p) : (size_t)(end - p);
        r = line_read(span_of(p, len), ++number, reader, ret_refusal);
        p += len + 1;
    }
    return r;
}

int box_npmrc(const char *folder, const struct npmrc_reader *reader,
              struct box_refusal *ret_refusal)
{
    char path[PATH_BYTES];
    AUTO_FREE char *text = NULL;
    size_t n = 0;
    snprintf(path, sizeof path, "%s/.npmrc", folder);
    int r = file_read(path, NPMRC_BYTES_MAX, &text, &n);
    if (r == -ENOENT)
        return 0;
    if (r == -EFBIG)
        return BOX_REFUSE(ret_refusal, NPMRC_INVALID, ".npmrc is larger than %d bytes",
                          NPMRC_BYTES_MAX);
    return r < 0 ? err_pass(r) : box_npmrc_read(text, n, reader, ret_refusal);
}
