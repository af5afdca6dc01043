/* edge.c: the few words that every thread of the edge needs. */
#include "edge/edge.h"

#include <base/exit.h>
#include <base/log.h>

void edge_stop(struct edge *edge, int exit_code)
{
    int none = STOP_NONE;
    atomic_compare_exchange_strong(&edge->stop, &none, exit_code);
    inbox_wake(edge->inbox, LANE_TURN);
}

void edge_refuse(struct edge *edge, const struct reply_to *to, enum error_code code,
                 const char *text)
{
    Rota__Error error;
    Rota__Reply reply;
    rota__error__init(&error);
    rota__reply__init(&reply);
    error_fill(code, text, &error);
    reply.request_id = to->request_id;
    reply.error = &error;
    endpoint_reply(edge->endpoint, to, &reply);
}

_Noreturn void edge_die(const char *where)
{
    char why[300];
    log_error("store.failed",
              "where=%s why=\"%s\" hint=\"nothing was acknowledged; look at the disk, then start "
              "rotad again\"",
              where, err_trace(why, sizeof why));
    _exit(EXIT_IO);
}
