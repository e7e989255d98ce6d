// SPDX-License-Identifier: GPL-2.0
/*
 * The same things over and over: opens, resets under load, reloads of the module.  What
 * they leave behind is counted in slab objects.  For "make soak"; VASI_SOAK says how
 * often, in per cent of what that does.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "vasi_test.h"

#define OPENS		1000
#define RESETS		100
#define RELOADS		100
#define BUFFERS		16
#define MAX_CACHES	512
#define TIMEOUT_S	3600

/* How many objects of a cache are in use, as far as it says: in slabs */
struct cache {
	char name[32];
	long objects;
	long slab;
};

static int times(int all)
{
	const char *percent = getenv("VASI_SOAK");
	int result = percent ? all * atoi(percent) / 100 : all;

	return result ? result : 1;
}

static int read_caches(struct cache *caches)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	char line[512];
	int count = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file) && count < MAX_CACHES) {
		/* What the driver allocates is in these */
		if (sscanf(line, "%31s %ld %*d %*d %ld", caches[count].name,
			   &caches[count].objects, &caches[count].slab) == 3 &&
		    !strncmp(caches[count].name, "kmalloc-", 8))
			count++;
	}
	fclose(file);
	return count;
}

FIXTURE(soak)
{
	int dev;
	int count;
	struct cache before[MAX_CACHES];
};

FIXTURE_SETUP(soak)
{
	struct vt_session s;
	int i;

	self->dev = -1;
	if (!vt_have('S') || !vt_have_control())
		SKIP(return, "no adapter with a scripted platform");
	ASSERT_EQ(0, vt_script_reset());
	self->dev = vt_open('S');
	ASSERT_LE(0, self->dev);
	/* What the first ones allocate stays */
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
		ASSERT_EQ(0, vt_session_close(&s));
	}
	self->count = read_caches(self->before);
	ASSERT_LT(0, self->count);
}

FIXTURE_TEARDOWN(soak)
{
	close(self->dev);
	EXPECT_EQ(0, vt_script_reset());
}

/* How many more objects than can be explained, if each of @rounds had left none */
static long left(FIXTURE_DATA(soak) *self, int rounds, long *most)
{
	static struct cache after[MAX_CACHES];
	int i, count = read_caches(after);
	long grown, worst = 0;

	*most = 0;
	if (count != self->count)
		return -ENOENT;
	for (i = 0; i < count; i++) {
		grown = after[i].objects - self->before[i].objects;
		if (grown > *most)
			*most = grown;
		/* The slabs that processors have at hand count as full */
		grown -= rounds / 2 + 2 * after[i].slab;
		if (grown > worst)
			worst = grown;
	}
	return worst;
}

static void nothing_left(struct __test_metadata *_metadata, FIXTURE_DATA(soak) *self,
			 int rounds)
{
	long deadline = vt_now_ms() + VT_PATIENCE_MS;
	long most, worst;

	/* What is freed after a grace period may take its time */
	while ((worst = left(self, rounds, &most)) > 0 && vt_now_ms() < deadline)
		vt_pause();
	TH_LOG("%d times; the cache that grew most has %ld objects more", rounds, most);
	EXPECT_EQ(0, worst);
}

TEST_F_TIMEOUT(soak, opens, TIMEOUT_S)
{
	int i, rounds = times(OPENS);
	struct vt_session s;
	struct vt_pool pool;

	for (i = 0; i < rounds; i++) {
		ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
		ASSERT_EQ(0, vt_pool_setup(&s, &pool, VT_BUFFER_BYTES, BUFFERS));
		ASSERT_EQ(1, vt_add(s.fd, 0, 0));
		vt_pool_unmap(&pool);
		/* Closed, or just left */
		if (i % 2) {
			ASSERT_EQ(0, vt_session_close(&s));
		} else {
			ASSERT_EQ(0, close(s.fd));
		}
	}
	/* The last close is answered */
	ASSERT_EQ(0, vt_session_open(&s, self->dev, 1, VASI_SERVICE_SOURCE_MOVER));
	ASSERT_EQ(0, vt_session_close(&s));
	nothing_left(_metadata, self, rounds);
}

/* Whatever a session can do, until it is lost; then another */
static void load(int dev)
{
	struct vasi_io_event event;
	struct vt_session s;
	struct vt_pool pool;
	uint32_t i;

	for (;;) {
		if (vt_session_open(&s, dev, 1, VASI_SERVICE_TARGET_MOVER))
			continue;
		if (!vt_pool_setup(&s, &pool, VT_BUFFER_BYTES, BUFFERS)) {
			for (i = 0; vt_download(s.fd, &pool, i % BUFFERS, "data", 4, i) == 1 &&
			     !vt_next(s.fd, &event); i++)
				;
			vt_pool_unmap(&pool);
		}
		close(s.fd);
	}
}

TEST_F_TIMEOUT(soak, resets_under_load, TIMEOUT_S)
{
	static const uint8_t events[] = {
		VASI_EVENT_PARTNER_FAILED, VASI_EVENT_PARTNER_DEREGISTERED,
		VASI_EVENT_PARTNER_TERMINATED, VASI_EVENT_PARTNER_SUSPENDED,
	};
	int i, status, rounds = times(RESETS);
	struct vasi_info info;
	struct vasi_crq entry;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		load(self->dev);
	for (i = 0; i < rounds; i++) {
		/* It is at work */
		ASSERT_EQ(0, vt_script_wait(VASI_FMT_DOWNLOAD, &entry));
		ASSERT_EQ(0, vt_info(self->dev, &info));
		ASSERT_EQ(0, vt_ask(NULL, "script event %02x", events[i % 4]));
		ASSERT_EQ(0, vt_wait_resets(self->dev, info.resets + 1));
	}
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	nothing_left(_metadata, self, rounds);
}

TEST_F_TIMEOUT(soak, reloads, TIMEOUT_S)
{
	const char *path = getenv("VASI_MODULE");
	int i, fd, err, rounds = times(RELOADS);

	if (!path)
		SKIP(return, "no module's file");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (i = 0; i < rounds; i++) {
		close(self->dev);
		do {
			err = syscall(SYS_delete_module, "vasi", O_NONBLOCK) ? -errno : 0;
		} while (err == -EAGAIN);
		ASSERT_EQ(0, err);
		ASSERT_EQ(0, syscall(SYS_finit_module, fd, "", 0));
		self->dev = vt_open('S');
		ASSERT_LE(0, self->dev);
	}
	close(fd);
	nothing_left(_metadata, self, rounds);
}

TEST_HARNESS_MAIN
