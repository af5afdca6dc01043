/* commit_turns.c: the smallest broker there is: commits, then speaks. `commit_turns DIR FD COUNT`
 * makes COUNT commits of three rows in DIR and sends each one's number on the socket FD after its
 * commit. Ends with 74 when the store fails, as rotad does. Run by test_flush.c under flush_shim.
 */
#include "unit/store_kit.h"

#include <base/exit.h>
#include <sys/socket.h>

static int turn(struct store *s, uint64_t n)
{
    AUTO(txn) txn = NULL;
    int r = store_begin(s, &txn);
    for (uint64_t i = 0; i < 3 && r == 0; i++)
        r = kit_event_put(txn, n * 3 + i, 300);
    return r ? r : store_commit(&txn);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return EXIT_USAGE;
    int fd = (int)strtol(argv[2], NULL, 10);
    uint64_t count = strtoull(argv[3], NULL, 10);
    struct store_config config = {.dir = argv[1], .map_bytes = 64 << 20, .create = true};
    AUTO(store) s = NULL;
    if (store_open(&config, &s) != 0)
        return EXIT_IO;
    for (uint64_t n = 0; n < count; n++) {
        if (turn(s, n) != 0)
            return EXIT_IO;
        if (send(fd, &n, sizeof n, MSG_NOSIGNAL) != sizeof n)
            return EXIT_UNAVAILABLE;
    }
    return EXIT_OK;
}
