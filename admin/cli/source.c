/* source.c: the form decides, by a table, how an open file of the archive comes about; the rest is
 * the same for all forms. A packed archive lives in memory, and what is written to an unlinked
 * temporary file is sealed, so that no copy of a source comes onto a disk here.
 *
 * The secret that the seal's key is derived from is the API key: the same archive published twice
 * with it is the same object (see seal.h). */
#include "source.h"

#include "object.h"
#include "pack.h"
#include "sign.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

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
    if (outcome == PACK_REFUSED)
        return cli_error(error_by_name(result->refusal.error), "%s", result->refusal.text);
    return cli_io(result->failed, result->fault);
}

static int dir_open(const char *folder, int *ret_fd)
{
    struct pack_result result;
    AUTO_FD fd = memfd_create("source.tar.gz", MFD_CLOEXEC);
    if (fd < 0)
        return cli_io("memory for the archive", -errno);
    int r = pack_folder(folder, fd, say_skipped, NULL, &result);
    if (r < 0)
        return cli_io("memory for the archive", r);
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

/* Nothing travels from here: the worker fetches it. */
static int git_name(const char *source, char text[SOURCE_TEXT_MAX + 1])
{
    struct source_ref ref;
    if (source_ref_parse(span_str(source), &ref) != 0)
        /* Not repeated: it may hold a token. */
        return cli_error(E_SOURCE_INVALID, "--source is not of the form git:https://HOST/PATH@REF, "
                                           "without a user part or a query");
    source_ref_text(&ref, text);
    return 0;
}

static const struct source_form {
    const char *prefix;
    int (*open)(const char *rest, int *ret_fd);
} forms[] = {{"dir:", dir_open}, {"upload:", file_open}};

static int source_open(const char *source, int *ret_fd)
{
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t n = strlen(forms[i].prefix);
        if (!strncmp(source, forms[i].prefix, n))
            return forms[i].open(source + n, ret_fd);
    }
    return cli_error(E_SOURCE_INVALID, "--source %s: none of dir:PATH, upload:FILE and git:URL@REF",
                     source);
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
    return object_put(reply->sign_upload, fd);
}

static void seal_choose(const struct cli *cli, const uint8_t sha256[32], struct seal *ret_seal)
{
    uint8_t other[32];
    randombytes_buf(other, sizeof other);
    struct span secret = cli->credential ? span_str(cli->credential) : span_of(other, sizeof other);
    seal_derive(secret, sha256, ret_seal);
    sodium_memzero(other, sizeof other);
}

/* The sealed form of the archive behind `plain`. */
static int source_seal(struct cli *cli, const char *source, int plain, struct seal *seal,
                       int *ret_fd)
{
    uint8_t sha256[32], blake2b[32];
    uint64_t size;
    char first[SEAL_MAGIC_LEN] = "";
    int code = cli_connect(cli);
    if (code)
        return code;
    AUTO_FD fd = temporary_open();
    if (fd < 0)
        return cli_io("a temporary file", -errno);
    if (pread(plain, first, sizeof first, 0) == sizeof first && seal_begins(first, sizeof first))
        return cli_error(E_SOURCE_INVALID, "%s is sealed already; name the archive itself", source);
    int r = hash_file(plain, sha256, blake2b, &size);
    if (r < 0 || lseek(plain, 0, SEEK_SET) < 0)
        return cli_io(source, r < 0 ? r : -errno);
    seal_choose(cli, sha256, seal);
    r = seal_fd(seal, plain, fd);
    if (r == SEAL_CHANGED)
        return cli_error(E_SOURCE_INVALID, "%s changed while it was read", source);
    if (r < 0)
        return cli_io("a temporary file", r);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

static int sealed_upload(struct cli *cli, const char *source, const char *account,
                         struct seal *seal, struct source_ref *ref)
{
    uint8_t blake2b[32];
    uint64_t size = 0;
    AUTO_FD plain = -1;
    AUTO_FD sealed = -1;
    int code = source_open(source, &plain);
    if (!code)
        code = source_seal(cli, source, plain, seal, &sealed);
    if (code)
        return code;
    int r = hash_file(sealed, ref->sha256, blake2b, &size);
    return r < 0 ? cli_io("a temporary file", r)
                 : source_put(cli, sealed, account, ref->sha256, size);
}

int source_upload(struct cli *cli, const char *source, const char *account,
                  struct source_sent *ret_sent)
{
    struct source_ref ref = {.kind = SOURCE_UPLOAD};
    struct seal seal = {0};
    *ret_sent = (struct source_sent){0};
    if (strncmp(source, "git:", 4) == 0)
        return git_name(source, ret_sent->text);
    int code = sealed_upload(cli, source, account, &seal, &ref);
    if (!code) {
        source_ref_text(&ref, ret_sent->text);
        memcpy(ret_sent->key, seal.key, sizeof seal.key);
        ret_sent->has_key = true;
    }
    sodium_memzero(&seal, sizeof seal);
    return code;
}

void source_fill(struct source_sent *sent, Rota__Publish *op)
{
    op->source = sent->text;
    if (sent->has_key)
        op->source_key = (ProtobufCBinaryData){sizeof sent->key, sent->key};
}

void source_forget(struct source_sent *sent)
{
    sodium_memzero(sent, sizeof *sent);
}
