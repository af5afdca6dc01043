/* job.h: a job in words for people, and how its end becomes an exit code. Main thread. */
#pragma once

#include "cli.h"
#include "table.h"
#include "terminal.h"

#include <stdbool.h>

bool job_is_over(const Rota__Job *job);
const char *job_state_word(const Rota__Job *job, char word[32]);
enum style job_style(const Rota__Job *job);

/* One line of progress: bar, percent, phase, message. The caller frees it. */
char *job_line(const Rota__Job *job);

/* One job of a list. */
#define JOB_COLUMNS "JOB TIER ACCOUNT APP PLATFORM STATE DETAIL AGE>"
void job_row(struct table *t, const Rota__Job *job, uint64_t now_ms);

/* Everything that is known, for `rota status`. */
void job_print(const Rota__Job *job);

/* How a job ended, said once (a failure with its error on stderr), and the exit code for it. */
int job_end(const Rota__Job *job);
