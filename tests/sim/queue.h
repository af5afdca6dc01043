/* queue.h: nobody is overtaken. Inside a tier of a pool the accounts stand in a line; whoever has
 * been served goes to its end. An account's own jobs stand in a line, too, by priority and age.
 *
 * Looked at from outside: between two looks an account that kept its place (the same turn in the
 * same ring) may have seen each other account of its ring served once at most, and only one that
 * stood ahead of it; and a job that nothing happened to may not have seen one behind it start. */
#pragma once

#include <base/id.h>
#include <stddef.h>
#include <stdint.h>

struct world;
struct txn;
struct past_job;

struct standing {
    uint64_t turn, account;
    uint16_t pool;
    uint8_t tier;
};

/* A row of `ready`: its place among those of its pool and account. */
struct waiting {
    uint64_t account;
    uint16_t pool;
    uint8_t priority;
    struct job_id job;
};

/* The rings and the lines as of the last look. */
struct queue {
    struct standing *all;
    size_t n, cap;
    struct waiting *lines; /* in order */
    size_t lines_n, lines_cap;
};

/* Compares the rings with those of the last look and with what has been served since. */
void queue_look(struct world *w, struct txn *txn);
/* This job starts: those ahead of it at the last look must have gone, or changed, since. */
void queue_check_line(struct world *w, const struct past_job *job);
void queue_deinit(struct queue *q);
