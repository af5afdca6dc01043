/* transfer_drive.c: transfers in the hands of a test.
 *   transfer_drive get URL FILE SIZE|- SIZE_MAX SHA256|-     transfer_drive put URL FILE SIZE
 * SHA256 With standard input open; a byte or an end there stops the transfer. Prints the outcome
 * and why. */
#include "transfer.h"

#include <base/auto.h>
#include <base/log.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static uint64_t steps;

static void progress(void *arg, uint64_t done)
{
    (void)arg;
    (void)done;
    steps++;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"ok",   "gone",    "refused", "too_large", "mismatch",
                                        "away", "stopped", "bad_url", "local"};
    uint8_t sha256[32];
    size_t n;
    bool is_put = argc == 6 && strcmp(argv[1], "put") == 0;
    log_open("transfer_drive");
    if ((!is_put && argc != 7) || sodium_init() < 0)
        return 2;
    const char *hex = argv[argc - 1];
    AUTO_FD fd = open(argv[3], is_put ? O_RDONLY : O_RDWR | O_CREAT, 0600);
    struct transfer t = {.url = argv[2],
                         .fd = fd,
                         .size = *argv[4] == '-' ? UINT64_MAX : strtoull(argv[4], NULL, 10),
                         .size_max = is_put ? 0 : strtoull(argv[5], NULL, 10),
                         .stop_fd = 0,
                         .progress = progress};
    if (*hex != '-' && sodium_hex2bin(sha256, 32, hex, strlen(hex), NULL, &n, NULL) == 0)
        t.sha256 = sha256;
    int r = is_put ? transfer_put(&t) : transfer_get(&t);
    printf("%s %s\n", r < 0 ? "fault" : names[r], t.why);
    fprintf(stderr, "%llu\n", (unsigned long long)steps);
    return 0;
}
