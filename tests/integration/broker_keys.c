/* broker_keys.c: keys at a real rotad, through both of its lanes.
 *
 * Shows: every operation is answered by somebody and asks for its scope first; the app's own code
 * is downloaded with sourcemap:read alone; a key that has made its requests waits in librota until
 * the next is free, without hammering; a member who is removed loses a parked watch; what a key has
 * done survives a clean stop. Why it matters: each lane asks by itself, so each could forget to. */
#include "broker_group.h"
#include "object_kit.h"

#include "ops.h"

#include <base/clock.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* A key of account "maker" with these scopes (NULL-terminated). */
static struct rota_client *keyed(const char *const *scopes, uint32_t rate, uint32_t *ret_serial)
{
    Rota__Request r;
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    create.account = text("maker");
    create.role = ROTA__ROLE__ACCOUNT;
    create.scope = (char **)(uintptr_t)scopes;
    while (scopes[create.n_scope])
        create.n_scope++;
    create.set_rate_case = ROTA__KEY_CREATE__SET_RATE_RATE_MINUTE;
    create.rate_minute = rate;
    Rota__Reply *reply = must(rig.root, ASK(r, KEY_CREATE, key_create, &create));
    struct rota_client *c = rig_client(&rig, reply->key_create->credential);
    if (ret_serial)
        *ret_serial = reply->key_create->key->serial;
    rota_reply_free(reply);
    return c;
}

static int makers_up(void **state)
{
    int code = group_up(state);
    rig_account(&rig, "maker", ROTA__TIER__P1, 50);
    return code;
}

/* ---- every operation ---- */

/* The error's name, or "". */
static void ask_empty(struct rota_client *c, const struct op_row *op, char error[40])
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field(&rota__request__descriptor, op->tag);
    const ProtobufCMessageDescriptor *type = f->descriptor;
    union {
        uint64_t align;
        uint8_t bytes[1024];
    } message;
    Rota__Request request = ROTA__REQUEST__INIT;
    void *at = &message;
    assert_true(type->sizeof_message <= sizeof message);
    type->message_init(at);
    memcpy((char *)&request + f->offset, &at, sizeof at);
    request.op_case = (Rota__Request__OpCase)op->tag;
    Rota__Reply *reply = call(c, &request);
    snprintf(error, 40, "%s", reply->error ? reply->error->name : "");
    rota_reply_free(reply);
}

static void test_every_operation_has_somebody_who_answers_it(void **state)
{
    (void)state;
    char error[40];
    unsigned ops = 0, missing = 0;
    for (const struct op_row *op; (op = op_row(ROTA__REQUEST__OP_PING + ops)); ops++) {
        ask_empty(rig.root, op, error);
        if (strcmp(error, "OPERATION_UNKNOWN") != 0)
            continue;
        print_error("no handler: %s\n", op->name);
        missing++;
    }
    printf("%u operations, %u without a handler\n", ops, missing);
    assert_int_equal(missing, 0);
}

static void test_every_operation_asks_for_its_scope_in_its_lane(void **state)
{
    (void)state;
    static const char *const scopes[] = {"account:read", NULL};
    struct rota_client *c = keyed(scopes, 0, NULL);
    char error[40];
    unsigned asked[OP_LANES] = {0}, refused_n[OP_LANES] = {0};
    const struct op_row *op;
    for (uint32_t i = 1; (op = op_row(ROTA__REQUEST__OP_PING + i)); i++) {
        bool may = op->scopes & SCOPE_ACCOUNT_READ;
        const char *due = !(op->roles & R_A) ? "NOT_ALLOWED" : may ? "" : "SCOPE_MISSING";
        ask_empty(c, op, error);
        if (may ? !strcmp(error, "NOT_ALLOWED") || !strcmp(error, "SCOPE_MISSING")
                : strcmp(error, due) != 0)
            fail_msg("%s: \"%s\", \"%s\" was due", op->name, error, due);
        asked[op->lane]++;
        refused_n[op->lane] += !may;
    }
    printf("turn: %u of %u refused; readers: %u of %u\n", refused_n[LANE_TURN], asked[LANE_TURN],
           refused_n[LANE_READ], asked[LANE_READ]);
    rota_client_free(c);
}

/* ---- downloads ---- */

static const Rota__ObjectKind kinds[] = {ROTA__OBJECT_KIND__BUNDLE, ROTA__OBJECT_KIND__MAP,
                                         ROTA__OBJECT_KIND__BUILD_LOG};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void build(char job[32])
{
    static struct body body[KINDS], source;
    Rota__Artifact artifact[KINDS], *list[KINDS];
    char error[40];
    Rota__Request r;
    Rota__Reply *leased;
    body_init(&source);
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &source);
    publish_source(rig.root, "maker", source.source, job, error);
    assert_string_equal(error, "");
    Rota__LeasedJob *got = lease_bundle(rig.root, &leased);
    assert_non_null(got);
    for (size_t i = 0; i < KINDS; i++) {
        body_init(&body[i]);
        upload(rig.root, got->lease, kinds[i], &body[i]);
        rota__artifact__init(&artifact[i]);
        artifact[i].kind = kinds[i];
        artifact[i].sha256 = (ProtobufCBinaryData){32, body[i].sha256};
        artifact[i].blake2b = (ProtobufCBinaryData){32, body[i].blake2b};
        artifact[i].size = BODY_BYTES;
        artifact[i].name = text("a-file");
        list[i] = &artifact[i];
    }
    Rota__Finish finish = ROTA__FINISH__INIT;
    finish.lease = got->lease;
    finish.outcome = ROTA__OUTCOME__OUTCOME_SUCCEEDED;
    finish.artifact = list;
    finish.n_artifact = KINDS;
    rota_reply_free(must(rig.root, ASK(r, FINISH, finish, &finish)));
    rota_reply_free(leased);
}

