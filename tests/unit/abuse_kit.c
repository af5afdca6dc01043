/* abuse_kit.c: see abuse_kit.h. */
#include "abuse_kit.h"

#include "engine/abuse_parts.h"

enum { SIGNAL_KEY_BYTES = 1 + SIGNAL_VALUE_BYTES + 8 };

void kit_key(struct engine_kit *k, Rota__Role role, const char *account, struct kit_key *ret_key)
{
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    create.role = role;
    create.account = (char *)account;
    create.name = (char *)"abuse kit";
    create.set_rate_case = ROTA__KEY_CREATE__SET_RATE_RATE_MINUTE;
    create.rate_minute = 0;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_string_equal(kit_error(reply), "");
    snprintf(ret_key->credential, sizeof ret_key->credential, "%s", reply->key_create->credential);
}

void kit_app(struct engine_kit *k, const char *account, const char *app)
{
    Rota__AppSet set = ROTA__APP_SET__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_APP_SET;
    request.app_set = &set;
    set.account = (char *)account;
    set.app = (char *)app;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    if (!k->may_fail || reply)
        assert_string_equal(kit_error(reply), "");
}

/* ---- publishing ---- */

static void publish_init(Rota__Publish *publish, const char *account, const char *app)
{
    rota__publish__init(publish);
    publish->account = (char *)account;
    publish->app = (char *)app;
    publish->class_ = (char *)"task";
}

const char *kit_publish_from(struct engine_kit *k, const struct kit_key *gateway,
                             const char *account, const char *app, const char *address)
{
    Rota__Publish publish;
    Rota__Origin origin = ROTA__ORIGIN__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    publish_init(&publish, account, app);
    origin.principal = (char *)"someone";
    origin.client_address = (char *)address;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    request.origin = &origin;
    Rota__Reply *reply = kit_call(k, &request, gateway->credential);
    assert_non_null(reply);
    return kit_error(reply);
}

const char *kit_publish_peer(struct engine_kit *k, const struct kit_key *key, const char *app,
                             const char *address, bool is_loopback)
{
    Rota__Publish publish;
    Rota__Request request = ROTA__REQUEST__INIT;
    publish_init(&publish, "", app);
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    struct inbound *in = kit_request(k, &request, key->credential);
    in->peer.is_ipc = !address[0];
    in->peer.is_loopback = is_loopback;
    snprintf(in->peer.address, sizeof in->peer.address, "%s", address);
    kit_turn(k, in);
    Rota__Reply *reply = kit_reply(k, k->request_id);
    assert_non_null(reply);
    return kit_error(reply);
}

Rota__PublishResult *kit_published(struct engine_kit *k)
{
    Rota__Reply *reply = kit_reply(k, k->request_id);
    assert_non_null(reply);
    assert_string_equal(kit_error(reply), "");
    return reply->publish;
}

void kit_finish_bundle(struct engine_kit *k, struct kit_lease *lease, uint8_t hash)
{
    Rota__Artifact artifact = ROTA__ARTIFACT__INIT, *list[1] = {&artifact};
    uint8_t sha256[32];
    memset(sha256, hash, sizeof sha256);
    artifact.kind = ROTA__OBJECT_KIND__BUNDLE;
    artifact.sha256 = artifact.blake2b = (ProtobufCBinaryData){sizeof sha256, sha256};
    artifact.size = 1000;
    artifact.name = (char *)"index.bundle";
    Rota__Reply *reply = kit_finish_left(k, lease, ROTA__OUTCOME__OUTCOME_SUCCEEDED, list, 1);
    assert_non_null(reply);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->finish->state, ROTA__STATE__SUCCEEDED);
}

void kit_build(struct engine_kit *k, uint8_t hash)
{
    struct kit_lease lease;
    assert_true(kit_lease(k, "w", &lease));
    kit_finish_bundle(k, &lease, hash);
}

/* ---- reviews ---- */

