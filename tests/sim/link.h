/* link.h: the connection of one actor with the broker, and what it does to messages: it loses them,
 * doubles them, keeps them back, and so lets a later one overtake. Cut, it loses all, in one
 * direction or in both. */
#pragma once

#include <base/id.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct actor;

/* A request on its way to the broker, or a reply on its way back. */
struct message {
    struct message *next; /* in the broker's inbox */
    struct actor *actor;
    uint32_t pipe; /* a connection's number; a reply of an older one reaches nobody */
    uint32_t op_tag;
    uint64_t request_id;
    bool is_pipe_gone; /* no request: the connection broke */
    bool is_counted;   /* as of an inbound */
    bool is_vetted;    /* the objects that it names were looked at */
    bool is_spoilt;    /* and one of them is not what it should be */
    size_t n;
    uint8_t bytes[]; /* packed Request or Reply */
};

struct message *message_new(struct actor *actor, uint32_t pipe, size_t n);
struct message *message_copy(const struct message *m);
void message_free(struct message *m); /* NULL is fine */

struct weather {
    unsigned lost_permille, doubled_permille, late_permille;
    uint32_t delay_ms_max, late_ms_max;
};

enum link_way { LINK_TO_BROKER, LINK_FROM_BROKER, LINK_WAYS };

struct link {
    struct weather weather;
    uint64_t cut_until_ms[LINK_WAYS];
};

/* Takes the message. What comes through happens as world_arrives() or world_answers(). */
void link_send(struct world *w, struct link *l, enum link_way way, struct message *m);
