/* keys_random.c: keys and members under a random life, from a seed, beside a model that knows the
 * rules in its own words: who may make which key, what a key may do, what is left of its quota.
 *
 * Keys come and go, make keys, publish, run out; members change their role; jobs end in every way;
 * the broker is killed and starts again; and the store is so small that whole turns are undone.
 * After every act: the engine let in what the model lets in, and nothing else. Now and then all
 * counters are computed anew from the jobs. Prints what it counted. argv: seeds, steps a seed. */
#include "unit/key_kit.h"

enum { MAP_BYTES = 2 << 20, KEYS_KNOWN = 48, MEMBERS_KNOWN = 6, JOBS_KNOWN = 64, ROLES = 3 };

/* The bits of docs/KEYS.md, in its order. */
enum {
    B_CREATE = 1,
    B_READ = 2,
    B_CONTROL = 4,
    B_MAP = 8,
    B_APP_READ = 16,
    B_APP_WRITE = 32,
    B_KEY_WRITE = 1 << 10,
    B_MEMBER_WRITE = 1 << 12,
};
static const uint32_t bits[] = {B_CREATE,   B_READ,      B_CONTROL,   B_MAP,
                                B_APP_READ, B_APP_WRITE, B_KEY_WRITE, B_MEMBER_WRITE};
/* What a member's keys may carry, of these: by 0 nobody, owner, admin, member. */
static const uint32_t member_most[] = {0, UINT32_MAX, UINT32_MAX,
                                       B_CREATE | B_READ | B_CONTROL | B_MAP | B_APP_READ};

struct known_key {
    struct kit_key key;
    uint32_t scopes;
    int member; /* -1: nobody's */
    bool is_revoked, for_shop;
    uint64_t quota;
};

struct life {
    struct engine_kit k;
    uint64_t random;
    struct known_key keys[KEYS_KNOWN];
    unsigned keys_n;
    int members[MEMBERS_KNOWN]; /* their roles; 0: none */
    char jobs[JOBS_KNOWN][40];
    uint64_t made, refused, published, quota, acts, full, restarts, checks, shrunk;
};

static unsigned pick(struct life *l, unsigned n)
{
    return (unsigned)(kit_random(&l->random) % n);
}

static const char *email_of(int member)
{
    static char email[32];
    snprintf(email, sizeof email, "m%d@example.org", member);
    return email;
}

/* One in force more often than not. */
static struct known_key *some_key(struct life *l)
{
    struct known_key *key = NULL;
    for (int i = 0; i < 4 && l->keys_n && (!key || key->is_revoked); i++)
        key = &l->keys[pick(l, l->keys_n)];
    return key;
}

static unsigned owners(const struct life *l)
{
    unsigned n = 0;
    for (int i = 0; i < MEMBERS_KNOWN; i++)
        n += l->members[i] == 1;
    return n;
}

/* The act was not done for want of room: it must have changed nothing. */
static bool was_full(struct life *l, const char *error)
{
    bool full = strcmp(error, "STORE_FULL") == 0;
    l->full += full;
    return full;
}

/* The rank that a caller counts as: 1 owner, 2 admin, 3 member. */
static int rank_of(const struct life *l, const struct known_key *caller)
{
    return !caller || caller->member < 0 ? 1 : l->members[caller->member];
}

static bool is_alive(const struct known_key *key, uint32_t scope)
{
    return !key || (!key->is_revoked && key->scopes & scope);
}

/* ---- members ---- */

static void members_follow(struct life *l, int member, int role)
{
    l->members[member] = role;
    for (unsigned i = 0; i < l->keys_n; i++) {
        struct known_key *key = &l->keys[i];
        if (key->member != member || key->is_revoked)
            continue;
        uint32_t left = key->scopes & member_most[role];
        l->shrunk += left != key->scopes;
        key->scopes = left;
        key->is_revoked = !left;
    }
}

