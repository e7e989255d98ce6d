// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The synthetic home of a partition: its processors and their program.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/util.h"
#include "phyp/phypd/synthetic.h"

#define STATE_MAGIC		0x53594e5448484f4dULL	/* "SYNTHHOM" */
#define STATE_VERSION		1
#define READ_WORDS		8
#define BATCHES_PER_SECOND	2000
/* A processor that fell behind (suspended, waiting for a page) does not catch up */
#define MAX_LAG_NS		(20 * NSEC_PER_MSEC)

enum wanted {
	WANT_HOLD,
	WANT_RUN,
	WANT_EXIT,
};

/**
 * struct processor - a virtual processor
 * @steps:	done
 * @generator:	chooses pages and what is written
 * @accumulator: mixes everything that was read
 *
 * These three are the processor's state; they change only when a step is done.
 */
struct processor {
	struct synthetic *home;
	pthread_t thread;
	unsigned int index;
	uint64_t pages;			/* that it owns */
	uint64_t hot_pages;
	uint64_t steps_total;
	uint64_t ns_per_batch;		/* 0: as fast as it can */
	uint64_t batch;
	_Atomic uint64_t steps;
	uint64_t generator;
	uint64_t accumulator;
	_Atomic uint64_t steps_here;
	_Atomic uint64_t first_step_ns;
	_Atomic uint64_t last_step_ns;
	/* Under the home's lock */
	bool demanding;
	uint64_t demand;
};

struct synthetic {
	struct program program;
	uint8_t *memory;
	uint64_t bytes;
	uint32_t granule;
	const struct synthetic_ops *ops;
	void *ctx;
	pthread_mutex_t lock;
	pthread_cond_t run_changed;
	pthread_cond_t page_arrived;
	_Atomic int wanted;		/* written under the lock */
	unsigned int executing;		/* under the lock, as @events */
	unsigned int events;
	unsigned int threads;		/* that were started */
	struct processor processor[];
};

/* What a step changes, before it is committed */
struct step {
	uint64_t generator;
	uint64_t accumulator;
	uint64_t written;		/* offset of what it wrote */
};

struct state_header {
	uint64_t magic;
	uint32_t version;
	uint32_t processors;
	uint64_t seed;
	uint64_t steps;
	uint64_t bytes;
	uint32_t granule;
	uint32_t write_bytes;
	uint64_t hot;
	uint64_t hot_share;
};

struct state_processor {
	uint64_t steps;
	uint64_t generator;
	uint64_t accumulator;
};

/* A good mixing function: each bit of the input changes half of the output */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* @random scaled to 0 .. @range - 1, without the bias of the low bits */
static uint64_t scale(uint64_t random, uint64_t range)
{
	return (uint64_t)(((unsigned __int128)random * range) >> 64);
}

static uint64_t page_offset(const struct processor *p, uint64_t nth)
{
	const struct synthetic *home = p->home;
	uint64_t chunk = nth / SYNTHETIC_CHUNK_PAGES * home->program.processors +
			 p->index;

	return (chunk * SYNTHETIC_CHUNK_PAGES + nth % SYNTHETIC_CHUNK_PAGES) *
	       home->granule;
}

static uint64_t choose_page(const struct processor *p, uint64_t *generator)
{
	const struct program *program = &p->home->program;
	uint64_t cold_pages = p->pages - p->hot_pages;
	uint64_t kind, place;

	*generator = mix(*generator);
	kind = *generator >> 32;
	*generator = mix(*generator);
	place = *generator;

	if ((kind < program->hot_share && p->hot_pages) || !cold_pages)
		return page_offset(p, scale(place, p->hot_pages));
	return page_offset(p, p->hot_pages + scale(place, cold_pages));
}

/* False when the processor is to stop before the page is there */
static bool wait_for_page(struct processor *p, uint64_t offset)
{
	struct synthetic *home = p->home;
	bool here;

	pthread_mutex_lock(&home->lock);
	while (!(here = home->ops->present(home->ctx, offset)) &&
	       home->wanted == WANT_RUN) {
		if (!p->demanding || p->demand != offset) {
			p->demanding = true;
			p->demand = offset;
			home->events |= SYNTHETIC_DEMANDS;
			home->ops->wake(home->ctx);
		}
		pthread_cond_wait(&home->page_arrived, &home->lock);
	}
	p->demanding = false;
	pthread_mutex_unlock(&home->lock);
	return here;
}

