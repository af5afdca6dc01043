/* client_rig.h: what the tests of librota share: a folder and an address, a client of a server that
 * follows a script, a ping. */
#pragma once

#include "client.h"
#include "client_link.h"
#include "echo_server.h"

enum { TRIES_MAX = 64, BASE_MS = 20 };

/* What the server does, and what it saw. */
struct script {
    unsigned fail_first; /* answer `code` that often, then well */
    enum error_code code;
    bool is_mute;
    unsigned tries;
    uint64_t at_ms[TRIES_MAX];
    char key[TRIES_MAX][32];
    uint8_t nonce[TRIES_MAX][16];
};

/* Of this test: a fresh folder and an ipc address in it. */
extern char rig_folder[32], rig_url[64];

echo_answer script_answer; /* arg: struct script */
echo_answer pong_answer;

/* A new script for a server that runs. */
void script_put(struct echo *e, struct script *to, struct script from);

unsigned script_tries(struct echo *e, const struct script *s);

/* First pause between tries: BASE_MS. */
struct rota_client *client_open(uint32_t timeout_ms);

void ping_init(Rota__Request *r);

/* The name of the error that a ping ends with; "" when it went well. */
const char *ping_name(struct rota_client *client, uint32_t timeout_ms, char name[40]);

/* A thread that pings once: ping_thread(struct pinger *). */
struct pinger {
    struct rota_client *client;
    char name[40];
};
void *ping_thread(void *arg);

void wait_count(unsigned (*count)(struct echo *), struct echo *e, unsigned want);

int rig_setup(void **state);
int rig_teardown(void **state);