static void test_the_apps_own_code_needs_a_scope_of_its_own(void **state)
{
    (void)state;
    static const char *const reader[] = {"build:read", NULL},
                             *const maps[] = {"sourcemap:read", NULL},
                             *const creator[] = {"build:create", NULL};
    static const struct {
        const char *const *scopes;
        const char *error[KINDS]; /* of bundle, map, log */
    } rows[] = {{reader, {"", "SCOPE_MISSING", ""}},
                {maps, {"SCOPE_MISSING", "", "SCOPE_MISSING"}},
                {creator, {"SCOPE_MISSING", "SCOPE_MISSING", "SCOPE_MISSING"}}};
    char job[32], waiting[32], error[40];
    struct body source;
    build(job);
    body_init(&source);
    upload(rig.root, NULL, ROTA__OBJECT_KIND__SOURCE, &source);
    publish_source(rig.root, "maker", source.source, waiting, error);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rota_client *c = keyed(rows[i].scopes, 0, NULL);
        for (size_t k = 0; k < KINDS; k++) {
            Rota__Reply *reply = download(c, job, kinds[k], NULL);
            assert_string_equal(reply->error ? reply->error->name : "", rows[i].error[k]);
            rota_reply_free(reply);
        }
        Rota__Reply *reply = download(c, waiting, ROTA__OBJECT_KIND__SOURCE, NULL);
        assert_string_equal(reply->error ? reply->error->name : "",
                            rows[i].scopes == maps ? "" : "SCOPE_MISSING");
        rota_reply_free(reply);
        rota_client_free(c);
    }
    printf("%zu downloads, each let in or refused as its kind says\n",
           sizeof rows / sizeof *rows * (KINDS + 1));
    bundles_drain(rig.root);
}

/* ---- the rate ---- */

static void test_librota_waits_for_the_next_request_and_does_not_hammer(void **state)
{
    (void)state;
    static const char *const scopes[] = {"build:read", NULL};
    enum { RATE = 120, MORE = 4 };
    Rota__Request r;
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__KeyUsage usage = ROTA__KEY_USAGE__INIT;
    Rota__List list = ROTA__LIST__INIT;
    struct rota_client *patient = NULL;
    create.account = text("maker");
    create.role = ROTA__ROLE__ACCOUNT;
    create.scope = (char **)(uintptr_t)scopes;
    create.n_scope = 1;
    create.set_rate_case = ROTA__KEY_CREATE__SET_RATE_RATE_MINUTE;
    create.rate_minute = RATE;
    Rota__Reply *made = must(rig.root, ASK(r, KEY_CREATE, key_create, &create));
    usage.serial = made->key_create->key->serial;
    struct rota_client_config config = {.url = rig.url,
                                        .environment = "test",
                                        .credential = made->key_create->credential,
                                        .timeout_ms = 20000};
    assert_int_equal(rota_client_new(&config, &patient), 0);
    struct rota_client *hasty = rig_client(&rig, made->key_create->credential);
    unsigned let_in = 0, refused_n = 0;
    for (int i = 0; i < RATE + 20; i++) {
        Rota__Reply *reply = call(hasty, ASK(r, LIST, list, &list));
        let_in += !reply->error;
        refused_n += reply->error && strcmp(reply->error->name, "RATE_LIMITED") == 0 &&
                     reply->error->retryable && strstr(reply->error->text, "free at") != NULL;
        rota_reply_free(reply);
    }
    assert_int_equal(let_in + refused_n, RATE + 20);
    assert_in_range(let_in, RATE, RATE + 10);
    uint64_t from_ms = clock_boot_ms();
    for (int i = 0; i < MORE; i++) /* refused, a pause of a second, let in */
        rota_reply_free(must(patient, ASK(r, LIST, list, &list)));
    uint64_t took_ms = clock_boot_ms() - from_ms;
    Rota__Reply *reply = must(rig.root, ASK(r, KEY_USAGE, key_usage, &usage));
    assert_int_equal(reply->key_usage->requests, let_in + MORE);
    printf("%u let in, %u refused; %d more in %.1f s\n", let_in, refused_n, MORE,
           (double)took_ms / 1000);
    assert_in_range(took_ms, 900, 15000);
    rota_reply_free(reply);
    rota_reply_free(made);
    rota_client_free(patient);
    rota_client_free(hasty);
}

