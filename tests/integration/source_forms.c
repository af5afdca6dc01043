/* source_forms.c: a source in its forms, for tests that look for it.
 *
 *   source_forms pack FOLDER ARCHIVE          as `rota publish --source dir:FOLDER` packs it
 *   source_forms seal KEY_FILE ARCHIVE OUT    as it seals it with the API key in the file's first
 *                                             line; prints the source's own key in hex
 *   source_forms open KEY_HEX SEALED OUT      exit code 1: it does not open
 *   source_forms find PATTERNS FILES          lines "NAME HEX" of at least 16 bytes, and paths one
 *                                             a line; prints "NAME OFFSET PATH" for each place, and
 *                                             last how many files and bytes it read */
#undef NDEBUG
#include "cli/pack.h"
#include "seal.h"
#include "sign.h"

#include <assert.h>
#include <base/auto.h>
#include <base/exit.h>
#include <base/file.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { SECRET_FILE_MAX = 4096, PATTERN_MIN = 16, PATTERN_MAX = 128, PAGE_BYTES = 4096 };

static int written(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0);
    return fd;
}

static int opened(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert(fd >= 0);
    return fd;
}

static int pack(const char *folder, const char *second, const char *out)
{
    struct pack_result result;
    (void)second;
    AUTO_FD fd = written(out);
    assert(pack_folder(folder, fd, NULL, NULL, &result) == 0);
    return EXIT_OK;
}

static int seal(const char *key_file, const char *archive, const char *out)
{
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    size_t n;
    struct seal s;
    char hex[2 * SEAL_KEY_BYTES + 1];
    AUTO_FREE char *secret = NULL;
    AUTO_FD from = opened(archive);
    AUTO_FD to = written(out);
    assert(file_read(key_file, SECRET_FILE_MAX, &secret, &n) == 0);
    assert(hash_file(from, sha256, blake2b, &size) == 0);
    seal_derive(span_of(secret, strcspn(secret, "\n")), sha256, &s);
    assert(seal_fd(&s, from, to) == 0);
    puts(sodium_bin2hex(hex, sizeof hex, s.key, sizeof s.key));
    return EXIT_OK;
}

static int unseal(const char *key_hex, const char *sealed, const char *out)
{
    uint8_t key[SEAL_KEY_BYTES];
    size_t n = 0;
    AUTO_FD from = opened(sealed);
    AUTO_FD to = written(out);
    assert(sodium_hex2bin(key, sizeof key, key_hex, strlen(key_hex), NULL, &n, NULL) == 0 &&
           n == sizeof key);
    return seal_open_fd(key, from, to) == 0 ? EXIT_OK : EXIT_JOB_FAILED;
}

/* ---- find ---- */

struct pattern {
    char name[64];
    uint8_t b[PATTERN_MAX];
    size_t n;
};

struct finding {
    struct pattern *pattern;
    size_t patterns;
    bool begins[1 << 16]; /* by the first two bytes of a pattern */
    uint64_t files, bytes;
};

static void patterns_read(struct finding *f, const char *path)
{
    char name[64], hex[2 * PATTERN_MAX + 1];
    FILE *file = fopen(path, "re");
    assert(file);
    while (fscanf(file, "%63s %256s", name, hex) == 2) {
        f->pattern = realloc(f->pattern, (f->patterns + 1) * sizeof *f->pattern);
        assert(f->pattern);
        struct pattern *p = &f->pattern[f->patterns++];
        memcpy(p->name, name, sizeof name);
        assert(sodium_hex2bin(p->b, sizeof p->b, hex, strlen(hex), NULL, &p->n, NULL) == 0 &&
               p->n >= PATTERN_MIN);
        f->begins[p->b[0] << 8 | p->b[1]] = true;
    }
    fclose(file);
}

static void bytes_search(const struct finding *f, const uint8_t *p, size_t n, off_t at,
                         const char *path)
{
    for (size_t i = 0; i + PATTERN_MIN <= n; i++) {
        if (!f->begins[p[i] << 8 | p[i + 1]])
            continue;
        for (size_t k = 0; k < f->patterns; k++)
            if (f->pattern[k].n <= n - i && memcmp(p + i, f->pattern[k].b, f->pattern[k].n) == 0)
                printf("%s %lld %s\n", f->pattern[k].name, (long long)at + (long long)i, path);
    }
}

/* What is data in the file, and not a hole. */
static void file_search(struct finding *f, const char *path)
{
    struct stat st;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    f->files++;
    for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0; at = lseek(fd, at, SEEK_DATA)) {
        off_t end = lseek(fd, at, SEEK_HOLE), from = at & ~(off_t)(PAGE_BYTES - 1);
        void *p = mmap(NULL, (size_t)(end - from), PROT_READ, MAP_PRIVATE, fd, from);
        assert(p != MAP_FAILED);
        bytes_search(f, p, (size_t)(end - from), from, path);
        munmap(p, (size_t)(end - from));
        f->bytes += (uint64_t)(end - at);
        at = end;
    }
}

static int find(const char *patterns, const char *second, const char *paths)
{
    static struct finding f;
    char *line = NULL;
    size_t room = 0;
    (void)second;
    patterns_read(&f, patterns);
    FILE *file = fopen(paths, "re");
    assert(file);
    for (ssize_t n; (n = getline(&line, &room, file)) > 0;) {
        line[n - (line[n - 1] == '\n')] = 0;
        file_search(&f, line);
    }
    fclose(file);
    free(line);
    free(f.pattern);
    printf("%llu %llu\n", (unsigned long long)f.files, (unsigned long long)f.bytes);
    return EXIT_OK;
}

static const struct {
    const char *name;
    int args;
    int (*run)(const char *first, const char *second, const char *out);
} words[] = {{"pack", 4, pack}, {"seal", 5, seal}, {"open", 5, unseal}, {"find", 4, find}};

int main(int argc, char **argv)
{
    assert(sodium_init() >= 0);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (argc == words[i].args && strcmp(argv[1], words[i].name) == 0)
            return words[i].run(argv[2], argv[3], argv[argc - 1]);
    fprintf(stderr, "usage: source_forms pack|seal|open|find …\n");
    return EXIT_USAGE;
}