static void do_member(struct life *l)
{
    struct known_key *caller = pick(l, 3) ? some_key(l) : NULL;
    int member = (int)pick(l, MEMBERS_KNOWN), role = (int)pick(l, ROLES + 1);
    int was = l->members[member];
    const char *as = caller ? caller->key.credential : NULL;
    const char *error =
        role ? kit_member_set(&l->k, as, "acme", email_of(member), (Rota__MemberRole)role)
             : kit_member_remove(&l->k, as, "acme", email_of(member));
    bool is_owners = was == 1 || role == 1;
    bool may = is_alive(caller, B_MEMBER_WRITE) && !(caller && caller->for_shop) && (was || role) &&
               (!is_owners || rank_of(l, caller) == 1) &&
               !(was == 1 && role != 1 && owners(l) == 1);
    if (was_full(l, error))
        return;
    assert_int_equal(*error == '\0', may);
    l->acts++;
    if (may)
        members_follow(l, member, role);
}

/* ---- keys ---- */

static uint32_t scopes_pick(struct life *l, char text[320])
{
    uint32_t scopes = 0;
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        if (!pick(l, 3))
            scopes |= bits[i];
    scopes_text(scopes, text, 320);
    return scopes;
}

static bool may_make(const struct life *l, const struct known_key *caller, uint32_t scopes,
                     int member, bool for_shop)
{
    static const uint32_t of_app = B_CREATE | B_READ | B_CONTROL | B_MAP | B_APP_READ | B_APP_WRITE;
    uint32_t most = UINT32_MAX;
    if (!is_alive(caller, B_KEY_WRITE) || (caller && caller->for_shop))
        return false;
    if (member < 0 && caller)
        member = caller->member;
    if (member >= 0 && (!l->members[member] || l->members[member] < rank_of(l, caller)))
        return false;
    if (member >= 0)
        most &= member_most[l->members[member]];
    if (for_shop)
        most &= of_app;
    uint32_t mine = caller ? caller->scopes : UINT32_MAX;
    if (!scopes)
        return ((B_CREATE | B_READ) & most & mine) != 0;
    return !(scopes & ~most) && !(scopes & ~mine);
}

static void key_note(struct life *l, const struct kit_key *key, int member, bool for_shop)
{
    bool is_full = l->keys_n == KEYS_KNOWN;
    unsigned at = is_full ? pick(l, KEYS_KNOWN) : l->keys_n++;
    for (unsigned i = 0; i < KEYS_KNOWN && is_full; i++)
        at = l->keys[i].is_revoked ? i : at;
    struct known_key *to = &l->keys[at];
    uint32_t scopes = 0;
    for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
        char name[40];
        if (strstr(key->scopes, scopes_text(bits[i], name, sizeof name)))
            scopes |= bits[i];
    }
    *to = (struct known_key){.key = *key,
                             .scopes = scopes,
                             .member = member,
                             .for_shop = for_shop,
                             .quota = key->builds_month};
}

static void do_create(struct life *l)
{
    struct known_key *caller = pick(l, 2) ? some_key(l) : NULL;
    char scopes[320];
    struct kit_key key;
    uint32_t asked = pick(l, 4) ? scopes_pick(l, scopes) : (scopes[0] = '\0', 0);
    int member = pick(l, 2) ? (int)pick(l, MEMBERS_KNOWN) : -1;
    bool for_shop = !pick(l, 6);
    struct kit_wish wish = {.account = "acme",
                            .as = caller ? caller->key.credential : NULL,
                            .scopes = scopes,
                            .member = member >= 0 ? email_of(member) : NULL,
                            .app = for_shop ? "shop" : NULL,
                            .has_rate = true,
                            .builds_month = pick(l, 2) ? 1 + pick(l, 4) : 0};
    uint64_t mine = caller ? caller->quota : 0;
    bool may = may_make(l, caller, asked, member, for_shop) && !(mine && wish.builds_month > mine);
    const char *error = kit_key_try(&l->k, &wish, &key);
    if (was_full(l, error))
        return;
    assert_int_equal(*error == '\0', may);
    l->made += may;
    l->refused += !may;
    if (!may)
        return;
    if (member < 0 && caller)
        member = caller->member;
    key_note(l, &key, member, for_shop);
}

static void do_revoke(struct life *l)
{
    struct known_key *caller = pick(l, 2) ? some_key(l) : NULL, *key = some_key(l);
    if (!key)
        return;
    bool may = is_alive(caller, B_KEY_WRITE) && !(caller && caller->for_shop) &&
               (rank_of(l, caller) == 1 || key->member < 0 || l->members[key->member] != 1);
    const char *error = kit_revoke(&l->k, caller ? caller->key.credential : NULL, key->key.serial);
    if (was_full(l, error))
        return;
    assert_int_equal(*error == '\0', may);
    if (may)
        key->is_revoked = true;
    l->acts++;
}