/* A long poll is not counted: a page of events a second is what the broker itself paces. */
static void test_watching_does_not_use_up_the_rate(void **state)
{
    (void)state;
    static const char *const scopes[] = {"build:read", NULL};
    Rota__Request r;
    Rota__Watch watch = ROTA__WATCH__INIT;
    Rota__List list = ROTA__LIST__INIT;
    struct rota_client *c = keyed(scopes, 5, NULL);
    for (int i = 0; i < 50; i++)
        rota_reply_free(must(c, ASK(r, WATCH, watch, &watch)));
    for (int i = 0; i < 5; i++)
        rota_reply_free(must(c, ASK(r, LIST, list, &list)));
    must_fail(c, ASK(r, LIST, list, &list), "RATE_LIMITED");
    rota_reply_free(must(c, ASK(r, WATCH, watch, &watch)));
    rota_client_free(c);
}

/* ---- members ---- */

struct watcher {
    struct rota_client *client;
    char error[40];
};

static void *watch_main(void *arg)
{
    struct watcher *w = arg;
    Rota__Request r;
    Rota__Watch watch = ROTA__WATCH__INIT;
    watch.from = 1ull << 60;
    watch.wait_ms = 15000;
    Rota__Reply *reply = call(w->client, ASK(r, WATCH, watch, &watch));
    snprintf(w->error, sizeof w->error, "%s", reply->error ? reply->error->name : "");
    rota_reply_free(reply);
    return NULL;
}

static void member_set(const char *email, Rota__MemberRole role)
{
    Rota__Request r;
    Rota__MemberSet set = ROTA__MEMBER_SET__INIT;
    set.account = text("maker");
    set.email = text(email);
    set.role = role;
    rota_reply_free(must(rig.root, ASK(r, MEMBER_SET, member_set, &set)));
}

static void test_a_member_who_goes_loses_his_parked_watch(void **state)
{
    (void)state;
    Rota__Request r;
    pthread_t thread;
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__MemberRemove gone = ROTA__MEMBER_REMOVE__INIT;
    Rota__List list = ROTA__LIST__INIT;
    member_set("olga@example.org", ROTA__MEMBER_ROLE__OWNER);
    member_set("bob@example.org", ROTA__MEMBER_ROLE__MEMBER);
    create.account = gone.account = text("maker");
    create.member = gone.email = text("bob@example.org");
    create.role = ROTA__ROLE__ACCOUNT;
    Rota__Reply *made = must(rig.root, ASK(r, KEY_CREATE, key_create, &create));
    struct watcher w = {.client = rig_client(&rig, made->key_create->credential)};
    assert_int_equal(pthread_create(&thread, NULL, watch_main, &w), 0);
    for (int i = 0; i < 50; i++) /* parked by then, or refused when it comes */
        rota_reply_free(must(rig.root, ASK(r, LIST, list, &list)));
    uint64_t from_ms = clock_boot_ms();
    rota_reply_free(must(rig.root, ASK(r, MEMBER_REMOVE, member_remove, &gone)));
    pthread_join(thread, NULL);
    assert_string_equal(w.error, "KEY_REVOKED");
    assert_true(clock_boot_ms() - from_ms < 5000);
    must_fail(w.client, ASK(r, LIST, list, &list), "KEY_REVOKED");
    rota_client_free(w.client);
    rota_reply_free(made);
}

/* ---- a stop ---- */

static void test_what_a_key_has_done_survives_a_clean_stop(void **state)
{
    (void)state;
    static const char *const scopes[] = {"build:read", NULL};
    Rota__Request r;
    Rota__List list = ROTA__LIST__INIT;
    Rota__KeyUsage usage = ROTA__KEY_USAGE__INIT;
    struct rota_client *c = keyed(scopes, 0, &usage.serial);
    for (int i = 0; i < 37; i++)
        rota_reply_free(must(c, ASK(r, LIST, list, &list)));
    rota_client_free(c);
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig_start(&rig, NULL);
    Rota__Reply *reply = must(rig.root, ASK(r, KEY_USAGE, key_usage, &usage));
    assert_int_equal(reply->key_usage->requests, 37);
    assert_true(reply->key_usage->key->last_used_ms > 0);
    rota_reply_free(reply);
}

int main(int argc, char **argv)
{
    if (argc != 2 || sodium_init() < 0)
        return 2;
    group_init(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation_has_somebody_who_answers_it),
        cmocka_unit_test(test_every_operation_asks_for_its_scope_in_its_lane),
        cmocka_unit_test(test_the_apps_own_code_needs_a_scope_of_its_own),
        cmocka_unit_test(test_librota_waits_for_the_next_request_and_does_not_hammer),
        cmocka_unit_test(test_watching_does_not_use_up_the_rate),
        cmocka_unit_test(test_a_member_who_goes_loses_his_parked_watch),
        cmocka_unit_test(test_what_a_key_has_done_survives_a_clean_stop),
    };
    return cmocka_run_group_tests(tests, makers_up, group_down);
}