/*
 * The platform copies pages while processors write them: what it got of such a
 * page is sent again, because it is marked afterwards.  That race is the design,
 * so ThreadSanitizer is told not to look here.
 */
__attribute__((noinline, no_sanitize("thread")))
static void touch_page(const struct synthetic *home, uint64_t offset,
		       struct step *step)
{
	uint64_t *page = (uint64_t *)(home->memory + offset);
	uint32_t words = home->program.write_bytes / 8;
	uint32_t page_words = home->granule / 8;
	uint64_t *at;

	step->generator = mix(step->generator);
	at = page + scale(step->generator, page_words - READ_WORDS + 1);
	for (unsigned int i = 0; i < READ_WORDS; i++)
		step->accumulator = mix(step->accumulator ^ be64toh(at[i]));
	/* What is wrong in one page becomes wrong everywhere */
	step->generator ^= step->accumulator;

	step->generator = mix(step->generator);
	at = page + scale(step->generator, page_words - words + 1);
	for (uint32_t i = 0; i < words; i++)
		at[i] = htobe64(mix(step->generator + i) ^ be64toh(at[i]));
	step->written = (uint64_t)((uint8_t *)at - home->memory);
}

/*
 * One step.  Nothing of the state changes before the page is there, so a step
 * is done whole or not at all, and one that was given up is taken up again
 * unchanged (perhaps on another system).
 */
static bool do_step(struct processor *p)
{
	struct synthetic *home = p->home;
	struct step step = {
		.generator = p->generator,
		.accumulator = p->accumulator,
	};
	uint64_t offset = choose_page(p, &step.generator);

	if (!home->ops->present(home->ctx, offset) && !wait_for_page(p, offset))
		return false;
	touch_page(home, offset, &step);
	home->ops->mark(home->ctx, step.written, home->program.write_bytes);

	p->generator = step.generator;
	p->accumulator = step.accumulator;
	p->steps++;
	p->steps_here++;
	return true;
}