/* ---- jobs ---- */

/* What the jobs themselves say of a key. */
struct recount {
    uint64_t builds, month_builds, ended[ROTA__STATE__DEAD + 1];
};

static void job_recount(struct txn *txn, struct span key, struct span value, uint32_t serial,
                        struct recount *rc)
{
    struct job_row row;
    struct done_row done = {0};
    assert_int_equal(row_decode(&job_row_type, key, value, &row), 0);
    if (row.key_serial != serial)
        return;
    int r = row_get(txn, &done_row_type, key, &done);
    rc->builds++;
    rc->month_builds += !(r == 0 && done.is_refunded);
    if (r == 0)
        rc->ended[done.state]++;
}

static struct recount key_recount(struct life *l, uint32_t serial)
{
    AUTO(txn) txn = kit_snapshot(l->k.store);
    AUTO(cursor) cursor = NULL;
    struct span key, value;
    struct recount rc = {0};
    assert_int_equal(cursor_open(txn, TABLE_JOB, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of("", 0), &key, &value); r == 0;
         r = cursor_next(cursor, &key, &value))
        job_recount(txn, key, value, serial, &rc);
    return rc;
}

static void do_publish(struct life *l)
{
    struct known_key *key = some_key(l);
    static char *const apps[] = {(char *)"shop", (char *)"till"};
    char *app = apps[pick(l, 2)];
    if (!key)
        return;
    uint64_t used = key->quota ? key_recount(l, key->key.serial).month_builds : 0;
    const char *expected = key->is_revoked                    ? "KEY_REVOKED"
                           : !(key->scopes & B_CREATE)        ? "SCOPE_MISSING"
                           : key->for_shop && app == apps[1]  ? "KEY_APP"
                           : key->quota && used >= key->quota ? "KEY_QUOTA"
                                                              : "";
    const char *error = kit_publish_as(&l->k, key->key.credential, app);
    if (was_full(l, error))
        return;
    if (strcmp(error, expected) != 0) {
        fprintf(stderr, "publish: \"%s\", expected \"%s\"\n", error, expected);
        abort();
    }
    l->quota += strcmp(error, "KEY_QUOTA") == 0;
    if (*error)
        return;
    l->published++;
    snprintf(l->jobs[pick(l, JOBS_KNOWN)], sizeof l->jobs[0], "%s", kit_job);
}

/* Cancelled, tried again, or run to one of its ends. */
static void do_job(struct life *l)
{
    const char *job = l->jobs[pick(l, JOBS_KNOWN)];
    struct kit_lease lease;
    Rota__Retry retry = ROTA__RETRY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    if (*job && pick(l, 2)) {
        kit_cancel(&l->k, job);
        return;
    }
    if (*job && pick(l, 2)) {
        request.op_case = ROTA__REQUEST__OP_RETRY;
        request.retry = &retry;
        retry.job = (char *)job;
        kit_call(&l->k, &request, NULL);
        return;
    }
    if (kit_lease(&l->k, "w", &lease))
        kit_finish(&l->k, &lease, (Rota__Outcome)(1 + pick(l, 3)));
}

/* Somebody else's large job: towards the end of its life the store is full. */
static void do_fill(struct life *l)
{
    static uint8_t spec[12000];
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    memset(spec, ' ', sizeof spec);
    spec[0] = '{';
    spec[sizeof spec - 1] = '}';
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = (char *)"task";
    publish.spec = (ProtobufCBinaryData){sizeof spec, spec};
    was_full(l, kit_error(kit_call(&l->k, &request, NULL)));
}

static void do_silence(struct life *l)
{
    struct kit_lease lease;
    kit_lease(&l->k, "w", &lease); /* and never a word again */
    kit_pass(&l->k, 31000);
}

static void do_restart(struct life *l)
{
    engine_kit_restart(&l->k);
    l->restarts++;
}

/* ---- checks ---- */

