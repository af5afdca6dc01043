/* test_engine_misuse.c: requests of the right form that a careless or hostile client sends: names
 * too long to be loaded again, repeated and lost messages, a key revoked in the same batch as its
 * use. Shown here because each of them would cost somebody else a job, a start of the broker, or an
 * answer. */
#include "engine_calls.h"

/* ---- names ---- */

/* The wire refuses longer names by their field; the engine looks again, because what is stored
 * under a longer key than can be loaded would keep the broker from ever starting again. */
static void a_name_too_long_for_a_class_is_refused_and_the_broker_starts_again(void **state)
{
    struct engine_kit *k = *state;
    struct call c;
    char name[65] = "";
    memset(name, 'x', 33);
    char *classes[] = {name};
    lease_fill(&c, "w", 1)->lease.class_ = classes;
    assert_string_equal(kit_error(kit_call(k, &c.request, NULL)), "FIELD_TOO_LONG");
    lease_fill(&c, "w", 1)->lease.pool = name;
    c.lease.class_ = (char *[]){(char *)"mine"};
    assert_string_equal(kit_error(kit_call(k, &c.request, NULL)), "FIELD_TOO_LONG");
    beat_fill(&c, "w", NULL, "")->beat.class_ = classes;
    assert_string_equal(kit_error(kit_call(k, &c.request, NULL)), "FIELD_TOO_LONG");
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = call_task[0];
    publish.class_ = name;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "FIELD_TOO_LONG");
    publish.class_ = (char *)"no worker can offer this";
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "FIELD_INVALID");
    name[32] = '\0'; /* the longest that there may be */
    publish.class_ = name;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    lease_fill(&c, "w", 2)->lease.class_ = classes;
    Rota__Reply *reply = kit_call(k, &c.request, NULL);
    assert_string_equal(kit_error(reply), "");
    assert_int_equal(reply->lease->n_job, 1);
    engine_kit_restart(k);
    kit_check(k);
    assert_int_equal(kit_rows(k, TABLE_CLASS), 3);
    assert_int_equal(kit_rows(k, TABLE_POOL), 3);
}

/* A text that is cut to fit must stay UTF-8, or clients in other languages cannot read the job. */
static void a_long_progress_text_is_cut_between_characters(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    char message[257] = "";
    for (size_t i = 0; i + 3 <= 255; i += 3)
        memcpy(message + i, "\xe2\x9c\x93", 3);
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    kit_call(k, &beat_fill(&c, "w", &l, message)->request, NULL);
    struct board_lease seen, again;
    struct job_id id;
    assert_int_equal(job_id_parse(l.job, &id), 0);
    assert_int_equal(board_lease(k->board, id, &seen), 0);
    assert_int_equal(strlen(seen.message), PROGRESS_TEXT_MAX / 3 * 3);
    kit_call(k, &beat_fill(&c, "w", &l, message)->request, NULL);
    assert_int_equal(board_lease(k->board, id, &again), 0);
    assert_int_equal(again.version, seen.version); /* nothing new, so nobody is woken */
}

/* ---- repeated and lost messages ---- */

static void a_repeated_finish_and_lease_gets_the_same_job_again(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    char job[40];
    for (int i = 0; i < 3; i++)
        kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    Rota__Reply *reply = kit_call(k, &both_fill(&c, &l, 5)->request, NULL);
    assert_int_equal(reply->finish_and_lease->lease->n_job, 1);
    snprintf(job, sizeof job, "%s", reply->finish_and_lease->lease->job[0]->lease->job);
    reply = kit_call(k, &both_fill(&c, &l, 5)->request, NULL);
    assert_int_equal(reply->finish_and_lease->finish->state, ROTA__STATE__SUCCEEDED);
    assert_int_equal(reply->finish_and_lease->lease->n_job, 1);
    assert_string_equal(reply->finish_and_lease->lease->job[0]->lease->job, job);
    assert_int_equal(kit_rows(k, TABLE_LEASE), 1);
    assert_int_equal(kit_rows(k, TABLE_READY), 1);
}

