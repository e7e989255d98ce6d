/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The home of a partition: what executes it.  There are two: processors of a synthetic
 * program (synthetic.c), and QEMU with a guest (guest.c).
 *
 * Everything belongs to the loop's thread, except what is marked "any thread".
 */
#ifndef _PHYPD_HOME_H
#define _PHYPD_HOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

struct home;

/**
 * struct home_client - what a home says to its partition
 * @ready:	it has begun to execute, as @start asked; or, on a target, may be loaded.
 *		With @error it will do neither
 * @stopped:	no processor executes any more, as @suspend or @stop asked, and @save
 *		has something to give
 * @not_stopped: it could not; it goes on
 * @demand:	a processor waits for the page at this offset
 * @looked:	what was written is marked, as @look asked
 * @loaded:	the state is taken over, as @load asked, or not
 * @cancelled:	the partition cancels its stream
 * @ended:	it cannot execute any more
 * @present:	may the page at this offset be touched?  Any thread.
 * @mark:	these bytes were written.  Any thread.
 * @wake:	@poll is to be called soon.  Any thread; must not sleep.
 *
 * A home does not call @ready, @stopped, @looked, @loaded or @ended from within an
 * operation of its own.
 */
struct home_client {
	void (*ready)(void *ctx, const char *error);
	void (*stopped)(void *ctx);
	void (*not_stopped)(void *ctx, const char *error);
	void (*demand)(void *ctx, uint64_t offset);
	void (*looked)(void *ctx);
	void (*loaded)(void *ctx, int error);
	void (*cancelled)(void *ctx, uint32_t reason);
	void (*ended)(void *ctx, const char *why);
	bool (*present)(void *ctx, uint64_t offset);
	void (*mark)(void *ctx, uint64_t offset, uint64_t length);
	void (*wake)(void *ctx);
};

enum home_suspend {
	HOME_SUSPEND_PLATFORM,	/* it is stopped from outside */
	HOME_SUSPEND_PARTITION,	/* the partition suspends itself */
};

/**
 * struct home_stats - how far a partition's program is; zero where there is none
 * @finished:	every step is done
 * @steps:	done, here and before
 * @steps_here:	done by this home
 * @first_step_ns: end of the first step since it began or went on, or 0
 * @last_step_ns: end of the last one, to within a millisecond while executing
 */
struct home_stats {
	bool finished;
	uint64_t steps;
	uint64_t steps_here;
	uint64_t first_step_ns;
	uint64_t last_step_ns;
};

/**
 * struct home_ops - what a home does; those marked * may be NULL
 * @destroy:	end it, at once; it executes or not
 * @start:	execute from the beginning; 0: it does; -EINPROGRESS: @ready comes
 * @resume:	go on, after @suspend or @load
 * @suspend:	stop executing, and be saved; a partition that is to do so itself has
 *		@timeout_ms for it
 * @stop:	stop executing
 * @executing:	does any processor execute?
 * @poll: *	after @wake
 * @save:	what is not memory; bytes, or negative errno
 * @load:	take it over; 0, negative errno, or -EINPROGRESS: @loaded comes
 * @look: *	mark what was written, then @looked.  NULL: it marks as it writes
 * @depart: *	a stream begins with it as the source: mark everything ever written
 * @pages_missing: * see struct phyp_lpar_ops
 * @pages_arrived: see there
 * @all_here: *	no page is missing any more, for good
 * @stream: *	what the partition is told of its stream; @id 0: it is in none
 * @stats: *	any thread
 * @describe: *	add to what partition.show tells
 */
struct home_ops {
	void (*destroy)(struct home *home);
	int (*start)(struct home *home);
	void (*resume)(struct home *home);
	void (*suspend)(struct home *home, enum home_suspend how, uint64_t timeout_ms);
	void (*stop)(struct home *home);
	bool (*executing)(struct home *home);
	void (*poll)(struct home *home);
	long (*save)(struct home *home, void *buf, size_t size);
	int (*load)(struct home *home, const void *buf, size_t size);
	void (*look)(struct home *home);
	void (*depart)(struct home *home);
	void (*pages_missing)(struct home *home, uint64_t first, uint64_t count);
	void (*pages_arrived)(struct home *home, uint64_t first, uint64_t count);
	void (*all_here)(struct home *home);
	void (*stream)(struct home *home, uint64_t id, uint16_t state);
	void (*stats)(struct home *home, struct home_stats *stats);
	void (*describe)(struct home *home, json_t *object);
};

/* First member of every home */
struct home {
	const struct home_ops *ops;
	const struct home_client *client;
	void *ctx;			/* of @client */
};

#endif /* _PHYPD_HOME_H */
