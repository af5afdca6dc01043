/* test_vet.c shows that two artifact threads are never at one object, and never wait for each other
 * over two. It matters because one of them may be about to delete what the other has just found. */
#undef NDEBUG
#include "edge/vet_impl.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { OBJECTS = 3, ROUNDS = 20000 };

static struct vet vet;

static int vet_setup(void **state)
{
    (void)state;
    vet = (struct vet){.work_end = &vet.work};
    pthread_mutex_init(&vet.lock, NULL);
    pthread_cond_init(&vet.left, NULL);
    for (unsigned i = 0; i < VET_THREADS; i++)
        vet.vetter[i].v = &vet;
    return 0;
}

static int vet_teardown(void **state)
{
    (void)state;
    pthread_cond_destroy(&vet.left);
    pthread_mutex_destroy(&vet.lock);
    return 0;
}

static struct artifact_id object(const char *account, uint8_t n)
{
    return (struct artifact_id){
        .kind = ROTA__OBJECT_KIND__SOURCE, .account = account, .sha256 = {n}};
}

/* ---- many rounds ---- */

static atomic_int inside[OBJECTS], rivals, together, together_most;

static void *rounds(void *arg)
{
    struct vetter *t = arg;
    unsigned at = (unsigned)(t - vet.vetter);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned n = (at * 7 + i * 5 + i / 3) % OBJECTS;
        struct artifact_id id = object("acme", (uint8_t)n);
        object_enter(t, &id);
        rivals += atomic_fetch_add(&inside[n], 1) != 0;
        int now = atomic_fetch_add(&together, 1) + 1;
        if (now > together_most)
            together_most = now;
        sched_yield();
        atomic_fetch_sub(&together, 1);
        atomic_fetch_sub(&inside[n], 1);
        object_leave(t);
    }
    return NULL;
}

static void no_object_ever_has_two_and_all_come_to_their_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VET_THREADS; i++)
        assert_int_equal(pthread_create(&vet.vetter[i].thread, NULL, rounds, &vet.vetter[i]), 0);
    for (unsigned i = 0; i < VET_THREADS; i++)
        assert_int_equal(pthread_join(vet.vetter[i].thread, NULL), 0);
    assert_int_equal(rivals, 0);
    assert_true(together_most > 1);
    print_message("%d entries of %d objects by %d threads: %d at once at most, never two at one\n",
                  VET_THREADS * ROUNDS, OBJECTS, VET_THREADS, together_most);
}

/* ---- one that takes long ---- */

static atomic_bool has_entered;

static void *enter_same(void *arg)
{
    struct artifact_id id = object("acme", 1);
    object_enter(arg, &id);
    has_entered = true;
    object_leave(arg);
    return NULL;
}

static void one_that_takes_long_holds_back_its_own_object_alone(void **state)
{
    (void)state;
    struct artifact_id slow = object("acme", 1), hash = object("acme", 2),
                       other = object("zeta", 1);
    pthread_t thread;
    object_enter(&vet.vetter[0], &slow);
    assert_int_equal(pthread_create(&thread, NULL, enter_same, &vet.vetter[1]), 0);
    object_enter(&vet.vetter[2], &hash); /* another hash, and the same one of another account */
    object_leave(&vet.vetter[2]);
    object_enter(&vet.vetter[2], &other);
    object_leave(&vet.vetter[2]);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 50000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &until), ETIMEDOUT);
    assert_false(has_entered);
    object_leave(&vet.vetter[0]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(has_entered);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, vet_setup, vet_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_object_ever_has_two_and_all_come_to_their_end),
        TEST(one_that_takes_long_holds_back_its_own_object_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
