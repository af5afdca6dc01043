/* init.c: folder, keys, database, first key, in this order.
 *
 * The key file is made first and must not exist: an operator key that cannot be written down would
 * be lost for good. Nothing is ever overwritten. */
#include "edge/init.h"

#include "apikey.h"
#include "edge/keys.h"
#include "edge/settings.h"
#include "engine/engine.h"

#include <base/clock.h>
#include <base/exit.h>
#include <base/file.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAP_BYTES = 1 << 30 }; /* for these few rows; rotad maps more when it serves */

static int complain(const char *what, const char *hint)
{
    fprintf(stderr, "rotad init: %s. %s.\n", what, hint);
    return EXIT_CONFIG;
}

static int complain_errno(const char *what, const char *path)
{
    fprintf(stderr, "rotad init: %s %s: %s\n", what, path, strerror(errno));
    return EXIT_CONFIG;
}

/* Names go into requests, statements and key files: the form of limits.def, one word. */
static bool is_environment(const char *name)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    size_t n = strlen(name);
    return n >= 1 && n <= 64 && strspn(name, letters) == n;
}

static int store_make(const struct init_settings *s, const struct keys *keys, char *ret_credential)
{
    AUTO(store) store = NULL;
    struct store_config config = {.dir = s->data, .map_bytes = MAP_BYTES, .create = true};
    int r = store_open(&config, &store);
    if (r == STORE_BUSY)
        return complain("another rotad has this folder open", "Choose another --data");
    if (r > 0)
        return complain("the folder holds a database that is none of ours",
                        "Choose another --data");
    if (r == 0)
        r = engine_init(store, s->environment, keys->hash_key, clock_wall_ms(), ret_credential);
    if (r == 0)
        return EXIT_OK;
    char why[300];
    fprintf(stderr, "rotad init: the database could not be made: %s\n", err_trace(why, sizeof why));
    return EXIT_IO;
}

static int key_file_write(int fd, const struct init_settings *s, const char *credential)
{
    char text[APIKEY_TEXT_LEN + 80];
    int n = snprintf(text, sizeof text, "%s\n%s\n", credential, s->environment);
    int r = write_all(fd, text, (size_t)n);
    sodium_memzero(text, sizeof text);
    if (r < 0 || fsync(fd) < 0)
        return complain_errno("cannot write", s->key_file);
    return EXIT_OK;
}

static int environment_make(const struct init_settings *s, int key_fd)
{
    struct keys keys;
    char credential[APIKEY_TEXT_LEN + 1];
    int r = keys_make(s->data, &keys);
    if (r)
        return r < 0 ? complain_errno("cannot make keys in", s->data) : EXIT_CONFIG;
    int code = store_make(s, &keys, credential);
    if (code == EXIT_OK)
        code = key_file_write(key_fd, s, credential);
    sodium_memzero(credential, sizeof credential);
    keys_wipe(&keys);
    return code;
}

static int init_run(const struct init_settings *s)
{
    char database[4096];
    struct stat st;
    if (!is_environment(s->environment))
        return complain("an environment's name has 1 to 64 characters of a-z A-Z 0-9 . _ -",
                        "Choose another --environment");
    snprintf(database, sizeof database, "%s/data.mdb", s->data);
    if (stat(database, &st) == 0)
        return complain("there is an environment in this folder already", "Choose another --data");
    if (dir_make(s->data, 0750) < 0)
        return complain_errno("cannot make", s->data);
    AUTO_FD fd = open(s->key_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return complain_errno("cannot make", s->key_file);
    int code = environment_make(s, fd);
    if (code != EXIT_OK)
        unlink(s->key_file);
    return code;
}

int init_main(int argc, char **argv)
{
    struct init_settings s = {0};
    int r = init_settings_parse(argc, argv, &s);
    if (r == OPTION_HELP)
        return EXIT_OK;
    if (r)
        return r == OPTION_USAGE ? EXIT_USAGE : EXIT_CONFIG;
    int code = init_run(&s);
    if (code == EXIT_OK)
        printf("environment %s in %s\noperator key in %s\npublic signing key in %s/keys/sign.pub\n",
               s.environment, s.data, s.key_file, s.data);
    return code;
}
