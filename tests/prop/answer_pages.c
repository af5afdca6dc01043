/* answer_pages.c: how many pages of the database an answer touches: stats must touch as many at a
 * thousand waiting jobs as at a million, whoever they belong to; why, status and next may only
 * follow the depth of the trees. Counted for real: before an answer all pages of the map are made
 * unreadable, and each comes back by the fault of its first touch.
 * argv: jobs of the shallow queue, jobs of the deep one. */
#include "unit/why_kit.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

/* ---- the map ---- */

static struct {
    uint8_t *from, *to;
    volatile sig_atomic_t touched;
} map;

static void fault(int signal, siginfo_t *info, void *context)
{
    uint8_t *at = info->si_addr;
    (void)context;
    if (at < map.from || at >= map.to) { /* a fault of ours: the default ends the process */
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(signal, &action, NULL);
        return;
    }
    uint8_t *page = map.from + (size_t)(at - map.from) / PAGE * PAGE;
    if (mprotect(page, PAGE, PROT_READ) != 0)
        abort();
    map.touched++;
}

/* Where the database is mapped. */
static void map_find(const struct engine_kit *k)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    assert_non_null(maps);
    map.from = map.to = NULL;
    while (fgets(line, sizeof line, maps)) {
        unsigned long long from, to;
        if (!strstr(line, k->dir) || !strstr(line, "data.mdb") ||
            sscanf(line, "%llx-%llx", &from, &to) != 2)
            continue;
        if (!map.from)
            map.from = (uint8_t *)(uintptr_t)from;
        map.to = (uint8_t *)(uintptr_t)to;
    }
    fclose(maps);
    assert_non_null(map.from);
}

static void faults_catch(void)
{
    struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
}

/* ---- answers ---- */

/* Pages that the answer touches. The snapshot is taken before; the answer is asserted. */
static unsigned pages_of(struct engine_kit *k, const Rota__Request *request)
{
    static const struct principal who = {.role = ROTA__ROLE__OPERATOR};
    AUTO(txn) txn = kit_snapshot(k->store);
    struct arena *arena;
    Rota__Reply reply = ROTA__REPLY__INIT;
    assert_int_equal(arena_new(12 << 20, &arena), 0);
    struct query q = {.txn = txn,
                      .board = k->board,
                      .store = k->store,
                      .arena = arena,
                      .who = &who,
                      .request = request,
                      .reply = &reply,
                      .wall_ms = k->now.wall_ms,
                      .boot_ms = k->now.boot_ms,
                      .environment = "development"};
    map.touched = 0;
    assert_int_equal(mprotect(map.from, (size_t)(map.to - map.from), PROT_NONE), 0);
    enum error_code e = query_answer(&q);
    assert_int_equal(mprotect(map.from, (size_t)(map.to - map.from), PROT_READ), 0);
    assert_int_equal(e, E_OK);
    arena_free(arena);
    return (unsigned)map.touched;
}

struct pages {
    unsigned stats, status, next, why_first, why_last;
};

static struct pages pages_all(struct engine_kit *k, char *first, char *last)
{
    Rota__Stats stats = ROTA__STATS__INIT;
    Rota__Status status = ROTA__STATUS__INIT;
    Rota__Next next = ROTA__NEXT__INIT;
    Rota__Why why = ROTA__WHY__INIT;
    Rota__Request request = ROTA__REQUEST__INIT;
    struct pages p;
    request.op_case = ROTA__REQUEST__OP_STATS;
    request.stats = &stats;
    p.stats = pages_of(k, &request);
    request.op_case = ROTA__REQUEST__OP_STATUS;
    request.status = &status;
    status.job = last;
    p.status = pages_of(k, &request);
    request.op_case = ROTA__REQUEST__OP_NEXT;
    request.next = &next;
    next.pool = (char *)"task";
    next.count = 20;
    p.next = pages_of(k, &request);
    request.op_case = ROTA__REQUEST__OP_WHY;
    request.why = &why;
    why.job = first;
    p.why_first = pages_of(k, &request);
    why.job = last;
    p.why_last = pages_of(k, &request);
    return p;
}

/* ---- queues ---- */

static void queue_make(struct engine_kit *k, unsigned accounts, unsigned jobs, char first[40],
                       char last[40])
{
    char name[16];
    for (unsigned i = 0; i < accounts; i++) {
        snprintf(name, sizeof name, "a%u", i);
        kit_account(k, name, (Rota__Tier)(i % 4), 0);
    }
    why_publish(k, "a0", 0, first);
    for (unsigned i = 0; i < accounts; i++) {
        snprintf(name, sizeof name, "a%u", i);
        unsigned n = jobs / accounts;
        why_publish_many(k, name, n > 1 ? n - 1 : 1);
    }
    why_publish(k, "a0", 0, last);
}

static struct pages measure(unsigned accounts, unsigned jobs)
{
    static struct engine_kit k;
    char first[40], last[40];
    engine_kit_setup(&k, 8ull << 30);
    queue_make(&k, accounts, jobs, first, last);
    map_find(&k);
    struct pages p = pages_all(&k, first, last);
    printf("%8u jobs of %4u accounts: stats %u pages, status %u, next 20 %u, why %u (the first), "
           "%u (the last)\n",
           jobs, accounts, p.stats, p.status, p.next, p.why_first, p.why_last);
    engine_kit_teardown(&k);
    return p;
}

int main(int argc, char **argv)
{
    unsigned shallow = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
    unsigned deep = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 50000;
    static const unsigned accounts[] = {1, 500};
    faults_catch();
    for (size_t i = 0; i < ARRAY_LEN(accounts); i++) {
        struct pages few = measure(accounts[i], shallow), many = measure(accounts[i], deep);
        assert_int_equal(few.stats, many.stats);
        assert_true(few.stats > 0 && many.status < 40 && many.why_first < 80);
    }
    return 0;
}