static void sleep_until(struct processor *p, uint64_t deadline_ns)
{
	struct synthetic *home = p->home;
	struct timespec ts = {
		.tv_sec = (time_t)(deadline_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(deadline_ns % NSEC_PER_SEC),
	};

	pthread_mutex_lock(&home->lock);
	while (home->wanted == WANT_RUN &&
	       pthread_cond_timedwait(&home->run_changed, &home->lock, &ts) !=
	       ETIMEDOUT)
		;
	pthread_mutex_unlock(&home->lock);
}

/* Steps until the next look at the clock; false when told to stop */
static bool do_batch(struct processor *p)
{
	for (uint64_t i = 0; i < p->batch && p->steps < p->steps_total; i++) {
		if (atomic_load_explicit(&p->home->wanted,
					 memory_order_relaxed) != WANT_RUN)
			return false;
		if (!do_step(p))
			return false;
		if (!p->first_step_ns)
			p->first_step_ns = now_ns();
	}
	return true;
}

static void execute(struct processor *p)
{
	uint64_t deadline = now_ns();

	while (p->steps < p->steps_total) {
		uint64_t before = p->steps, now;
		bool go_on = do_batch(p);

		now = now_ns();
		if (p->steps != before)
			p->last_step_ns = now;
		if (!go_on)
			break;
		if (!p->ns_per_batch)
			continue;
		deadline += p->ns_per_batch;
		if (deadline > now)
			sleep_until(p, deadline);
		else if (now - deadline > MAX_LAG_NS)
			deadline = now;
	}
}

static bool all_done(const struct synthetic *home)
{
	for (unsigned int i = 0; i < home->program.processors; i++)
		if (home->processor[i].steps < home->processor[i].steps_total)
			return false;
	return true;
}

/* Under the lock: nobody executes; who wants to know? */
static void stopped(struct synthetic *home)
{
	unsigned int events = 0;

	if (home->wanted == WANT_HOLD)
		events |= SYNTHETIC_STOPPED;
	if (all_done(home))
		events |= SYNTHETIC_FINISHED;
	home->events |= events;
	if (events)
		home->ops->wake(home->ctx);
}

static void *processor_main(void *arg)
{
	struct processor *p = arg;
	struct synthetic *home = p->home;

	/* The default slack of 50 us is much at two thousand batches a second */
	prctl(PR_SET_TIMERSLACK, 1000UL);
	prctl(PR_SET_NAME, "processor");

	pthread_mutex_lock(&home->lock);
	while (home->wanted != WANT_EXIT) {
		if (home->wanted == WANT_HOLD || p->steps >= p->steps_total) {
			pthread_cond_wait(&home->run_changed, &home->lock);
			continue;
		}
		home->executing++;
		pthread_mutex_unlock(&home->lock);
		execute(p);
		pthread_mutex_lock(&home->lock);
		if (!--home->executing)
			stopped(home);
	}
	pthread_mutex_unlock(&home->lock);
	return NULL;
}

static void reset_processor(struct processor *p)
{
	p->steps = 0;
	p->steps_here = 0;
	p->first_step_ns = 0;
	p->last_step_ns = 0;
	p->generator = mix(p->home->program.seed + p->index);
	p->accumulator = mix(p->generator);
}

static void init_processor(struct synthetic *home, unsigned int index)
{
	const struct program *program = &home->program;
	struct processor *p = &home->processor[index];
	uint64_t row = (uint64_t)program->processors * SYNTHETIC_CHUNK_PAGES;
	uint64_t first = (uint64_t)index * SYNTHETIC_CHUNK_PAGES;
	uint64_t pages = home->bytes / home->granule;
	uint64_t rest = pages % row;
	uint64_t rate = program->rate / home->granule;	/* steps per second */

	p->home = home;
	p->index = index;
	p->pages = pages / row * SYNTHETIC_CHUNK_PAGES;
	if (rest > first)
		p->pages += min(rest - first, (uint64_t)SYNTHETIC_CHUNK_PAGES);
	p->hot_pages = (uint64_t)((unsigned __int128)p->pages * program->hot /
				  SYNTHETIC_SHARE_ONE);
	p->steps_total = program->steps / program->processors +
			 (index < program->steps % program->processors);
	p->batch = 256;
	if (program->rate) {
		rate = max(rate, (uint64_t)1);
		p->batch = max(rate / program->processors / BATCHES_PER_SECOND,
			       (uint64_t)1);
		p->ns_per_batch = (uint64_t)((unsigned __int128)p->batch *
					     NSEC_PER_SEC * program->processors *
					     home->granule / program->rate);
	}
	reset_processor(p);
}

static int start_threads(struct synthetic *home)
{
	for (unsigned int i = 0; i < home->program.processors; i++) {
		struct processor *p = &home->processor[i];
		int ret = pthread_create(&p->thread, NULL, processor_main, p);

		if (ret)
			return -ret;
		home->threads++;
	}
	return 0;
}

static bool program_fits(const struct program *program, uint64_t bytes,
			 uint32_t granule)
{
	return program->processors && granule &&
	       program->processors <= SYNTHETIC_MAX_PROCESSORS &&
	       program->write_bytes && program->write_bytes % 8 == 0 &&
	       program->write_bytes <= granule &&
	       program->hot <= SYNTHETIC_SHARE_ONE &&
	       program->hot_share <= SYNTHETIC_SHARE_ONE &&
	       bytes / granule >= (uint64_t)program->processors *
				  SYNTHETIC_CHUNK_PAGES;
}

/**
 * synthetic_create() - make a home; its processors stand still
 * @program:	copied
 * @memory:	the partition's, page aligned; outlives the home
 * @bytes:	of it, a multiple of @granule
 * @granule:	bytes of a page
 * @ops:	see struct synthetic_ops
 * @ctx:	for @ops
 * @home:	the new home
 *
 * Return: 0; -EINVAL when the program is out of its bounds or the memory too
 * small for its processors; -ENOMEM, -EAGAIN.
 */
int synthetic_create(const struct program *program, void *memory,
		     uint64_t bytes, uint32_t granule,
		     const struct synthetic_ops *ops, void *ctx,
		     struct synthetic **home)
{
	pthread_condattr_t attr;
	struct synthetic *new;
	int ret;

	if (!program_fits(program, bytes, granule))
		return -EINVAL;
	new = calloc(1, sizeof(*new) +
			program->processors * sizeof(new->processor[0]));
	if (!new)
		return -ENOMEM;
	new->program = *program;
	new->memory = memory;
	new->bytes = bytes;
	new->granule = granule;
	new->ops = ops;
	new->ctx = ctx;
	pthread_mutex_init(&new->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&new->run_changed, &attr);
	pthread_cond_init(&new->page_arrived, &attr);
	pthread_condattr_destroy(&attr);
	for (unsigned int i = 0; i < program->processors; i++)
		init_processor(new, i);

	ret = start_threads(new);
	if (ret) {
		synthetic_destroy(new);
		return ret;
	}
	*home = new;
	return 0;
}

static void want(struct synthetic *home, enum wanted wanted)
{
	home->wanted = wanted;
	pthread_cond_broadcast(&home->run_changed);
	pthread_cond_broadcast(&home->page_arrived);
}

/**
 * synthetic_destroy() - stop the processors and free the home
 * @home:	may be NULL
 *
 * Context: waits for the end of the steps that are under way.
 */
void synthetic_destroy(struct synthetic *home)
{
	if (!home)
		return;
	pthread_mutex_lock(&home->lock);
	want(home, WANT_EXIT);
	pthread_mutex_unlock(&home->lock);
	for (unsigned int i = 0; i < home->threads; i++)
		pthread_join(home->processor[i].thread, NULL);
	pthread_cond_destroy(&home->page_arrived);
	pthread_cond_destroy(&home->run_changed);
	pthread_mutex_destroy(&home->lock);
	free(home);
}

/**
 * synthetic_reset() - back to the program's beginning
 * @home:	not executing
 */
void synthetic_reset(struct synthetic *home)
{
	pthread_mutex_lock(&home->lock);
	for (unsigned int i = 0; i < home->program.processors; i++)
		reset_processor(&home->processor[i]);
	pthread_mutex_unlock(&home->lock);
}

/**
 * synthetic_start() - execute, from where the processors are
 * @home:	a stop that is still under way is taken back
 */
void synthetic_start(struct synthetic *home)
{
	pthread_mutex_lock(&home->lock);
	home->events &= ~(unsigned int)SYNTHETIC_STOPPED;
	for (unsigned int i = 0; i < home->program.processors; i++)
		home->processor[i].first_step_ns = 0;
	want(home, WANT_RUN);
	if (all_done(home) && !home->executing)
		stopped(home);
	pthread_mutex_unlock(&home->lock);
}

/**
 * synthetic_stop() - stop executing, between two steps
 * @home:	SYNTHETIC_STOPPED follows, unless it is started again before
 */
void synthetic_stop(struct synthetic *home)
{
	pthread_mutex_lock(&home->lock);
	want(home, WANT_HOLD);
	if (!home->executing)
		stopped(home);
	pthread_mutex_unlock(&home->lock);
}

/**
 * synthetic_executing() - may a processor touch the memory?
 * @home:	the home
 */
bool synthetic_executing(struct synthetic *home)
{
	bool executing;

	pthread_mutex_lock(&home->lock);
	executing = home->executing ||
		    (home->wanted == WANT_RUN && !all_done(home));
	pthread_mutex_unlock(&home->lock);
	return executing;
}

/**
 * synthetic_take_events() - what happened since the last call
 * @home:	the home
 * @demands:	offsets of pages that processors wait for; room for
 *		SYNTHETIC_MAX_PROCESSORS
 * @count:	how many they are
 *
 * Return: enum synthetic_event bits.
 */
unsigned int synthetic_take_events(struct synthetic *home, uint64_t *demands,
				   unsigned int *count)
{
	unsigned int events;

	*count = 0;
	pthread_mutex_lock(&home->lock);
	events = home->events;
	home->events = 0;
	for (unsigned int i = 0; events & SYNTHETIC_DEMANDS &&
	     i < home->program.processors; i++)
		if (home->processor[i].demanding)
			demands[(*count)++] = home->processor[i].demand;
	pthread_mutex_unlock(&home->lock);
	return events;
}

/**
 * synthetic_pages_arrived() - pages became present
 * @home:	the home; its processors look again
 */
void synthetic_pages_arrived(struct synthetic *home)
{
	/* The lock: who found the page missing waits before this, or looks again */
	pthread_mutex_lock(&home->lock);
	pthread_cond_broadcast(&home->page_arrived);
	pthread_mutex_unlock(&home->lock);
}

static void fill_header(const struct synthetic *home, struct state_header *h)
{
	const struct program *program = &home->program;

	memset(h, 0, sizeof(*h));
	h->magic = htobe64(STATE_MAGIC);
	h->version = htobe32(STATE_VERSION);
	h->processors = htobe32(program->processors);
	h->seed = htobe64(program->seed);
	h->steps = htobe64(program->steps);
	h->bytes = htobe64(home->bytes);
	h->granule = htobe32(home->granule);
	h->write_bytes = htobe32(program->write_bytes);
	h->hot = htobe64(program->hot);
	h->hot_share = htobe64(program->hot_share);
}

static size_t state_bytes(const struct synthetic *home)
{
	return sizeof(struct state_header) +
	       home->program.processors * sizeof(struct state_processor);
}

/**
 * synthetic_save() - the processors' state, big-endian
 * @home:	not executing
 * @buf:	where to
 * @size:	room there
 *
 * Return: bytes written; -EBUSY while executing; -ENOSPC.
 */
long synthetic_save(struct synthetic *home, void *buf, size_t size)
{
	struct state_header header;
	uint8_t *at = buf;

	if (synthetic_executing(home))
		return -EBUSY;
	if (size < state_bytes(home))
		return -ENOSPC;
	fill_header(home, &header);
	memcpy(at, &header, sizeof(header));
	at += sizeof(header);
	pthread_mutex_lock(&home->lock);
	for (unsigned int i = 0; i < home->program.processors; i++) {
		const struct processor *p = &home->processor[i];
		struct state_processor state = {
			.steps = htobe64(p->steps),
			.generator = htobe64(p->generator),
			.accumulator = htobe64(p->accumulator),
		};

		memcpy(at, &state, sizeof(state));
		at += sizeof(state);
	}
	pthread_mutex_unlock(&home->lock);
	return at - (uint8_t *)buf;
}

/**
 * synthetic_load() - take over a state that synthetic_save() made elsewhere
 * @home:	not executing; unchanged on error
 * @buf:	state
 * @size:	bytes of it
 *
 * Return: 0; -EBUSY while executing; -EINVAL when it is not whole, is of
 * another version, or of another program than this home was made for.
 */
int synthetic_load(struct synthetic *home, const void *buf, size_t size)
{
	struct state_header header;
	struct state_processor state;
	const uint8_t *at = (const uint8_t *)buf + sizeof(header);

	if (synthetic_executing(home))
		return -EBUSY;
	fill_header(home, &header);
	if (size != state_bytes(home) || memcmp(buf, &header, sizeof(header)))
		return -EINVAL;
	for (unsigned int i = 0; i < home->program.processors; i++) {
		memcpy(&state, at + i * sizeof(state), sizeof(state));
		if (be64toh(state.steps) > home->processor[i].steps_total)
			return -EINVAL;
	}

	pthread_mutex_lock(&home->lock);
	for (unsigned int i = 0; i < home->program.processors; i++) {
		struct processor *p = &home->processor[i];

		memcpy(&state, at + i * sizeof(state), sizeof(state));
		reset_processor(p);
		p->steps = be64toh(state.steps);
		p->generator = be64toh(state.generator);
		p->accumulator = be64toh(state.accumulator);
	}
	pthread_mutex_unlock(&home->lock);
	return 0;
}

/**
 * synthetic_stats() - how far the program is
 * @home:	the home
 * @stats:	filled in whole
 *
 * Context: any thread.
 */
void synthetic_stats(struct synthetic *home, struct home_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->finished = all_done(home);
	for (unsigned int i = 0; i < home->program.processors; i++) {
		struct processor *p = &home->processor[i];
		uint64_t first = p->first_step_ns;
		uint64_t last = p->last_step_ns;

		stats->steps += p->steps;
		stats->steps_here += p->steps_here;
		if (first && (!stats->first_step_ns ||
			      first < stats->first_step_ns))
			stats->first_step_ns = first;
		stats->last_step_ns = max(stats->last_step_ns, last);
	}
}
