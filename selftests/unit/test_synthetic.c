// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The synthetic home: the program is deterministic, whatever happens to it on
 * the way; wrong memory shows; nothing of a missing page is touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/util.h"
#include "phyp/phypd/synthetic.h"

#define GRANULE		4096u
#define PAGES		512u
#define BYTES		((uint64_t)PAGES * GRANULE)
#define STATE_BYTES	4096

struct env {
	uint8_t *memory;
	int event_fd;
	_Atomic bool missing[PAGES];
	_Atomic bool marked[PAGES];
	_Atomic unsigned int touched_missing;
};

static bool env_present(void *ctx, uint64_t offset)
{
	return !((struct env *)ctx)->missing[offset / GRANULE];
}

static void env_mark(void *ctx, uint64_t offset, uint64_t length)
{
	struct env *env = ctx;

	assert_true(offset + length <= BYTES);
	assert_int_equal(offset / GRANULE, (offset + length - 1) / GRANULE);
	if (env->missing[offset / GRANULE])
		env->touched_missing++;
	env->marked[offset / GRANULE] = true;
}

static void env_wake(void *ctx)
{
	uint64_t one = 1;

	assert_int_equal(write(((struct env *)ctx)->event_fd, &one,
			       sizeof(one)), sizeof(one));
}

static const struct synthetic_ops env_ops = {
	.present = env_present,
	.mark	 = env_mark,
	.wake	 = env_wake,
};

static const struct program default_program = {
	.seed = 7, .steps = 20001, .processors = 3, .write_bytes = 64,
	.hot = SYNTHETIC_SHARE_ONE / 8, .hot_share = SYNTHETIC_SHARE_ONE / 2,
};

static struct env *env_new(void)
{
	struct env *env = calloc(1, sizeof(*env));

	assert_non_null(env);
	env->memory = aligned_alloc(GRANULE, BYTES);
	assert_non_null(env->memory);
	for (uint64_t i = 0; i < BYTES; i++)
		env->memory[i] = (uint8_t)(i * 31 >> 4);
	env->event_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(env->event_fd >= 0);
	return env;
}

static void env_free(struct env *env)
{
	close(env->event_fd);
	free(env->memory);
	free(env);
}

static struct synthetic *home_new(struct env *env, const struct program *program)
{
	struct synthetic *home = NULL;

	assert_int_equal(synthetic_create(program, env->memory, BYTES, GRANULE,
					  &env_ops, env, &home), 0);
	return home;
}

/* Pages that are demanded arrive; until one of the events is there */
static unsigned int wait_events(struct env *env, struct synthetic *home,
				unsigned int wanted)
{
	uint64_t demands[SYNTHETIC_MAX_PROCESSORS], count;
	unsigned int events = 0, n;

	while (!(events & wanted)) {
		assert_int_equal(read(env->event_fd, &count, sizeof(count)),
				 sizeof(count));
		events = synthetic_take_events(home, demands, &n);
		for (unsigned int i = 0; i < n; i++)
			env->missing[demands[i] / GRANULE] = false;
		if (n)
			synthetic_pages_arrived(home);
	}
	return events;
}

static void run_to_end(struct env *env, struct synthetic *home)
{
	synthetic_start(home);
	wait_events(env, home, SYNTHETIC_FINISHED);
}

static void assert_same(struct env *a, struct synthetic *ha, struct env *b,
			struct synthetic *hb)
{
	uint8_t sa[STATE_BYTES], sb[STATE_BYTES];
	long na = synthetic_save(ha, sa, sizeof(sa));
	long nb = synthetic_save(hb, sb, sizeof(sb));

	assert_true(na > 0);
	assert_int_equal(na, nb);
	assert_memory_equal(sa, sb, (size_t)na);
	assert_memory_equal(a->memory, b->memory, BYTES);
}