static void a_finish_whose_objects_are_bad_still_takes_the_next_job(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    kit_publish(k, "", NULL);
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    both_fill(&c, &l, 5);
    rota__artifact__init(&c.artifact);
    c.artifact_list[0] = &c.artifact;
    c.finish.artifact = c.artifact_list;
    c.finish.n_artifact = 1;
    struct inbound *in = kit_request(k, &c.request, NULL);
    in->is_vetted = true;
    in->vetted = E_OBJECT_MISMATCH;
    snprintf(in->vetted_text, sizeof in->vetted_text, "never uploaded");
    kit_turn(k, in);
    Rota__Reply *reply = kit_reply(k, k->request_id);
    assert_string_equal(kit_error(reply), "");
    assert_string_equal(reply->finish_and_lease->finish_error->name, "OBJECT_MISMATCH");
    assert_int_equal(reply->finish_and_lease->lease->n_job, 1);
    kit_state(k, l.job, ROTA__STATE__LEASED);
    kit_check(k);
}

/* Each of many is accepted or refused alone, also for its source; the size of a good one is kept.
 */
static void a_bad_source_refuses_its_own_job_alone(void **state)
{
    struct engine_kit *k = *state;
    Rota__Publish publish[2] = {ROTA__PUBLISH__INIT, ROTA__PUBLISH__INIT};
    Rota__Publish *list[] = {&publish[0], &publish[1]};
    Rota__PublishMany many = ROTA__PUBLISH_MANY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char source[80] = "upload:";
    struct source_seen seen[2] = {{.code = E_SOURCE_MISSING}, {.code = E_OK, .bytes = 4711}};
    for (int i = 0; i < 2; i++) {
        publish[i].app = publish[i].class_ = (char *)"task";
        publish[i].source = source;
    }
    memset(source + 7, 'a', 64);
    many.publish = list;
    many.n_publish = 2;
    request.op_case = ROTA__REQUEST__OP_PUBLISH_MANY;
    request.publish_many = &many;
    struct inbound *in = kit_request(k, &request, NULL);
    in->is_vetted = true;
    in->sources = seen;
    kit_turn(k, in);
    const Rota__PublishManyResult *result = kit_reply(k, k->request_id)->publish_many;
    assert_string_equal(result->outcome[0]->error->name, "SOURCE_MISSING");
    assert_null(result->outcome[1]->error);
    struct job_id id;
    struct job_row row;
    struct object_row object;
    struct key_buf key;
    uint8_t sha256[32];
    memset(sha256, 0xaa, sizeof sha256);
    assert_int_equal(job_id_parse(result->outcome[1]->accepted->job, &id), 0);
    AUTO(txn) txn = kit_snapshot(k->store);
    assert_int_equal(row_get(txn, &job_row_type, key_id(&key, id), &row), 0);
    assert_int_equal(row.source_bytes, 4711);
    assert_int_equal(row_get(txn, &object_row_type,
                             key_object(&key, ROTA__OBJECT_KIND__SOURCE, row.account, sha256),
                             &object),
                     0);
    assert_int_equal(object.size, 4711);
    assert_int_equal(object.jobs, 1);
}

static void an_attestation_without_artifacts_is_looked_at_too(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    both_fill(&c, &l, 5);
    rota__attestation__init(&c.attestation);
    c.attestation.statement = (char *)"{}";
    c.finish.attestation = &c.attestation;
    c.request.op_case = ROTA__REQUEST__OP_FINISH;
    c.request.finish = &c.finish;
    struct inbound *in = kit_request(k, &c.request, NULL), copy;
    assert_int_equal(engine_turn(k->engine, k->now, in, &k->fx), 0);
    copy = *in;
    free(in);
    assert_true(copy.wants_vetting);
    kit_state(k, l.job, ROTA__STATE__LEASED);
}

/* The answer that told of the cancel may be lost with its pipe: the next heartbeat must not sleep
 * over it. */
static void a_cancel_whose_telling_was_lost_is_told_again_within_a_second(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    Rota__Cancel cancel = ROTA__CANCEL__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    request.op_case = ROTA__REQUEST__OP_CANCEL;
    request.cancel = &cancel;
    cancel.job = l.job;
    beat_fill(&c, "w", &l, "")->beat.wait_ms = 9000;
    assert_null(kit_call(k, &c.request, NULL));
    kit_call(k, &request, NULL); /* told, but nobody hears */
    assert_null(kit_call(k, &c.request, NULL));
    uint64_t parked = k->request_id;
    kit_pass(k, 1000);
    Rota__Reply *reply = kit_reply(k, parked);
    assert_non_null(reply);
    assert_string_equal(reply->heartbeat->cancel[0], l.job);
}

