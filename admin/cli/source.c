/* source.c: the form decides, by a table, how an open file of the archive comes about; the rest is
 * the same for all forms. The packed archive lives in an unlinked temporary file, so that nothing
 * stays behind.   */
#include "source.h"

#include "object.h"
#include "pack.h"
#include "sign.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* A file without a name, in TMPDIR. */
static int temporary_open(void)
{
    const char *dir = getenv("TMPDIR");
    AUTO_FREE char *path = x_printf("%s/rota-XXXXXX", dir && *dir ? dir : "/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static void say_skipped(void *arg, const char *path, const char *why)
{
    (void)arg;
    AUTO_FREE char *clean = text_clean(path);
    fprintf(stderr, "left out: %s (%s)\n", clean, why);
}

static int pack_failed(int outcome, const char *folder, const struct pack_result *result)
{
    if (outcome == PACK_NO_FOLDER)
        return cli_error(E_SOURCE_INVALID, "dir:%s: %s", folder, strerror(-result->fault));
    if (outcome == PACK_EMPTY)
        return cli_error(E_SOURCE_INVALID, "dir:%s: there is no file in it", folder);
    if (outcome == PACK_CHANGED)
        return cli_error(E_SOURCE_INVALID, "%s changed while it was packed", result->failed);
    return cli_io(result->failed, result->fault);
}

static int dir_open(const char *folder, int *ret_fd)
{
    struct pack_result result;
    AUTO_FD fd = temporary_open();
    if (fd < 0)
        return cli_io("a temporary file", -errno);
    int r = pack_folder(folder, fd, say_skipped, NULL, &result);
    if (r < 0)
        return cli_io("a temporary file", r);
    if (r > 0)
        return pack_failed(r, folder, &result);
    char bytes[TEXT_SHORT_LEN + 1], packed[TEXT_SHORT_LEN + 1], count[TEXT_SHORT_LEN + 1];
    off_t size = lseek(fd, 0, SEEK_END);
    fprintf(stderr, "packed %s files, %s, as %s\n", text_count(result.files, count),
            text_bytes(result.bytes, bytes), text_bytes((uint64_t)size, packed));
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int file_open(const char *path, int *ret_fd)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_error(E_SOURCE_INVALID, "upload:%s: %s", path, strerror(errno));
    *ret_fd = fd;
    return 0;
}

static int git_open(const char *url, int *ret_fd)
{
    (void)ret_fd;
    AUTO_FREE char *text = x_printf("git:%s: this version cannot fetch from git yet", url);
    cli_say(error_row(E_SOURCE_INVALID)->name, "clone it and pass --source dir:PATH", text);
    return EXIT_USAGE;
}

static const struct source_form {
    const char *prefix;
    int (*open)(const char *rest, int *ret_fd);
} forms[] = {{"dir:", dir_open}, {"upload:", file_open}, {"git:", git_open}};

static int source_open(const char *source, int *ret_fd)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t n = strlen(forms[i].prefix);
        if (!strncmp(source, forms[i].prefix, n))
            return forms[i].open(source + n, ret_fd);
    }
    return cli_error(E_SOURCE_INVALID, "--source %s: neither dir:PATH nor upload:FILE", source);
}

static int source_put(struct cli *cli, int fd, const char *account, const uint8_t sha256[32],
                      uint64_t size)
{
    Rota__SignUpload op = ROTA__SIGN_UPLOAD__INIT;
    op.account = (char *)(account ? account : "");
    op.kind = ROTA__OBJECT_KIND__SOURCE;
    op.sha256 = (ProtobufCBinaryData){.len = 32, .data = (uint8_t *)sha256};
    op.size = size;
    CLI_REQUEST(request, SIGN_UPLOAD, sign_upload, &op);
    AUTO_REPLY reply = NULL;
    int code = cli_call(cli, &request, &reply);
    if (code || !*reply->sign_upload->url) /* no URL: the store has these bytes already */
        return code;
    return object_put(reply->sign_upload->url, fd, size);
}

int source_upload(struct cli *cli, const char *source, const char *account,
                  char text[SOURCE_TEXT_MAX + 1])
{
    struct source_ref ref = {.kind = SOURCE_UPLOAD};
    uint8_t blake2b[32];
    uint64_t size = 0;
    AUTO_FD fd = -1;
    int code = source_open(source, &fd);
    if (code)
        return code;
    int r = hash_file(fd, ref.sha256, blake2b, &size);
    if (r < 0)
        return cli_io(source, r);
    code = source_put(cli, fd, account, ref.sha256, size);
    if (code)
        return code;
    source_ref_text(&ref, text);
    return 0;
}
