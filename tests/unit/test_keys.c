/* test_keys.c: keys sort as their parts do, first part first. Every queue, ring and listing is read
 * in key order, so a key that sorts wrongly is a job served out of turn. */
#include "store_kit.h"

static int bytes_cmp(struct span a, struct span b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

/* Small and large values, equal ones often: the order of later parts must show. */
static uint64_t part(uint64_t *x, unsigned bits)
{
    uint64_t v = kit_random(x) % 4 ? kit_random(x) % 3 : kit_random(x);
    return bits == 64 ? v : v & ((1ull << bits) - 1);
}

struct parts {
    uint64_t v[4];
    struct job_id id;
};

static int parts_cmp(const struct parts *a, const struct parts *b)
{
    for (size_t i = 0; i < 4; i++)
        if (a->v[i] != b->v[i])
            return a->v[i] < b->v[i] ? -1 : 1;
    return sign(job_id_cmp(a->id, b->id));
}

static struct job_id id_random(uint64_t *x)
{
    struct job_id id;
    for (size_t i = 0; i < sizeof id.b; i++)
        id.b[i] = (uint8_t)(kit_random(x) % 2);
    return id;
}

static const uint8_t no_hash[32];

static struct span make_ready(struct key_buf *k, const struct parts *p)
{
    return key_ready(k, (uint16_t)p->v[0], p->v[1], (uint8_t)p->v[2], p->id);
}
static struct span make_ring(struct key_buf *k, const struct parts *p)
{
    return key_ring(k, (uint16_t)p->v[0], (uint8_t)p->v[1], p->v[2]);
}
static struct span make_tally(struct key_buf *k, const struct parts *p)
{
    return key_tally(k, p->v[0], (uint16_t)p->v[1]);
}
static struct span make_due(struct key_buf *k, const struct parts *p)
{
    return key_due(k, (uint8_t)p->v[0], p->v[1], p->id);
}
static struct span make_of_account(struct key_buf *k, const struct parts *p)
{
    return key_of_account(k, p->v[0], p->id);
}
static struct span make_of_app(struct key_buf *k, const struct parts *p)
{
    return key_of_app(k, p->v[0], (uint32_t)p->v[1], p->id);
}
static struct span make_of_finished(struct key_buf *k, const struct parts *p)
{
    return key_of_finished(k, p->v[0], p->id);
}
static struct span make_of_key(struct key_buf *k, const struct parts *p)
{
    return key_of_key(k, p->v[0], (uint32_t)p->v[1]);
}
static struct span make_object(struct key_buf *k, const struct parts *p)
{
    return key_object(k, (uint8_t)p->v[0], p->v[1], no_hash);
}
static struct span make_u16(struct key_buf *k, const struct parts *p)
{
    return key_u16(k, (uint16_t)p->v[0]);
}
static struct span make_u32(struct key_buf *k, const struct parts *p)
{
    return key_u32(k, (uint32_t)p->v[0]);
}
static struct span make_u64(struct key_buf *k, const struct parts *p)
{
    return key_u64(k, p->v[0]);
}

static const struct {
    const char *name;
    struct span (*make)(struct key_buf *k, const struct parts *p);
    unsigned bits[4];
    bool has_id;
    size_t bytes;
} makers[] = {
    {"ready", make_ready, {16, 64, 8}, true, 27},
    {"ring", make_ring, {16, 8, 64}, false, 11},
    {"tally", make_tally, {64, 16}, false, 10},
    {"due", make_due, {8, 64}, true, 25},
    {"of_account", make_of_account, {64}, true, 25},
    {"of_app", make_of_app, {64, 32}, true, 29},
    {"of_finished", make_of_finished, {64}, true, 25},
    {"of_key", make_of_key, {64, 32}, false, 12},
    {"object", make_object, {8, 64}, false, 41},
    {"u16", make_u16, {16}, false, 2},
    {"u32", make_u32, {32}, false, 4},
    {"u64", make_u64, {64}, false, 8},
};

static void keys_sort_as_their_parts(void **state)
{
    (void)state;
    uint64_t x = 3, pairs = 0, equal = 0;
    for (size_t m = 0; m < ARRAY_LEN(makers); m++) {
        for (unsigned n = 0; n < 20000; n++, pairs++) {
            struct parts p[2] = {0};
            struct key_buf buf[2];
            struct span key[2];
            for (size_t i = 0; i < 2; i++) {
                for (size_t v = 0; v < 4 && makers[m].bits[v]; v++)
                    p[i].v[v] = part(&x, makers[m].bits[v]);
                if (makers[m].has_id)
                    p[i].id = id_random(&x);
                key[i] = makers[m].make(&buf[i], &p[i]);
                assert_int_equal(key[i].n, makers[m].bytes);
                if (makers[m].has_id)
                    assert_int_equal(job_id_cmp(key_tail_id(key[i]), p[i].id), 0);
            }
            int want = parts_cmp(&p[0], &p[1]);
            equal += want == 0;
            if (sign(bytes_cmp(key[0], key[1])) != want)
                fail_msg("%s keys sort wrongly", makers[m].name);
        }
    }
    print_message("%llu pairs of %zu kinds, %llu of them equal\n", (unsigned long long)pairs,
                  ARRAY_LEN(makers), (unsigned long long)equal);
}

static void listings_of_one_kind_stand_together(void **state)
{
    (void)state;
    struct key_buf a, f, p;
    struct job_id id = {{0}};
    assert_int_equal(((const uint8_t *)key_of_account(&a, 1, id).p)[0], 'A');
    assert_int_equal(((const uint8_t *)key_of_finished(&f, 1, id).p)[0], 'F');
    assert_int_equal(((const uint8_t *)key_of_app(&p, 1, 1, id).p)[0], 'P');
}

static void the_same_idempotency_key_of_two_accounts_is_two_keys(void **state)
{
    (void)state;
    struct key_buf a, b;
    assert_false(span_eq(key_idem(&a, span_str("k"), 1), key_idem(&b, span_str("k"), 2)));
    assert_false(span_eq(key_idem(&a, span_str("k"), 1), key_idem(&b, span_str("kk"), 1)));
    assert_false(span_eq(key_named(&a, 1, span_str("x")), key_named(&b, 2, span_str("x"))));
    char longest[KEY_BYTES_MAX - 9];
    memset(longest, 'k', sizeof longest);
    assert_int_equal(key_idem(&a, span_of(longest, sizeof longest), 1).n, KEY_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_as_their_parts),
        cmocka_unit_test(listings_of_one_kind_stand_together),
        cmocka_unit_test(the_same_idempotency_key_of_two_accounts_is_two_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