static unsigned signals_of(const Rota__Review *review, unsigned *ret_points)
{
    unsigned signals = 0;
    *ret_points = 0;
    for (size_t i = 0; i < review->n_evidence; i++) {
        const Rota__Evidence *e = review->evidence[i];
        signals |= 1u << (e->kind - 1);
        *ret_points += e->points;
        assert_true(strlen(e->text) > 20);
        assert_true(e->n_account <= 20 && e->n_account <= e->others && e->others > 0);
        assert_int_equal(e->value.len, (unsigned)e->kind <= ABUSE_LINKS ? SIGNAL_VALUE_BYTES : 0);
        for (size_t n = 0; n < e->n_account; n++)
            assert_string_not_equal(e->account[n], review->account);
    }
    return signals;
}

struct kit_review kit_review(struct engine_kit *k, uint64_t number)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    struct arena *arena = NULL;
    Rota__Review *review;
    assert_int_equal(arena_new(1 << 20, &arena), 0);
    assert_int_equal(review_read(txn, arena, number, true, &review), 0);
    struct kit_review out = {.review = review->review,
                             .prior = review->prior,
                             .replaced_by = review->replaced_by,
                             .cites = review->cites,
                             .state = review->state,
                             .score = review->score,
                             .at_finish = review->at_finish,
                             .made = review->n_made};
    out.signals = signals_of(review, &out.points);
    snprintf(out.account, sizeof out.account, "%s", review->account);
    snprintf(out.job, sizeof out.job, "%s", review->job);
    snprintf(out.reviewer, sizeof out.reviewer, "%s", review->reviewer);
    snprintf(out.reason, sizeof out.reason, "%s", review->reason);
    arena_free(arena);
    return out;
}

uint64_t kit_account_number(struct engine_kit *k, const char *id)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    struct account_id_row row;
    assert_int_equal(row_get(txn, &account_id_row_type, span_str(id), &row), 0);
    return row.account;
}

struct kit_review kit_review_of(struct engine_kit *k, const char *account)
{
    struct key_buf b;
    struct review_open_row row;
    uint64_t number = kit_account_number(k, account);
    {
        AUTO(txn) txn = kit_snapshot(k->store);
        if (row_get(txn, &review_open_row_type, key_u64(&b, number), &row) != 0)
            return (struct kit_review){0};
    }
    struct kit_review review = kit_review(k, row.review);
    assert_int_equal(row.state, review.state);
    assert_string_equal(review.account, account);
    return review;
}

const char *kit_decide(struct engine_kit *k, uint64_t review, Rota__ReviewState decision,
                       const char *reviewer, const char *reason)
{
    Rota__ReviewDecide q = ROTA__REVIEW_DECIDE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_REVIEW_DECIDE;
    request.review_decide = &q;
    q.review = review;
    q.decision = decision;
    q.reviewer = (char *)reviewer;
    q.reason = (char *)reason;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    assert_non_null(reply);
    if (!reply->error) {
        assert_int_equal(reply->review_decide->review->state, decision);
        assert_string_equal(reply->review_decide->review->reviewer, reviewer);
    }
    return kit_error(reply);
}

void kit_job_shown(struct engine_kit *k, const char *job, Rota__State state, const char *reason,
                   const char *by)
{
    Rota__Status q = ROTA__STATUS__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct kit_answer a;
    request.op_case = ROTA__REQUEST__OP_STATUS;
    request.status = &q;
    q.job = (char *)job;
    kit_ask(k, &request, &a);
    assert_int_equal(a.code, E_OK);
    const Rota__Job *shown = a.reply.status->job;
    assert_int_equal(shown->state, state);
    assert_string_equal(shown->reason, reason);
    assert_string_equal(shown->by, by);
    assert_int_equal(shown->since_ms != 0, state == ROTA__STATE__HELD);
    kit_answer_end(&a);
}

