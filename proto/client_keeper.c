/* client_keeper.c: the client's own thread: it dials, gives up on what takes too long, and ends
 * calls at their deadline. It sleeps until the earliest of these; a call that is due earlier wakes
 * it.
 *
 * A link without calls is not dialled again, but for the first, so that a client that was busy once
 * does not hold on to many pipes of a broker that comes back. */
#include "client_link.h"

#include <base/clock.h>
#include <errno.h>
#include <string.h>

/* The longest wait at a time: sums of times then never run over. */
static const uint64_t HOUR_MS = 3600000;

void wait_until_ms(struct rota_client *client, pthread_cond_t *cond, uint64_t until_ms)
{
    uint64_t now_ms = clock_boot_ms(), ms = until_ms > now_ms ? until_ms - now_ms : 0;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    ms = ms < HOUR_MS ? ms : HOUR_MS;
    uint64_t ns = (uint64_t)until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += (time_t)(ms / 1000 + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(cond, &client->lock, &until);
}

void keeper_wake(struct rota_client *client, uint64_t at_ms)
{
    if (at_ms >= client->tend_ms)
        return;
    client->tend_ms = at_ms;
    pthread_cond_signal(&client->tend);
}

static bool wants_dial(const struct rota_client *client, const struct link *link)
{
    return link == client->links[0] || link->idle != UINT32_MAX;
}

/* Gives the time of the link's next step, UINT64_MAX when it has none. */
static uint64_t link_tend(struct link *link, uint64_t now_ms, struct ended *e)
{
    uint64_t next_ms = UINT64_MAX;
    if (calls_expire(link, now_ms, &next_ms, e))
        link_drop(link, "silent for too long", e);
    bool is_due = link->due_ms <= now_ms;
    switch (link->state) {
    case LINK_DOWN:
        if (!wants_dial(link->client, link))
            return next_ms;
        if (is_due)
            link_dial(link, now_ms);
        break;
    case LINK_DIALING:
        if (is_due) {
            nng_aio_abort(link->dial, NNG_ETIMEDOUT);
            link->due_ms = UINT64_MAX;
        }
        break;
    case LINK_GREETING:
        if (is_due)
            link_drop(link, "connected, but nobody answers", e);
        break;
    case LINK_UP:
    case LINK_CLOSING:
        return next_ms; /* nng or a caller moves it on */
    }
    return link->due_ms < next_ms ? link->due_ms : next_ms;
}

static void keeper_round(struct rota_client *client)
{
    client->tend_ms = UINT64_MAX;
    for (unsigned i = 0; i < client->link_count; i++) {
        struct ended e = {0};
        uint64_t next_ms = link_tend(client->links[i], clock_boot_ms(), &e);
        if (next_ms < client->tend_ms)
            client->tend_ms = next_ms;
        if (!e.n)
            continue;
        pthread_mutex_unlock(&client->lock);
        ended_tell(client, &e);
        pthread_mutex_lock(&client->lock);
    }
    if (!client->is_closing && client->tend_ms > clock_boot_ms())
        wait_until_ms(client, &client->tend, client->tend_ms);
}

/* False: nng still has something of the link. */
static bool link_end(struct link *link, struct ended *e)
{
    calls_fail(link, true, e);
    link_drop(link, "closed", e);
    if (link->state == LINK_DIALING)
        nng_aio_cancel(link->dial);
    return link->pending == 0;
}

/* Looks again every few ms: an operation that was just being begun is cancelled the next time. */
static void links_end(struct rota_client *client)
{
    for (bool is_over = false; !is_over;) {
        is_over = true;
        for (unsigned i = 0; i < client->link_count; i++) {
            struct ended e = {0};
            is_over &= link_end(client->links[i], &e);
            pthread_mutex_unlock(&client->lock);
            ended_tell(client, &e);
            pthread_mutex_lock(&client->lock);
        }
        if (!is_over)
            wait_until_ms(client, &client->tend, clock_boot_ms() + 2);
    }
}

static void *keeper_run(void *arg)
{
    struct rota_client *client = arg;
    pthread_mutex_lock(&client->lock);
    while (!client->is_closing)
        keeper_round(client);
    links_end(client);
    pthread_mutex_unlock(&client->lock);
    return NULL;
}

int keeper_start(struct rota_client *client)
{
    int r = pthread_create(&client->keeper, NULL, keeper_run, client);
    if (r)
        return err_raise(-r);
    client->has_keeper = true;
    return 0;
}

void keeper_stop(struct rota_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->is_closing = true;
    pthread_cond_signal(&client->tend);
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    if (client->has_keeper)
        pthread_join(client->keeper, NULL);
    pthread_mutex_lock(&client->lock);
    while (client->callers)
        pthread_cond_wait(&client->changed, &client->lock);
    pthread_mutex_unlock(&client->lock);
}
