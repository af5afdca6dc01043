/* client_rig.c: the script is read and written under the server's lock. */
#undef NDEBUG
#include "client_rig.h"

#include <base/clock.h>
#include <nng/supplemental/util/platform.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

char rig_folder[32] = "/tmp/rota-client-XXXXXX";
char rig_url[64];

static void note(struct script *s, const Rota__Request *r)
{
    if (s->tries >= TRIES_MAX)
        return;
    s->at_ms[s->tries] = clock_boot_ms();
    if (r->op_case == ROTA__REQUEST__OP_PUBLISH)
        snprintf(s->key[s->tries], 32, "%s", r->publish->idempotency_key);
    if (r->op_case == ROTA__REQUEST__OP_LEASE && r->lease->nonce.len == 16)
        memcpy(s->nonce[s->tries], r->lease->nonce.data, 16);
}

bool script_answer(void *arg, const Rota__Request *request, Rota__Reply *reply)
{
    static Rota__Error error;
    static Rota__PingResult pong;
    struct script *s = arg;
    assert_string_equal(request->credential, "rota_test_secret");
    assert_string_equal(request->environment, "test");
    note(s, request);
    if (s->is_mute)
        return s->tries++, false;
    if (s->tries++ < s->fail_first) {
        error_fill(s->code, NULL, &error);
        reply->error = &error;
        return true;
    }
    rota__ping_result__init(&pong);
    reply->result_case = ROTA__REPLY__RESULT_PING;
    reply->ping = &pong;
    return true;
}

void script_put(struct echo *e, struct script *to, struct script from)
{
    echo_lock(e);
    *to = from;
    echo_unlock(e);
}

unsigned script_tries(struct echo *e, const struct script *s)
{
    echo_lock(e);
    unsigned tries = s->tries;
    echo_unlock(e);
    return tries;
}

struct rota_client *client_open(uint32_t timeout_ms)
{
    struct rota_client_config config = {.url = rig_url,
                                        .environment = "test",
                                        .credential = "rota_test_secret",
                                        .timeout_ms = timeout_ms};
    struct rota_client *client;
    assert_int_equal(rota_client_new(&config, &client), 0);
    assert_int_equal(client->backoff_base_ms, 1000);
    assert_int_equal(client->retries_max, 5);
    rota_client_tune(client, BASE_MS, 20000);
    return client;
}

void ping_init(Rota__Request *r)
{
    static Rota__Ping ping = {.base = PROTOBUF_C_MESSAGE_INIT(&rota__ping__descriptor)};
    rota__request__init(r);
    r->op_case = ROTA__REQUEST__OP_PING;
    r->ping = &ping;
}

const char *ping_name(struct rota_client *client, uint32_t timeout_ms, char name[40])
{
    Rota__Request request;
    Rota__Reply *reply;
    ping_init(&request);
    assert_int_equal(rota_call(client, &request, timeout_ms, &reply), 0);
    snprintf(name, 40, "%s", reply->error ? reply->error->name : "");
    assert_true(reply->error || reply->result_case == ROTA__REPLY__RESULT_PING);
    rota_reply_free(reply);
    return name;
}

void *ping_thread(void *arg)
{
    struct pinger *p = arg;
    ping_name(p->client, 20000, p->name);
    return NULL;
}

void wait_count(unsigned (*count)(struct echo *), struct echo *e, unsigned want)
{
    for (int i = 0; i < 2000 && count(e) < want; i++)
        nng_msleep(5);
    assert_int_equal(count(e), want);
}

bool pong_answer(void *arg, const Rota__Request *request, Rota__Reply *reply)
{
    static Rota__PingResult pong = {.base = PROTOBUF_C_MESSAGE_INIT(&rota__ping_result__descriptor),
                                    .version = (char *)"",
                                    .environment = (char *)""};
    (void)arg, (void)request;
    reply->result_case = ROTA__REPLY__RESULT_PING;
    reply->ping = &pong;
    return true;
}

int rig_setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(rig_folder));
    snprintf(rig_url, sizeof rig_url, "ipc://%s/s", rig_folder);
    return 0;
}

int rig_teardown(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "%s/s", rig_folder);
    unlink(path);
    return rmdir(rig_folder);
}
