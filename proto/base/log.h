/* log.h: one event, one line on stderr: a stable id, then pairs.
 *
 *   log_warn("lease.lost", "job=%s attempt=%u worker=%s", ...);
 *   -> 2026-11-20T09:12:38.123Z warn rotad lease.lost job=job_01… attempt=2 worker=w3
 *
 * Levels: error = somebody must act; warn = handled and odd, says what we did; info = life cycle;
 * debug = free. Every id stands in docs/log-ids.md. Control characters are written as \xNN, so a
 * value can never forge a line. Secrets are never arguments. Any thread; edges speak, cores return.
 * ROTA_LOG_LEVEL sets the least level (default info). */
#pragma once

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Once at start; `program` must live on. */
void log_open(const char *program);

__attribute__((format(printf, 3, 4))) void log_event(enum log_level level, const char *id,
                                                     const char *pairs, ...);

#define log_error(id, ...) log_event(LOG_ERROR, id, __VA_ARGS__)
#define log_warn(id, ...)  log_event(LOG_WARN, id, __VA_ARGS__)
#define log_info(id, ...)  log_event(LOG_INFO, id, __VA_ARGS__)
#define log_debug(id, ...) log_event(LOG_DEBUG, id, __VA_ARGS__)