/* A worker that goes on beyond a timeout shorter than the lease time is cut when it is due, not
 * when it would have been silent for too long. */
static void a_short_timeout_is_cut_ten_seconds_after_its_worker_should_have(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    struct call c;
    Rota__Publish publish = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &publish;
    publish.app = publish.class_ = (char *)"task";
    publish.timeout_ms = 1000;
    assert_string_equal(kit_error(kit_call(k, &request, NULL)), "");
    assert_true(kit_lease(k, "w", &l));
    kit_call(k, &beat_fill(&c, "w", &l, "")->request, NULL);
    kit_pass(k, 10900);
    kit_state(k, l.job, ROTA__STATE__LEASED);
    assert_true(engine_idle_ms(k->engine, k->now, 60000) <= 100); /* nobody else would wake it */
    kit_pass(k, 100);
    kit_state(k, l.job, ROTA__STATE__TIMED_OUT);
}

/* ---- a key that is revoked in the same batch ---- */

static void a_key_revoked_in_a_batch_opens_nothing_behind_it(void **state)
{
    struct engine_kit *k = *state;
    struct call c;
    Rota__KeyCreate create = ROTA__KEY_CREATE__INIT;
    Rota__KeyRevoke revoke = ROTA__KEY_REVOKE__INIT;
    Rota__Request request = ROTA__REQUEST__INIT, end = ROTA__REQUEST__INIT;
    char credential[64];
    request.op_case = ROTA__REQUEST__OP_KEY_CREATE;
    request.key_create = &create;
    create.role = ROTA__ROLE__WORKER;
    Rota__Reply *reply = kit_call(k, &request, NULL);
    snprintf(credential, sizeof credential, "%s", reply->key_create->credential);
    revoke.serial = reply->key_create->key->serial;
    lease_fill(&c, "w", 1)->lease.wait_ms = 9000;
    assert_null(kit_call(k, &c.request, credential)); /* parked, and the key is in the cache */
    end.op_case = ROTA__REQUEST__OP_KEY_REVOKE;
    end.key_revoke = &revoke;
    struct inbound *first = kit_request(k, &end, NULL);
    lease_fill(&c, "v", 2)->lease.wait_ms = 9000;
    first->next = kit_request(k, &c.request, credential);
    kit_turn(k, first);
    reply = kit_reply(k, k->request_id);
    assert_non_null(reply);
    assert_string_equal(kit_error(reply), "KEY_REVOKED");
    kit_publish(k, "", NULL);
    assert_int_equal(kit_rows(k, TABLE_LEASE), 0);
}

/* ---- a worker that never comes back ---- */

static void a_worker_that_died_with_the_broker_leaves_the_list(void **state)
{
    struct engine_kit *k = *state;
    struct kit_lease l;
    kit_publish(k, "", NULL);
    assert_true(kit_lease(k, "w", &l));
    engine_kit_restart(k);
    for (int i = 0; i < 8; i++)
        kit_pass(k, k->lease_ms);
    kit_state(k, l.job, ROTA__STATE__READY);
    struct board_worker *workers;
    size_t n;
    assert_int_equal(board_workers(k->board, &workers, &n), 0);
    free(workers);
    assert_int_equal(n, 0);
    assert_int_equal(k->engine->cache.workers.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_CASE(a_name_too_long_for_a_class_is_refused_and_the_broker_starts_again),
        ENGINE_CASE(a_long_progress_text_is_cut_between_characters),
        ENGINE_CASE(a_repeated_finish_and_lease_gets_the_same_job_again),
        ENGINE_CASE(a_finish_whose_objects_are_bad_still_takes_the_next_job),
        ENGINE_CASE(a_bad_source_refuses_its_own_job_alone),
        ENGINE_CASE(an_attestation_without_artifacts_is_looked_at_too),
        ENGINE_CASE(a_cancel_whose_telling_was_lost_is_told_again_within_a_second),
        ENGINE_CASE(a_short_timeout_is_cut_ten_seconds_after_its_worker_should_have),
        ENGINE_CASE(a_key_revoked_in_a_batch_opens_nothing_behind_it),
        ENGINE_CASE(a_worker_that_died_with_the_broker_leaves_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
