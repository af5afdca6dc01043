/* line.c: keeps nng 1.5.2 from closing a pipe while an answer is on its way to it.
 *
 * The fault: xrep.c hands an answer from the pipe's queue to the transport in a task of its own. If
 * the pipe was closed before that task ran, the transport refuses to begin, says so to nobody, and
 * the message is freed by nobody. Measured: 1 to 4 in 100 clients that leave while one answer is on
 * its way to them; each costs the size of that answer, up to 1 MiB, for good.
 *
 * The cure: the end of the stream is what makes nng close a pipe, and nng hears of it through our
 * readv() (calls.c). So an answer is counted before it is given to nng and until all of it was
 * written; while one is under way the end is kept back ("nothing to read yet", and nng asks again
 * at once), and none is given any more. That takes microseconds, now and then 10 ms. A line that
 * takes no more bytes needs no waiting: nng holds one message in its write, from where it is freed,
 * and looks at no other.
 *
 * The count may be too high, because nng drops answers without a word when 64 wait for a pipe;
 * therefore the end is kept back only until nng has written nothing for HOLD_MS. The order of the
 * two steps of line_hand() and of line_may_end() matters: whichever comes second sees the other. */
#include "net/line.h"

#include <base/clock.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

enum { HOLD_MS = 50 };

struct line {
    _Atomic bool is_begun, is_hung_up, is_blocked, is_ending;
    _Atomic uint32_t under_way;
    _Atomic uint64_t moved_ms; /* from its end on: when nng last wrote */
};

static struct line lines[LINES_MAX];

static struct line *find(int fd)
{
    struct line *l = fd >= 0 && fd < LINES_MAX ? &lines[fd] : NULL;
    return l && atomic_load(&l->is_begun) ? l : NULL;
}

void line_begin(int fd)
{
    if (fd < 0 || fd >= LINES_MAX)
        return;
    struct line *l = &lines[fd];
    atomic_store(&l->is_hung_up, false);
    atomic_store(&l->is_blocked, false);
    atomic_store(&l->is_ending, false);
    atomic_store(&l->under_way, 0);
    atomic_store(&l->is_begun, true);
}

void line_end(int fd)
{
    struct line *l = find(fd);
    if (l)
        atomic_store(&l->is_begun, false);
}

static void take_off(struct line *l)
{
    uint32_t n = atomic_load(&l->under_way);
    while (n > 0 && !atomic_compare_exchange_weak(&l->under_way, &n, n - 1))
        ;
}

bool line_hand(int fd)
{
    struct line *l = find(fd);
    if (!l)
        return true;
    atomic_fetch_add(&l->under_way, 1);
    if (!atomic_load(&l->is_ending))
        return true;
    take_off(l);
    return false;
}

bool line_hang_up(int fd)
{
    struct line *l = find(fd);
    if (!l)
        return false;
    atomic_store(&l->is_hung_up, true);
    shutdown(fd, SHUT_RD); /* wakes nng's poller; a peer that is gone has woken it already */
    return true;
}

bool line_is_begun(int fd)
{
    return find(fd);
}

bool line_is_hung_up(int fd)
{
    struct line *l = find(fd);
    return l && atomic_load(&l->is_hung_up);
}

void line_wrote(int fd, bool is_whole)
{
    struct line *l = find(fd);
    if (!l)
        return;
    atomic_store(&l->is_blocked, false);
    if (is_whole)
        take_off(l);
    if (atomic_load(&l->is_ending))
        atomic_store(&l->moved_ms, clock_boot_ms());
}

void line_is_blocked(int fd)
{
    struct line *l = find(fd);
    if (l)
        atomic_store(&l->is_blocked, true);
}

bool line_may_end(int fd)
{
    struct line *l = find(fd);
    if (!l)
        return true;
    if (!atomic_load(&l->is_ending)) {
        atomic_store(&l->moved_ms, clock_boot_ms());
        atomic_store(&l->is_ending, true);
    }
    if (atomic_load(&l->under_way) == 0 || atomic_load(&l->is_blocked) ||
        clock_boot_ms() - atomic_load(&l->moved_ms) >= HOLD_MS)
        return true;
    sched_yield(); /* to the thread that has the answer */
    return false;
}