uint64_t kit_signals(struct engine_kit *k, uint8_t kind)
{
    AUTO(txn) txn = kit_snapshot(k->store);
    AUTO(cursor) cursor = NULL;
    struct span key, value, twin;
    uint64_t rows = 0;
    struct signal_row row, other;
    assert_int_equal(cursor_open(txn, TABLE_SIGNAL, &cursor), 0);
    for (int r = cursor_seek(cursor, span_of(&kind, 1), &key, &value);
         r == 0 && *(const uint8_t *)key.p == kind; r = cursor_next(cursor, &key, &value), rows++) {
        struct key_buf b;
        const uint8_t *at = key.p;
        assert_int_equal(key.n, SIGNAL_KEY_BYTES);
        twin = key_signal_of(&b, get_be64(at + SIGNAL_KEY_BYTES - 8), kind, at + 1);
        assert_int_equal(row_decode(&signal_row_type, key, value, &row), 0);
        assert_int_equal(row_get(txn, &signal_row_type, twin, &other), 0);
        assert_memory_equal(&row, &other, sizeof row);
    }
    return rows;
}

/* ---- a farm ---- */

const char *farm_id(unsigned i)
{
    static char id[4][16];
    static unsigned at;
    char *to = id[at++ % 4];
    snprintf(to, 16, "farm-%u", i);
    return to;
}

void farm_begin(struct kit_farm *f, struct engine_kit *k)
{
    f->k = k;
    kit_key(k, ROTA__ROLE__GATEWAY, "", &f->gateway);
}

const char *farm_publish(struct kit_farm *f, unsigned i)
{
    return kit_publish_from(f->k, &f->gateway, farm_id(i), "flower shop", FARM_ADDRESS);
}

void farm_member(struct kit_farm *f, unsigned i)
{
    kit_account(f->k, farm_id(i), ROTA__TIER__P3, 9);
    kit_app(f->k, farm_id(i), "flower shop");
    assert_string_equal(farm_publish(f, i), "");
}

void farm_build(struct kit_farm *f, unsigned i)
{
    farm_member(f, i);
    kit_build(f->k, FARM_HASH);
}

/* The fourth is held. Its review. */
struct kit_review farm_held(struct kit_farm *f, struct engine_kit *k)
{
    farm_begin(f, k);
    for (unsigned i = 0; i < 4; i++)
        farm_build(f, i);
    struct kit_review review = kit_review_of(k, farm_id(3));
    assert_int_equal(review.state, ROTA__REVIEW_STATE__REVIEW_HELD);
    assert_int_equal(review.score, 85);
    assert_true(review.at_finish);
    return review;
}

uint8_t kit_bars(struct engine_kit *k, const char *account)
{
    const struct account *a =
        cache_account_known(&k->engine->cache, kit_account_number(k, account));
    struct key_buf b;
    struct account_row row;
    AUTO(txn) txn = kit_snapshot(k->store);
    uint64_t number = kit_account_number(k, account);
    assert_int_equal(row_get(txn, &account_row_type, key_u64(&b, number), &row), 0);
    assert_true(!a || bars_kept(a->bars) == row.bars);
    return row.bars;
}

/* How many reviews the list shows, and how many of them by pages of `limit`. */
unsigned kit_reviews(struct engine_kit *k, Rota__ReviewState state, const char *account,
                     uint32_t limit)
{
    char cursor[32] = "";
    unsigned n = 0;
    uint64_t last = UINT64_MAX;
    do {
        Rota__ReviewList q = ROTA__REVIEW_LIST__INIT;
        Rota__Request request = ROTA__REQUEST__INIT;
        struct kit_answer a;
        request.op_case = ROTA__REQUEST__OP_REVIEW_LIST;
        request.review_list = &q;
        q.state = state;
        q.account = (char *)account;
        q.limit = limit;
        q.cursor = cursor;
        kit_ask(k, &request, &a);
        assert_int_equal(a.code, E_OK);
        const Rota__ReviewListResult *result = a.reply.review_list;
        assert_true(result->n_review <= limit);
        for (size_t i = 0; i < result->n_review; i++, n++) {
            const Rota__Review *review = result->review[i];
            assert_true(review->review < last);
            last = review->review;
            for (size_t e = 0; e < review->n_evidence; e++)
                assert_true(review->evidence[e]->n_account == 0 &&
                            review->evidence[e]->value.len == 0 && review->evidence[e]->text[0]);
        }
        snprintf(cursor, sizeof cursor, "%s", result->next_cursor);
        kit_answer_end(&a);
    } while (cursor[0]);
    return n;
}
