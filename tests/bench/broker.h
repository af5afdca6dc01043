/* broker.h: a rotad of our own: a new environment in a folder under the current one, an ipc
 * listener, and a process that we start, kill and start again. Single thread. */
#pragma once

#include <base/auto.h>
#include <base/err.h>
#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct broker {
    const char *rotad;   /* path of the program, borrowed */
    char dir[PATH_MAX];  /* holds data/, key and log */
    char socket_dir[64]; /* apart, because the path of a socket must be short */
    char url[128];
    char key_file[PATH_MAX + 8];
    pid_t pid; /* 0: none runs */
    int ready_fd;
};

enum broker_outcome {
    BROKER_NO_DISK = 1, /* the current folder lies on tmpfs: figures would say nothing */
    BROKER_FAILED,      /* rotad ended or stayed silent; its log was shown on stderr */
};

/* `rotad init`, nothing started yet. BROKER_NO_DISK, BROKER_FAILED. */
MUST_USE int broker_new(const char *rotad, struct broker **ret_broker);
/* Kills what runs and removes the folder. */
struct broker *broker_free(struct broker *b);
DEFINE_FREEP(broker)

/* Starts the process and returns at once. */
MUST_USE int broker_start(struct broker *b);
/* Waits for its word that every listener answers. BROKER_FAILED. */
MUST_USE int broker_wait(struct broker *b);
/* kill -9, and waits for the end. */
void broker_kill(struct broker *b);

/* Anonymous memory of the process, in KiB; 0 when none runs. */
uint64_t broker_anon_kib(const struct broker *b);

/* Processor time of the process so far; 0 when none runs. */
uint64_t broker_cpu_ns(const struct broker *b);
