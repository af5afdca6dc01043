/* voice.h: what the broker says after a commit: its replies go to their links, and what they
 * promise into the ledger, whether or not anybody hears it. */
#pragma once

struct world;

void voice_speak(struct world *w);
