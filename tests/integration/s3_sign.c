/* s3_sign.c: the presigner by itself, for tests in Python. Prints a URL.
 *   s3_sign METHOD ENDPOINT PATH EXPIRES_S AGE_S [NAME=VALUE of a signed header]... [-- NAME=VALUE
 * of the query]... The credential: ROTA_S3_ID and ROTA_S3_SECRET. AGE_S: signed so long ago. */
#include "edge/presign.h"

#include <base/auto.h>
#include <base/clock.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct presign_pair pair_of(char *text)
{
    char *at = strchr(text, '=');
    if (!at)
        exit(2);
    *at = '\0';
    return (struct presign_pair){text, at + 1};
}

int main(int argc, char **argv)
{
    struct presign_key key = {.id = ""};
    struct presign_pair header[8], query[8];
    char url[PRESIGN_URL_MAX];
    const char *id = getenv("ROTA_S3_ID"), *secret = getenv("ROTA_S3_SECRET");
    if (argc < 6 || argc > 14 || !id || !secret)
        return 2;
    snprintf(key.id, sizeof key.id, "%s", id);
    snprintf(key.secret, sizeof key.secret, "%s", secret);
    struct presign p = {.method = argv[1],
                        .endpoint = argv[2],
                        .region = "us-east-1",
                        .path = argv[3],
                        .expires_s = (uint32_t)strtoul(argv[4], NULL, 10),
                        .now_ms = clock_wall_ms() - strtoull(argv[5], NULL, 10) * 1000,
                        .header = header,
                        .query = query};
    bool is_query = false;
    for (int i = 6; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            is_query = true;
        else if (is_query)
            query[p.query_n++] = pair_of(argv[i]);
        else
            header[p.header_n++] = pair_of(argv[i]);
    }
    if (presign_url(&p, &key, url) != 0)
        return 1;
    puts(url);
    return 0;
}
