/* s3_list.h: one page of a listing (ListObjectsV2), as the store wrote it. Pure.
 *
 * What is looked for are names of our own, which need no escapes; anything else in the page is
 * passed over. */
#pragma once

#include <base/err.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { S3_TOKEN_MAX = 1024, S3_NAME_MAX = 512 };

struct s3_listed {
    char name[S3_NAME_MAX];
    uint64_t modified_ms; /* Unix time */
};

struct s3_page {
    const char *text; /* with a NUL behind it */
    const char *at;   /* set it to text before the first */
};
/* The next object; false: no more on this page. One whose name is too long is passed over. */
bool s3_page_next(struct s3_page *page, struct s3_listed *ret_listed);
/* Where the next page begins; false: this is the last one. */
bool s3_page_more(const struct s3_page *page, char ret_token[S3_TOKEN_MAX]);
/* Is it the answer to a listing at all? */
bool s3_page_is_one(const struct s3_page *page);
