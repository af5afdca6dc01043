/* edge.h: what the threads of rotad share. Made by serve.c before the threads start, gone after
 * they have ended; each member is safe to use from any thread unless its header says otherwise. */
#pragma once

#include "edge/app_keys.h"
#include "edge/artifacts.h"
#include "edge/keys.h"
#include "edge/settings.h"
#include "edge/signer.h"
#include "edge/source_keys.h"
#include "edge/spool.h"
#include "edge/watch.h"
#include "engine/auth.h"
#include "engine/board.h"
#include "net/endpoint.h"
#include "store/store.h"

#include <stdatomic.h>

enum { ENVIRONMENT_MAX = 64, STOP_NONE = -1 };

struct edge {
    const struct settings *settings;
    char environment[ENVIRONMENT_MAX + 1];
    struct keys keys; /* the signing key is with the signer */
    struct signer *signer;
    uint64_t started_boot_ms;
    struct store *store;
    struct auth *auth;
    struct board *board;
    struct inbox *inbox;
    struct endpoint *endpoint;
    struct artifacts *artifacts;
    struct app_keys *app_keys;
    struct source_keys *source_keys;
    struct spool *spool;
    struct watches *watches;
    struct vet *vet;
    _Atomic int stop; /* exit code wanted, or STOP_NONE */
    _Atomic bool readers_stop;
    _Atomic bool store_is_full; /* publishes are refused for want of room */
};

/* Asks the queue thread to drain and end with this code; the first word counts. Not from a handler
 * of signals (a thread waits for those). */
void edge_stop(struct edge *edge, int exit_code);

/* Answers with an error of the catalogue; `text` may be NULL. */
void edge_refuse(struct edge *edge, const struct reply_to *to, enum error_code code,
                 const char *text);

/* A store that failed (disk, damaged page): nothing may be spoken any more. Ends the process
 * with 74. */
_Noreturn void edge_die(const char *where);
