/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging to standard error: one line a message, with time, program and level.
 *
 * The level and the program's name are the one process-wide state of the
 * common code: logging has to work from anywhere, also before there is a
 * context.  Set them before threads are started; every other call is safe from
 * any thread.  Never log payload: no memory contents, keys or buffers.
 */
#ifndef _LOG_H
#define _LOG_H

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);
int log_parse_level(const char *text, enum log_level *level);
void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)		log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...)	log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)		log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)		log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif /* _LOG_H */
