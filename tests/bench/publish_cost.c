/* publish_cost.c: publishes through the engine alone, for callgrind to count. No socket and no
 * process in the way, so the instructions are those of the turn: from the packed request to the
 * committed row.
 *
 *   valgrind --tool=callgrind --toggle-collect=engine_turn publish_cost ACCOUNTS PUBLISHES PER_TURN
 *
 * The turns before the counted ones bring accounts, apps and caches to where they are in a day's
 * work; callgrind counts them too, so publish_cost.py takes the difference of two runs of different
 * length.
 *
 * Without callgrind it prints the pages that a commit wrote for each publish: every dirty page of
 * LMDB passes one write, so the process's own count of bytes written says it. */
#include "unit/engine_kit.h"

#include <stdlib.h>

enum { PAGE_BYTES = 4096 };

/* Bytes that this process has handed to write calls so far. */
static uint64_t written_bytes(void)
{
    FILE *f = fopen("/proc/self/io", "re");
    unsigned long long n = 0;
    char line[64];
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "wchar: %llu", &n) == 1)
            break;
    if (f)
        fclose(f);
    return n;
}

static struct inbound *publish(struct engine_kit *k, unsigned account)
{
    Rota__Publish p = ROTA__PUBLISH__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    char name[16];
    snprintf(name, sizeof name, "a%u", account);
    request.op_case = ROTA__REQUEST__OP_PUBLISH;
    request.publish = &p;
    p.account = name;
    p.app = p.class_ = (char *)"task";
    return kit_request(k, &request, NULL);
}

int main(int argc, char **argv)
{
    struct engine_kit k;
    unsigned accounts = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1;
    unsigned publishes = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000;
    unsigned per_turn = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 100;
    unsigned accepted = 0;
    if (!accounts || !per_turn)
        return 2;
    engine_kit_setup(&k, 1 << 30);
    for (unsigned i = 0; i < accounts; i++) {
        char name[16];
        snprintf(name, sizeof name, "a%u", i);
        kit_account(&k, name, ROTA__TIER__P1, 0);
    }
    uint64_t before_bytes = written_bytes();
    for (unsigned n = 0; n < publishes; n += per_turn) {
        struct inbound *list = NULL;
        uint64_t first = k.request_id + 1;
        for (unsigned i = 0; i < per_turn; i++) {
            struct inbound *in = publish(&k, (n + i) % accounts);
            in->next = list;
            list = in;
        }
        kit_turn(&k, list);
        for (uint64_t id = first; id <= k.request_id; id++)
            accepted += !kit_reply(&k, id)->error;
    }
    printf("%u publishes of %u accounts accepted, %u in a turn\n", accepted, accounts, per_turn);
    if (accepted)
        printf("%.2f dirty pages a publish\n",
               (double)(written_bytes() - before_bytes) / PAGE_BYTES / accepted);
    engine_kit_teardown(&k);
    return accepted == 0;
}