static void test_deterministic(void **state)
{
	struct env *a = env_new(), *b = env_new();
	struct program slow = default_program;
	struct synthetic *ha, *hb;
	struct home_stats stats;

	(void)state;
	slow.rate = 400u << 20;
	ha = home_new(a, &default_program);
	hb = home_new(b, &slow);
	run_to_end(a, ha);
	run_to_end(b, hb);
	assert_same(a, ha, b, hb);
	synthetic_stats(ha, &stats);
	assert_true(stats.finished);
	assert_int_equal(stats.steps, 20001);
	assert_int_equal(stats.steps_here, 20001);
	assert_true(stats.first_step_ns && stats.last_step_ns >= stats.first_step_ns);
	synthetic_destroy(ha);
	synthetic_destroy(hb);
	env_free(a);
	env_free(b);
}

static void test_marks_what_it_writes(void **state)
{
	struct env *env = env_new(), *before = env_new();
	struct synthetic *home = home_new(env, &default_program);
	unsigned int changed = 0;

	(void)state;
	run_to_end(env, home);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (!memcmp(env->memory + i * GRANULE,
			    before->memory + i * GRANULE, GRANULE))
			continue;
		changed++;
		assert_true(env->marked[i]);
	}
	assert_true(changed > PAGES / 2);
	synthetic_destroy(home);
	env_free(env);
	env_free(before);
}

/* Stopped anywhere, moved to another home, where no page is there yet */
static void test_moves(void **state)
{
	struct env *a = env_new(), *b = env_new(), *c = env_new();
	struct program slow = default_program;
	struct synthetic *ha, *hb, *hc;
	struct home_stats stats;
	uint8_t buf[STATE_BYTES];
	long bytes;

	(void)state;
	slow.rate = 200u << 20;
	ha = home_new(a, &default_program);
	run_to_end(a, ha);

	hb = home_new(b, &slow);
	synthetic_start(hb);
	synthetic_stop(hb);
	wait_events(b, hb, SYNTHETIC_STOPPED);
	synthetic_start(hb);
	do {
		usleep(1000);
		synthetic_stats(hb, &stats);
	} while (stats.steps < 5000);
	assert_int_equal(synthetic_save(hb, buf, sizeof(buf)), -16);
	synthetic_stop(hb);
	wait_events(b, hb, SYNTHETIC_STOPPED);
	synthetic_stats(hb, &stats);
	assert_false(stats.finished);
	bytes = synthetic_save(hb, buf, sizeof(buf));
	assert_true(bytes > 0);

	hc = home_new(c, &default_program);
	memcpy(c->memory, b->memory, BYTES);
	for (unsigned int i = 0; i < PAGES; i++)
		c->missing[i] = true;
	assert_int_equal(synthetic_load(hc, buf, (size_t)bytes), 0);
	run_to_end(c, hc);
	assert_int_equal(c->touched_missing, 0);
	assert_same(a, ha, c, hc);
	synthetic_stats(hc, &stats);
	assert_true(stats.steps_here < stats.steps);

	synthetic_destroy(ha);
	synthetic_destroy(hb);
	synthetic_destroy(hc);
	env_free(a);
	env_free(b);
	env_free(c);
}

/* A stop ends the wait for a page, and the step is done later unchanged */
static void test_stops_while_waiting(void **state)
{
	struct env *a = env_new(), *b = env_new();
	struct synthetic *ha = home_new(a, &default_program);
	struct synthetic *hb = home_new(b, &default_program);
	uint64_t demands[SYNTHETIC_MAX_PROCESSORS], count;
	unsigned int n;

	(void)state;
	run_to_end(a, ha);
	for (unsigned int i = 0; i < PAGES; i++)
		b->missing[i] = true;
	synthetic_start(hb);
	assert_int_equal(read(b->event_fd, &count, sizeof(count)),
			 sizeof(count));
	synthetic_take_events(hb, demands, &n);
	assert_true(n >= 1);
	synthetic_stop(hb);
	wait_events(b, hb, SYNTHETIC_STOPPED);
	run_to_end(b, hb);
	assert_same(a, ha, b, hb);
	synthetic_destroy(ha);
	synthetic_destroy(hb);
	env_free(a);
	env_free(b);
}

