/* store_drive.c: an artifact store in the hands of a test.
 *   store_drive local DIR ENVIRONMENT
 *   store_drive s3 s3://BUCKET[/PREFIX] ENDPOINT CREDENTIALS ENVIRONMENT
 * Reads commands, one a line, and answers each with one line:
 *   invite KIND ACCOUNT HASH SIZE AHEAD_S ok URL       as if it were asked so much later
 *   url KIND ACCOUNT HASH                 ok URL
 *   find KIND ACCOUNT HASH                ok SIZE
 *   take KIND ACCOUNT HASH SIZE|-         ok SIZE      ("-": any size up to 1,000)
 *   read KIND ACCOUNT HASH OFFSET N       ok HEX
 *   drop KIND ACCOUNT HASH                ok
 *   sweep AHEAD_S AGE_S                   ok           AHEAD_S: as if it were so much later
 *   walk AHEAD_S AGE_S                    ok NAME...
 *   reload                                ok
 * or the outcome's name. The first line says how the store was opened. */
#include "edge/artifacts.h"

#include <base/clock.h>
#include <base/log.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 8, READ_MAX = 4096 };

static const char *outcome_name(int r)
{
    static const char *const names[] = {"ok",   "missing",     "mismatch", "too_many", "too_large",
                                        "away", "environment", "full",     "late",     "ahead"};
    return r < 0 ? "fault" : names[r];
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static void answer(int r, const char *detail)
{
    char why[200];
    if (r < 0)
        fprintf(stderr, "%s\n", err_trace(why, sizeof why));
    printf("%s%s%s\n", outcome_name(r), r == 0 && *detail ? " " : "", r == 0 ? detail : "");
    fflush(stdout);
}

static int visit(void *arg, const struct artifact_id *id)
{
    char hex[65], *to = arg;
    size_t n = strlen(to);
    sodium_bin2hex(hex, sizeof hex, id->sha256, sizeof id->sha256);
    snprintf(to + n, 65536 - n, "%s%s/%s/%s", n ? " " : "", artifact_class(id->kind), id->account,
             hex);
    return 0;
}

static void walk(struct artifacts *a, uint64_t ahead_s, uint64_t age_s)
{
    static char names[65536];
    struct artifacts_place place = {0};
    names[0] = '\0';
    struct artifacts_walk w = {.now_ms = clock_wall_ms() + ahead_s * 1000,
                               .age_ms = age_s * 1000,
                               .visit = visit,
                               .arg = names};
    int r = 0;
    while (r == 0 && !place.is_end)
        r = artifacts_walk_some(a, &w, &place);
    answer(r, names);
}

static bool id_of(char **word, int n, struct artifact_id *ret_id)
{
    size_t got;
    if (n < 4)
        return false;
    *ret_id = (struct artifact_id){.account = word[2]};
    for (int kind = 1; artifact_class((Rota__ObjectKind)kind); kind++)
        if (strcmp(word[1], artifact_class((Rota__ObjectKind)kind)) == 0)
            ret_id->kind = (Rota__ObjectKind)kind;
    return ret_id->kind &&
           sodium_hex2bin(ret_id->sha256, 32, word[3], strlen(word[3]), NULL, &got, NULL) == 0;
}

static void take(struct artifacts *a, const struct artifact_id *id, const char *size_text)
{
    char text[32];
    uint64_t size = 0, want = *size_text == '-' ? UINT64_MAX : number(size_text);
    struct artifact_check check = {.size = want, .size_max = 1000};
    int r = artifacts_take(a, id, &check, &size);
    snprintf(text, sizeof text, "%llu", (unsigned long long)size);
    answer(r, text);
}

static void read_some(struct artifacts *a, const struct artifact_id *id, uint64_t offset, size_t n)
{
    uint8_t bytes[READ_MAX];
    char hex[2 * READ_MAX + 1];
    size_t got = 0;
    int r = artifacts_read(a, id, offset, bytes, n < READ_MAX ? n : READ_MAX, &got);
    answer(r, sodium_bin2hex(hex, sizeof hex, bytes, r == 0 ? got : 0));
}

static void object_command(struct artifacts *a, char **word, int n)
{
    char url[ARTIFACT_URL_MAX] = "";
    struct artifact_id id;
    uint64_t size = 0;
    int r;
    if (!id_of(word, n, &id)) {
        puts("what?");
        fflush(stdout);
    } else if (strcmp(word[0], "invite") == 0 && (n == 5 || n == 6)) {
        uint64_t ahead_s = n == 6 ? number(word[5]) : 0; /* "-1" wraps, as it must */
        r = artifacts_invite(a, &id, number(word[4]), clock_wall_ms() + ahead_s * 1000, url);
        answer(r, url);
    } else if (strcmp(word[0], "url") == 0) {
        r = artifacts_url(a, &id, clock_wall_ms(), url);
        answer(r, url);
    } else if (strcmp(word[0], "take") == 0 && n == 5) {
        take(a, &id, word[4]);
    } else if (strcmp(word[0], "read") == 0 && n == 6) {
        read_some(a, &id, number(word[4]), (size_t)number(word[5]));
    } else if (strcmp(word[0], "drop") == 0) {
        answer(artifacts_drop(a, &id), "");
    } else {
        r = artifacts_find(a, &id, &size);
        snprintf(url, sizeof url, "%llu", (unsigned long long)size);
        answer(r, url);
    }
}

static void command(struct artifacts *a, char **word, int n)
{
    if (n == 3 && strcmp(word[0], "sweep") == 0) {
        answer(artifacts_sweep_incoming(a, clock_wall_ms() + number(word[1]) * 1000,
                                        number(word[2]) * 1000),
               "");
    } else if (n == 3 && strcmp(word[0], "walk") == 0) {
        walk(a, number(word[1]), number(word[2]));
    } else if (n == 1 && strcmp(word[0], "reload") == 0) {
        artifacts_reload(a);
        answer(0, "");
    } else {
        object_command(a, word, n);
    }
}

static int store_open(int argc, char **argv, struct artifacts **ret_artifacts)
{
    if (argc == 4 && strcmp(argv[1], "local") == 0)
        return artifacts_open_local(argv[2], argv[3], false, ret_artifacts);
    if (argc != 6)
        exit(2);
    struct artifacts_s3_config config = {.url = argv[2],
                                         .endpoint = argv[3],
                                         .region = "us-east-1",
                                         .credentials = argv[4],
                                         .environment = argv[5]};
    return artifacts_open_s3(&config, ret_artifacts);
}

int main(int argc, char **argv)
{
    AUTO(artifacts) a = NULL;
    char line[1024];
    log_open("store_drive");
    if (sodium_init() < 0)
        return 1;
    int r = store_open(argc, argv, &a);
    answer(r, "");
    while (r == 0 && fgets(line, sizeof line, stdin)) {
        char *word[WORDS_MAX], *rest = NULL;
        int n = 0;
        for (char *w = strtok_r(line, " \n", &rest); w && n < WORDS_MAX;
             w = strtok_r(NULL, " \n", &rest))
            word[n++] = w;
        if (n)
            command(a, word, n);
    }
    return 0;
}
