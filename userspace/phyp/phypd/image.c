// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The image of a suspended partition: written, looked at, read.
 *
 * What is read is believed only after its digest was compared; until then numbers are
 * checked against the memory's and the file's size.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/util.h"
#include "phyp/phyp.h"
#include "phyp/phypd/image.h"
#include "phyp/phypd/job.h"

#define STEP_BYTES	(1ULL << 20)

__attribute__((format(printf, 3, 4)))
static int explain(char *error, int ret, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(error, MEMORY_ERROR_BYTES, fmt, args);
	va_end(args);
	return ret;
}

static int digest_head(const struct image_head *head, const void *description,
		       uint8_t digest[DIGEST_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct image_head copy = *head;
	bool good;

	memset(copy.head_digest, 0, sizeof(copy.head_digest));
	good = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
	       EVP_DigestUpdate(ctx, &copy, sizeof(copy)) &&
	       EVP_DigestUpdate(ctx, description, be32toh(head->description_bytes)) &&
	       EVP_DigestFinal_ex(ctx, digest, NULL);
	EVP_MD_CTX_free(ctx);
	return good ? 0 : -ENOMEM;
}

/* ---- Writing ---- */

/**
 * struct writer - an image that is being written
 * @fd:		its file
 * @at:		bytes so far
 * @body:	digest of state and runs
 * @pages:	so far
 * @runs:	so far
 * @job:	whose cancellation ends it
 * @error:	says what failed
 */
struct writer {
	int fd;
	uint64_t at;
	EVP_MD_CTX *body;
	uint64_t pages;
	uint64_t runs;
	const struct job *job;
	char *error;
};

static int put_at(struct writer *w, const void *data, uint64_t length, uint64_t at)
{
	const uint8_t *from = data;

	while (length) {
		ssize_t n = pwrite(w->fd, from, length, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int ret = n ? -errno : -EIO;

			return explain(w->error, ret,
				       "its image cannot be written (%" PRIu64 " bytes so far): %s",
				       w->at, strerror(-ret));
		}
		from += n;
		at += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return 0;
}

static int put(struct writer *w, const void *data, uint64_t length)
{
	const uint8_t *from = data;

	while (length) {
		uint64_t step = min(STEP_BYTES, length);
		int ret;

		if (w->job && job_cancelled(w->job))
			return -ECANCELED;
		ret = put_at(w, from, step, w->at);
		if (ret)
			return ret;
		if (!EVP_DigestUpdate(w->body, from, step))
			return explain(w->error, -EIO, "its image: no digest");
		w->at += step;
		from += step;
		length -= step;
	}
	return 0;
}

static bool page_is_zero(const uint8_t *page, uint32_t bytes)
{
	return !page[0] && !memcmp(page, page + 1, bytes - 1);
}

static int put_run(struct writer *w, const struct image_content *content,
		   uint64_t offset, uint64_t length)
{
	const struct image_run run = {
		.first = htobe64(offset / content->granule),
		.count = htobe64(length / content->granule),
	};
	int ret = put(w, &run, sizeof(run));

	w->runs++;
	w->pages += length / content->granule;
	return ret ? ret : put(w, (const uint8_t *)content->memory->base + offset, length);
}

/* Zero pages are left out: they part a range into runs */
static int put_range(struct writer *w, const struct image_content *content,
		     uint64_t offset, uint64_t length)
{
	const uint8_t *base = content->memory->base;
	uint64_t end = offset + length, first = offset;
	int ret = 0;

	for (; !ret && offset < end; offset += content->granule) {
		if (!page_is_zero(base + offset, content->granule))
			continue;
		if (offset > first)
			ret = put_run(w, content, first, offset - first);
		first = offset + content->granule;
	}
	if (!ret && end > first)
		ret = put_run(w, content, first, end - first);
	return ret;
}

static int put_body(struct writer *w, const struct image_content *content)
{
	uint64_t offset = 0, length;
	int ret = put(w, content->state, content->state_bytes);

	while (!ret && content->written(content->ctx, &offset, &length)) {
		ret = put_range(w, content, offset, length);
		offset += length;
	}
	return ret;
}

static int put_head(struct writer *w, const struct image_content *content,
		    const char *description, uint32_t description_bytes)
{
	struct image_head head = {
		.magic = htobe64(IMAGE_MAGIC),
		.major = htobe16(IMAGE_MAJOR),
		.minor = htobe16(IMAGE_MINOR),
		.head_bytes = htobe32(sizeof(head)),
		.file_bytes = htobe64(w->at),
		.memory = htobe64(content->memory->bytes),
		.granule = htobe32(content->granule),
		.description_bytes = htobe32(description_bytes),
		.state_bytes = htobe32((uint32_t)content->state_bytes),
		.pages = htobe64(w->pages),
		.runs = htobe64(w->runs),
		.suspended = htobe64((uint64_t)time(NULL)),
	};

	if (!EVP_DigestFinal_ex(w->body, head.body_digest, NULL) ||
	    digest_head(&head, description, head.head_digest))
		return explain(w->error, -EIO, "its image: no digest");
	return put_at(w, &head, sizeof(head), 0);
}

/**
 * image_write() - write an image
 * @fd:		an empty file
 * @content:	what it is made from
 * @job:	whose cancellation ends this, or NULL
 * @error:	says what failed
 *
 * Context: takes long.  The caller syncs the file.
 * Return: 0, -ECANCELED or another negative errno.
 */
int image_write(int fd, const struct image_content *content, const struct job *job,
		char error[MEMORY_ERROR_BYTES])
{
	char *description = json_dumps(content->description, JSON_COMPACT | JSON_SORT_KEYS);
	size_t bytes = description ? strlen(description) : 0;
	struct writer w = {
		.fd = fd, .body = EVP_MD_CTX_new(), .job = job, .error = error,
	};
	int ret = -ENOMEM;

	if (!description || !w.body || !EVP_DigestInit_ex(w.body, EVP_sha256(), NULL)) {
		explain(error, ret, "its image: out of memory");
		goto out;
	}
	if (bytes > IMAGE_MAX_DESCRIPTION || content->state_bytes > PHYP_MAX_CPU_STATE) {
		ret = explain(error, -EFBIG, "its image: a description of %zu and a state of %zu bytes",
			      bytes, content->state_bytes);
		goto out;
	}
	ret = put_at(&w, description, bytes, sizeof(struct image_head));
	w.at = sizeof(struct image_head) + bytes;
	if (!ret)
		ret = put_body(&w, content);
	if (!ret)
		ret = put_head(&w, content, description, (uint32_t)bytes);
out:
	EVP_MD_CTX_free(w.body);
	free(description);
	return ret;
}

/* ---- Reading ---- */

/* -ENODATA: the file ends before that */
static int get_at(int fd, void *data, uint64_t length, uint64_t at)
{
	uint8_t *to = data;

	while (length) {
		ssize_t n = pread(fd, to, length, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		to += n;
		at += (uint64_t)n;
		length -= (uint64_t)n;
	}
	return 0;
}

static int cannot_read(char *error, int ret)
{
	return explain(error, ret, "the image cannot be read: %s",
		       ret == -ENODATA ? "it ends too early" : strerror(-ret));
}

static int damaged(char *error, const char *what)
{
	return explain(error, -EBADMSG, "the image is damaged: %s", what);
}

/* Every number that anything is sized or placed by */
static const char *head_problem(const struct image_head *head, uint64_t size)
{
	uint64_t memory = be64toh(head->memory);
	uint32_t granule = be32toh(head->granule);
	uint64_t pages = be64toh(head->pages);
	uint64_t runs = be64toh(head->runs);
	uint64_t fixed = sizeof(*head);

	if (be64toh(head->magic) != IMAGE_MAGIC)
		return "not the magic of an image";
	if (be16toh(head->major) != IMAGE_MAJOR)
		return "another major version";
	if (be32toh(head->head_bytes) != sizeof(*head))
		return "size of its head";
	if (be64toh(head->file_bytes) != size)
		return "the file's size is not what its head says";
	if (granule != 4096 && granule != 65536)
		return "granule";
	if (!memory || memory % granule || memory > INT64_MAX)
		return "memory size";
	if (!head->description_bytes ||
	    be32toh(head->description_bytes) > IMAGE_MAX_DESCRIPTION)
		return "size of its description";
	if (!head->state_bytes || be32toh(head->state_bytes) > PHYP_MAX_CPU_STATE)
		return "size of its state";
	if (pages > memory / granule || runs > pages || !pages != !runs)
		return "number of pages or runs";
	fixed += be32toh(head->description_bytes);
	fixed += be32toh(head->state_bytes);
	if (size != fixed + runs * sizeof(struct image_run) + pages * granule)
		return "its parts do not add up to its size";
	if (head->reserved || head->reserved2[0] || head->reserved2[1] || head->reserved2[2])
		return be16toh(head->minor) > IMAGE_MINOR ? NULL : "a reserved field";
	return NULL;
}

static int get_description(int fd, const struct image_head *head, char **description,
			   char *error)
{
	uint32_t bytes = be32toh(head->description_bytes);
	uint8_t digest[DIGEST_BYTES];
	int ret;

	*description = malloc(bytes);
	if (!*description)
		return explain(error, -ENOMEM, "out of memory");
	ret = get_at(fd, *description, bytes, sizeof(*head));
	if (ret)
		ret = cannot_read(error, ret);
	else if (digest_head(head, *description, digest))
		ret = explain(error, -ENOMEM, "out of memory");
	else if (memcmp(digest, head->head_digest, sizeof(digest)))
		ret = damaged(error, "digest of its head");
	if (ret)
		free(*description);
	return ret;
}

static int get_head(int fd, struct image_head *head, char **description, char *error)
{
	const char *problem;
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return cannot_read(error, -errno);
	if (!S_ISREG(st.st_mode))
		return damaged(error, "not a regular file");
	if (!st.st_size)
		return damaged(error, "it is empty");
	ret = get_at(fd, head, sizeof(*head), 0);
	if (ret == -ENODATA)
		return damaged(error, "it ends within its head");
	if (ret)
		return cannot_read(error, ret);
	problem = head_problem(head, (uint64_t)st.st_size);
	if (problem)
		return damaged(error, problem);
	return get_description(fd, head, description, error);
}

/**
 * image_look() - check an image's head and description, and tell what they say
 * @fd:		of the image
 * @info:	filled in on success; its description is the caller's
 * @error:	says what is wrong
 *
 * Return: 0; -EBADMSG: it is damaged; another negative errno.
 */
int image_look(int fd, struct image_info *info, char error[MEMORY_ERROR_BYTES])
{
	struct image_head head;
	char *description;
	int ret = get_head(fd, &head, &description, error);

	if (ret)
		return ret;
	*info = (struct image_info) {
		.memory = be64toh(head.memory),
		.granule = be32toh(head.granule),
		.state_bytes = be32toh(head.state_bytes),
		.suspended = be64toh(head.suspended),
		.description = json_loadb(description, be32toh(head.description_bytes), 0,
					  NULL),
	};
	free(description);
	if (json_is_object(info->description))
		return 0;
	json_decref(info->description);
	return damaged(error, "its description is no JSON object");
}

/**
 * struct reader - an image that is being read
 * @fd:		its file
 * @at:		bytes so far
 * @body:	digest of state and runs
 * @target:	where to
 * @granule:	of its pages
 * @job:	whose cancellation ends it
 * @error:	says what is wrong
 */
struct reader {
	int fd;
	uint64_t at;
	EVP_MD_CTX *body;
	const struct image_target *target;
	uint32_t granule;
	const struct job *job;
	char *error;
};

static int get(struct reader *r, void *data, uint64_t length)
{
	uint8_t *to = data;

	while (length) {
		uint64_t step = min(STEP_BYTES, length);
		int ret;

		if (r->job && job_cancelled(r->job))
			return -ECANCELED;
		ret = get_at(r->fd, to, step, r->at);
		if (ret)
			return cannot_read(r->error, ret);
		if (!EVP_DigestUpdate(r->body, to, step))
			return explain(r->error, -EIO, "the image: no digest");
		r->at += step;
		to += step;
		length -= step;
	}
	return 0;
}

/* From page *@next on; *@left pages are still to come */
static int get_run(struct reader *r, uint64_t *next, uint64_t *left)
{
	const struct memory *memory = r->target->memory;
	uint64_t all = memory->bytes / r->granule;
	uint64_t first, count;
	struct image_run run;
	int ret = get(r, &run, sizeof(run));

	if (ret)
		return ret;
	first = be64toh(run.first);
	count = be64toh(run.count);
	if (first < *next || first >= all || !count || count > all - first || count > *left)
		return damaged(r->error, "a run of pages");
	ret = get(r, (uint8_t *)memory->base + first * r->granule, count * r->granule);
	if (ret)
		return ret;
	r->target->mark(r->target->ctx, first * r->granule, count * r->granule);
	/* Two that touch would have been one */
	*next = first + count + 1;
	*left -= count;
	return 0;
}

static int get_body(struct reader *r, const struct image_head *head)
{
	uint64_t left = be64toh(head->pages), next = 0;
	uint8_t digest[DIGEST_BYTES];
	int ret = get(r, r->target->state, be32toh(head->state_bytes));

	for (uint64_t i = 0; !ret && i < be64toh(head->runs); i++)
		ret = get_run(r, &next, &left);
	if (ret)
		return ret;
	if (left)
		return damaged(r->error, "fewer pages than its head says");
	if (!EVP_DigestFinal_ex(r->body, digest, NULL))
		return explain(r->error, -EIO, "the image: no digest");
	if (memcmp(digest, head->body_digest, sizeof(digest)))
		return damaged(r->error, "digest of its pages and state");
	return 0;
}

/**
 * image_read() - read an image, and check all of it
 * @fd:		of the image
 * @target:	where to; of no use on failure
 * @job:	whose cancellation ends this, or NULL
 * @error:	says what is wrong
 *
 * Context: takes long.
 * Return: 0, -ECANCELED, -EBADMSG: it is damaged; or another negative errno.
 */
int image_read(int fd, const struct image_target *target, const struct job *job,
	       char error[MEMORY_ERROR_BYTES])
{
	struct reader r = { .fd = fd, .target = target, .job = job, .error = error };
	struct image_head head;
	char *description;
	int ret = get_head(fd, &head, &description, error);

	if (ret)
		return ret;
	free(description);
	if (be64toh(head.memory) != target->memory->bytes)
		return damaged(error, "it is no longer the one that was looked at");
	r.granule = be32toh(head.granule);
	r.at = sizeof(head) + be32toh(head.description_bytes);
	r.body = EVP_MD_CTX_new();
	if (r.body && EVP_DigestInit_ex(r.body, EVP_sha256(), NULL))
		ret = get_body(&r, &head);
	else
		ret = explain(error, -ENOMEM, "out of memory");
	EVP_MD_CTX_free(r.body);
	return ret;
}