static void test_wrong_memory_shows(void **state)
{
	struct env *a = env_new(), *b = env_new();
	struct synthetic *ha = home_new(a, &default_program);
	struct synthetic *hb = home_new(b, &default_program);
	uint8_t sa[STATE_BYTES], sb[STATE_BYTES];

	(void)state;
	memset(b->memory, 0x55, GRANULE);
	run_to_end(a, ha);
	run_to_end(b, hb);
	assert_int_equal(synthetic_save(ha, sa, sizeof(sa)),
			 synthetic_save(hb, sb, sizeof(sb)));
	assert_memory_not_equal(sa, sb, sizeof(sa));
	assert_memory_not_equal(a->memory, b->memory, BYTES);
	synthetic_destroy(ha);
	synthetic_destroy(hb);
	env_free(a);
	env_free(b);
}

static void test_refuses_states(void **state)
{
	struct env *env = env_new();
	struct program other = default_program;
	struct synthetic *home = home_new(env, &default_program);
	uint8_t buf[STATE_BYTES];
	struct synthetic *else_home;
	long bytes = synthetic_save(home, buf, sizeof(buf));

	(void)state;
	assert_int_equal(synthetic_save(home, buf, (size_t)bytes - 1), -28);
	assert_int_equal(synthetic_load(home, buf, (size_t)bytes - 1), -22);
	assert_int_equal(synthetic_load(home, buf, (size_t)bytes + 1), -22);
	assert_int_equal(synthetic_load(home, buf, 0), -22);
	other.seed++;
	else_home = home_new(env, &other);
	assert_int_equal(synthetic_load(else_home, buf, (size_t)bytes), -22);
	/* More steps than the program has */
	memset(buf + bytes - 24, 0x7f, 8);
	assert_int_equal(synthetic_load(home, buf, (size_t)bytes), -22);
	synthetic_destroy(home);
	synthetic_destroy(else_home);
	env_free(env);
}

static void test_refuses_programs(void **state)
{
	struct env *env = env_new();
	struct synthetic *home;
	struct program p;

	(void)state;
#define REFUSED(change) do {						\
	p = default_program;						\
	change;								\
	assert_int_equal(synthetic_create(&p, env->memory, BYTES, GRANULE, \
					  &env_ops, env, &home), -22);	\
} while (0)
	REFUSED(p.processors = 0);
	REFUSED(p.processors = SYNTHETIC_MAX_PROCESSORS + 1);
	REFUSED(p.processors = PAGES / SYNTHETIC_CHUNK_PAGES + 1);
	REFUSED(p.write_bytes = 0);
	REFUSED(p.write_bytes = 12);
	REFUSED(p.write_bytes = GRANULE + 8);
	REFUSED(p.hot = SYNTHETIC_SHARE_ONE + 1);
	env_free(env);
}

static void test_keeps_its_rate(void **state)
{
	struct env *env = env_new();
	struct program p = default_program;
	struct home_stats stats;
	struct synthetic *home;
	uint64_t start;

	(void)state;
	p.steps = 1000;
	p.rate = 5000 * GRANULE;
	home = home_new(env, &p);
	start = now_ns();
	run_to_end(env, home);
	/* 1000 steps at 5000 a second; a busy machine may only be slower */
	assert_true(now_ns() - start > 190 * NSEC_PER_MSEC);
	synthetic_stats(home, &stats);
	assert_true(stats.finished);
	synthetic_destroy(home);
	env_free(env);
}

static void test_empty_program(void **state)
{
	struct env *env = env_new();
	struct program p = default_program;
	struct synthetic *home;

	(void)state;
	p.steps = 0;
	home = home_new(env, &p);
	run_to_end(env, home);
	assert_false(synthetic_executing(home));
	synthetic_stop(home);
	wait_events(env, home, SYNTHETIC_STOPPED);
	synthetic_destroy(home);
	env_free(env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deterministic),
		cmocka_unit_test(test_marks_what_it_writes),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_stops_while_waiting),
		cmocka_unit_test(test_wrong_memory_shows),
		cmocka_unit_test(test_refuses_states),
		cmocka_unit_test(test_refuses_programs),
		cmocka_unit_test(test_keeps_its_rate),
		cmocka_unit_test(test_empty_program),
	};

	return cmocka_run_group_tests_name("synthetic", tests, NULL, NULL);
}
