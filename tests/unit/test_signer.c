/* test_signer.c: shows that a change of the signing key loses nothing: not the old public key, not
 * a signature that is on its way, and not the broker's start when the change is cut off anywhere.
 * It matters because a broker that cannot start for want of a matching key is down until a person
 * comes. */
#undef NDEBUG
#include "edge/signer.h"
#include "folder.h"

#include <base/auto.h>
#include <base/file.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <cmocka.h>

static char data[64], first_id[SIGN_KEY_ID_LEN + 1];

static int setup(void **state)
{
    struct keys keys;
    (void)state;
    snprintf(data, sizeof data, "/tmp/rota-signer-XXXXXX");
    if (!mkdtemp(data) || keys_make(data, &keys) != 0)
        return -1;
    sign_key_id(keys.sign_public, first_id);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return folder_remove(data);
}

/* The id of the key that a broker would start with; must start. */
static void loaded(char id[SIGN_KEY_ID_LEN + 1])
{
    struct keys keys;
    assert_int_equal(keys_load(data, &keys), 0);
    sign_key_id(keys.sign_public, id);
    keys_wipe(&keys);
}

static void old_keys_stay_by_their_ids(void **state)
{
    (void)state;
    enum { TURNS = 5 };
    char old_id[SIGN_KEY_ID_LEN + 1], new_id[SIGN_KEY_ID_LEN + 1], id[SIGN_KEY_ID_LEN + 1];
    uint8_t old[KEYS_OLD_MAX][SIGN_PUBLIC_BYTES];
    size_t n;
    memcpy(new_id, first_id, sizeof new_id);
    for (size_t i = 0; i < TURNS; i++) {
        loaded(id);
        assert_string_equal(id, new_id);
        assert_int_equal(keys_rotate(data, old_id, new_id), 0);
        assert_string_equal(old_id, id);
        assert_string_not_equal(new_id, old_id);
        assert_int_equal(keys_old(data, old, &n), 0);
        assert_int_equal(n, i + 1);
    }
    loaded(id);
    assert_string_equal(id, new_id);
}

static void path_of(const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/keys/%s", data, name);
}

static void file_copy(const char *from, const char *to, mode_t mode)
{
    char a[PATH_MAX], b[PATH_MAX], *text;
    size_t n;
    path_of(from, a);
    path_of(to, b);
    assert_int_equal(file_read(a, 4096, &text, &n), 0);
    assert_int_equal(file_write(b, mode, text, n), 0);
    free(text);
}

/* The states of the folder between any two writes of a rotation, put together by hand. */
static void a_rotation_that_was_cut_off_leaves_a_broker_that_starts(void **state)
{
    (void)state;
    char old_id[SIGN_KEY_ID_LEN + 1], new_id[SIGN_KEY_ID_LEN + 1], id[SIGN_KEY_ID_LEN + 1];
    char path[PATH_MAX];
    file_copy("sign.key", "kept.key", 0600);
    file_copy("sign.pub", "kept.pub", 0644);
    assert_int_equal(keys_rotate(data, old_id, new_id), 0);
    file_copy("sign.key", "new.key", 0600);
    file_copy("sign.pub", "new.pub", 0644);
    const struct {
        const char *key, *public, *next, *want;
    } cuts[] = {
        {"kept.key", "kept.pub", NULL, old_id},      /* the old public half is kept */
        {"kept.key", "kept.pub", "new.pub", old_id}, /* the new one is announced */
        {"new.key", "kept.pub", "new.pub", new_id},  /* the key is changed */
        {"new.key", "new.pub", "new.pub", new_id},   /* and its public half */
        {"new.key", "new.pub", NULL, new_id},
    };
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        file_copy(cuts[i].key, "sign.key", 0600);
        file_copy(cuts[i].public, "sign.pub", 0644);
        path_of("sign.pub.next", path);
        unlink(path);
        if (cuts[i].next)
            file_copy(cuts[i].next, "sign.pub.next", 0644);
        loaded(id);
        assert_string_equal(id, cuts[i].want);
        loaded(id); /* and again: what was put right stays so */
        assert_string_equal(id, cuts[i].want);
    }
    printf("%zu of %zu states of a cut-off rotation start\n", ARRAY_LEN(cuts), ARRAY_LEN(cuts));
    struct keys keys;
    file_copy("kept.key", "sign.key", 0600); /* a mixed-up restore is none of these */
    assert_int_equal(keys_load(data, &keys), KEYS_REFUSED);
}

static void two_rotations_at_once_and_a_full_history_are_refused(void **state)
{
    (void)state;
    char old_id[SIGN_KEY_ID_LEN + 1], new_id[SIGN_KEY_ID_LEN + 1], path[PATH_MAX];
    path_of("", path);
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(keys_rotate(data, old_id, new_id), KEYS_REFUSED);
    close(fd);
    for (size_t i = 0; i < KEYS_OLD_MAX; i++)
        assert_int_equal(keys_rotate(data, old_id, new_id), 0);
    assert_int_equal(keys_rotate(data, old_id, new_id), KEYS_REFUSED);
}

static void a_signer_takes_the_new_key_and_knows_the_old_one(void **state)
{
    (void)state;
    struct keys keys;
    struct signer *s = NULL;
    struct sign_pair pair;
    uint8_t public[SIGN_PUBLIC_BYTES];
    static const uint8_t zero[SIGN_SECRET_BYTES];
    char old_id[SIGN_KEY_ID_LEN + 1], new_id[SIGN_KEY_ID_LEN + 1], path[PATH_MAX];
    assert_int_equal(keys_load(data, &keys), 0);
    assert_int_equal(signer_new(data, &keys, &s), 0);
    assert_memory_equal(keys.sign_secret, zero, sizeof zero);
    assert_int_equal(keys_rotate(data, old_id, new_id), 0);
    signer_take(s, &pair);
    assert_string_equal(pair.id, old_id); /* until it is told */
    assert_int_equal(signer_public(s, new_id, public), SIGNER_UNKNOWN);
    signer_reload(s);
    signer_take(s, &pair);
    assert_string_equal(pair.id, new_id);
    assert_int_equal(signer_public(s, old_id, public), 0);
    assert_int_equal(signer_public(s, new_id, public), 0);
    assert_memory_equal(public, pair.public, sizeof public);
    assert_int_equal(signer_public(s, "", public), SIGNER_UNKNOWN);
    path_of("sign.key", path);
    unlink(path);
    signer_reload(s); /* refused: what it has, it keeps */
    signer_take(s, &pair);
    assert_string_equal(pair.id, new_id);
    sign_pair_wipe(&pair);
    assert_memory_equal(pair.secret, zero, sizeof zero);
    signer_free(s);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(old_keys_stay_by_their_ids),
        IN_FOLDER(a_rotation_that_was_cut_off_leaves_a_broker_that_starts),
        IN_FOLDER(two_rotations_at_once_and_a_full_history_are_refused),
        IN_FOLDER(a_signer_takes_the_new_key_and_knows_the_old_one),
    };
    if (sodium_init() < 0)
        return 2;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
