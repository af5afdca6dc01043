/* step_net.h: the proxy around one run of a step of a build: which hosts this step may reach, and
 * which files its /net has.
 *
 *   git         the host of the job's source; /net/gitconfig, with the app's token for it
 *   all others  the operator's registry and those of the app's .npmrc; /net/npmrc, and for Yarn
 * from 2 on /net/.yarnrc.yml
 *
 * One thread, the slot's. */
#pragma once

#include "proxy.h"
#include "work.h"

/* The build's variables, by name; NULL: not set. The text behind '='. */
const char *step_net_secret(const struct work *w, const char *name);

/* *ret_proxy stays NULL for a step without a network. */
MUST_USE int step_net_open(struct work *w, const struct step *step, struct proxy **ret_proxy);

/* Ends it, and says in the log what was refused; w->refused and w->away tell verdicts of it. */
void step_net_close(struct work *w, const struct step *step, struct proxy *proxy);

/* The step has ended the build: if it asked for a host that it may not reach, or that the proxy
 * could not reach, that is why. */
void step_net_explain(struct work *w, const struct step *step);
