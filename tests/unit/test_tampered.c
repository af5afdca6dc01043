/* test_tampered.c: five hundred tampered downloads, from a fixed seed: files, list, statement,
 * signature, envelope and keys, changed at random places in every way of tamper.c; all must be
 * refused by name, and none may crash.
 *
 * It matters because `rota verify` is the last check before code runs on people's phones. */
#undef NDEBUG
#include "tamper.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { TAMPERINGS = 500, WAYS_MAX = 64 };

static struct trusted_key trusted[2];
static struct kit_folder one, two;

static void five_hundred_tamperings_are_refused(void **state)
{
    (void)state;
    char *dir = kit_dir();
    unsigned refused = 0, by_way[WAYS_MAX] = {0};
    for (size_t i = 0; i < TAMPERINGS; i++) {
        size_t way = i % tamper_ways;
        kit_write(tamper(way), dir);
        enum error_code code = kit_verify(dir, trusted, 2);
        if (code == E_OK)
            fail_msg("tampering %zu, %s, was not seen", i, tamper_name(way));
        by_way[way]++;
        refused++;
    }
    kit_write(&one, dir);
    assert_int_equal(kit_verify(dir, trusted, 2), E_OK);
    kit_dir_remove(dir);
    for (size_t i = 0; i < tamper_ways; i++)
        printf("%u %s\n", by_way[i], tamper_name(i));
    printf("%u of %d tampered downloads refused, in %zu ways\n", refused, TAMPERINGS, tamper_ways);
}

/* A rotation between two builds: each verifies by the key that signed it. */
static void builds_around_a_change_of_keys_verify_by_both_keys(void **state)
{
    (void)state;
    char *dir = kit_dir();
    const struct trusted_key wrong[] = {tamper_stranger.trusted};
    const struct kit_folder *const builds[] = {&one, &two};
    for (size_t i = 0; i < 2; i++) {
        kit_write(builds[i], dir);
        assert_int_equal(kit_verify(dir, trusted, 2), E_OK);
        assert_int_equal(kit_verify(dir, &trusted[i], 1), E_OK);
        assert_int_equal(kit_verify(dir, &trusted[!i], 1), E_SIGNATURE_INVALID);
        assert_int_equal(kit_verify(dir, wrong, 1), E_SIGNATURE_INVALID);
    }
    kit_dir_remove(dir);
    printf("2 builds, 2 keys: 2 of 2 verify by the set, 0 of 2 by the other's key alone\n");
}

static int group_setup(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return 1;
    kit_key_make(1, &tamper_keys[0]);
    kit_key_make(2, &tamper_keys[1]);
    kit_key_make(3, &tamper_stranger);
    trusted[0] = tamper_keys[0].trusted;
    trusted[1] = tamper_keys[1].trusted;
    kit_make(&(struct kit_build){"job_01", "shop", "acme", "test", 1, &tamper_keys[0]}, &one);
    kit_make(&(struct kit_build){"job_02", "shop", "acme", "test", 2, &tamper_keys[1]}, &two);
    tamper_begin(&one, &two);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_hundred_tamperings_are_refused),
        cmocka_unit_test(builds_around_a_change_of_keys_verify_by_both_keys),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