static void check_key(struct life *l, const struct known_key *key)
{
    struct recount rc = key_recount(l, key->key.serial);
    if (key->quota) { /* what stands in the store is exact at any moment */
        struct key_use_row row = kit_key_use_row(&l->k, key->key.serial);
        assert_int_equal(row.builds, rc.builds);
        assert_int_equal(row.month_builds, rc.month_builds);
        assert_int_equal(row.succeeded, rc.ended[ROTA__STATE__SUCCEEDED]);
        assert_int_equal(row.failed, rc.ended[ROTA__STATE__FAILED]);
        assert_int_equal(row.timed_out, rc.ended[ROTA__STATE__TIMED_OUT]);
        assert_int_equal(row.cancelled, rc.ended[ROTA__STATE__CANCELLED]);
        assert_int_equal(row.dead, rc.ended[ROTA__STATE__DEAD]);
        l->checks++;
    }
}

static void check(struct life *l)
{
    kit_check(&l->k);
    assert_int_equal(l->k.fault, 0);
    for (unsigned i = 0; i < l->keys_n; i++)
        check_key(l, &l->keys[i]);
    assert_int_equal(kit_rows(&l->k, TABLE_KEY), kit_rows(&l->k, TABLE_KEY_OF));
    assert_int_equal(kit_rows(&l->k, TABLE_KEY), kit_rows(&l->k, TABLE_KEY_SERIAL));
    unsigned members = 0;
    for (int i = 0; i < MEMBERS_KNOWN; i++)
        members += l->members[i] != 0;
    assert_int_equal(kit_rows(&l->k, TABLE_MEMBER), members);
}

static const struct {
    void (*run)(struct life *l);
    unsigned weight;
} deeds[] = {{do_member, 12}, {do_create, 14}, {do_revoke, 2},  {do_publish, 40},
             {do_job, 24},    {do_fill, 10},   {do_silence, 2}, {do_restart, 1}};

static void step(struct life *l)
{
    unsigned sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
        sum += deeds[i].weight;
    unsigned at = pick(l, sum);
    size_t i = 0;
    for (; at >= deeds[i].weight; i++)
        at -= deeds[i].weight;
    deeds[i].run(l);
}

static void live(uint64_t seed, unsigned steps, struct life *total)
{
    static struct life l;
    l = (struct life){.random = seed * 0x9e3779b97f4a7c15ull + 1};
    engine_kit_setup(&l.k, MAP_BYTES);
    l.k.may_fail = true; /* a lease may be refused for want of room */
    kit_account(&l.k, "acme", ROTA__TIER__P0, 8);
    assert_string_equal(kit_app(&l.k, NULL, "acme", "shop"), "");
    assert_string_equal(kit_app(&l.k, NULL, "acme", "till"), "");
    for (unsigned i = 0; i < steps; i++) {
        step(&l);
        if (i % 50 == 49)
            check(&l);
    }
    engine_kit_teardown(&l.k);
    total->made += l.made;
    total->refused += l.refused;
    total->published += l.published;
    total->quota += l.quota;
    total->acts += l.acts;
    total->full += l.full;
    total->restarts += l.restarts;
    total->checks += l.checks;
    total->shrunk += l.shrunk;
}

int main(int argc, char **argv)
{
    unsigned seeds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 6;
    unsigned steps = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1500;
    static struct life total;
    for (unsigned seed = 1; seed <= seeds; seed++) {
        fprintf(stderr, "seed %u\r", seed);
        live(seed, steps, &total);
    }
    printf("%u seeds of %u steps: %llu keys made, %llu refused, %llu shrunk, %llu acts on members "
           "and keys, %llu published, %llu stopped by a quota, %llu for want of room, %llu "
           "restarts, %llu keys recounted\n",
           seeds, steps, (unsigned long long)total.made, (unsigned long long)total.refused,
           (unsigned long long)total.shrunk, (unsigned long long)total.acts,
           (unsigned long long)total.published, (unsigned long long)total.quota,
           (unsigned long long)total.full, (unsigned long long)total.restarts,
           (unsigned long long)total.checks);
    fflush(stdout);
    assert(total.made && total.refused && total.shrunk && total.published && total.quota);
    assert(total.full && total.restarts && total.checks);
    return 0;
}
