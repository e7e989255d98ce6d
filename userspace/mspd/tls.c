// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include "common/util.h"
#include "record.h"
#include "tls.h"

/* RFC 8446, section 4.6.3 */
#define KEY_UPDATE		24
#define KEY_UPDATE_BYTES	5

/**
 * struct tls - both directions of a connection
 * @in:		what was received; the caller's
 * @out:	what is to be sent; the caller's
 * @send, @receive: what protects records
 * @failed:	something was received that must not be: nothing after it counts
 * @ended:	the peer has said that it sends no more
 * @rekey:	records that a key protects; 0 = keys are not renewed
 * @answer:	the peer wants our key renewed
 * @spill:	plain bytes for which there was no room
 * @spilled:	how many
 * @taken:	how many of them were taken
 * @error:	why not
 */
struct tls {
	struct buffer *in;
	struct buffer *out;
	struct record_key send;
	struct record_key receive;
	bool failed;
	bool ended;
	uint32_t rekey;
	bool answer;
	size_t spilled;
	size_t taken;
	uint8_t spill[RECORD_MAX_BYTES];
	char error[TLS_ERROR_BYTES];
};

/**
 * tls_new() - begin with the first records of both directions
 * @agreement: suite and secrets; are copied
 * @in: where what is received is put
 * @out: from which what is to be sent is taken
 *
 * Return: the object, or NULL.
 */
struct tls *tls_new(const struct agreement *agreement, struct buffer *in,
		    struct buffer *out)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->in = in;
	tls->out = out;
	if (record_key_init(&tls->send, agreement->suite, &agreement->send, true) ||
	    record_key_init(&tls->receive, agreement->suite, &agreement->receive, false)) {
		tls_free(tls);
		return NULL;
	}
	return tls;
}

/**
 * tls_free() - the opposite; keys and plain bytes are cleared
 * @tls: the object, or NULL
 */
void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	record_key_exit(&tls->send);
	record_key_exit(&tls->receive);
	OPENSSL_clear_free(tls, sizeof(*tls));
}

static int fail(struct tls *tls, const char *why)
{
	snprintf(tls->error, sizeof(tls->error), "TLS: %s", why);
	return -EPROTO;
}

/**
 * tls_error() - why a call has failed, for messages
 * @tls: the object
 */
const char *tls_error(const struct tls *tls)
{
	return tls->error;
}

/**
 * tls_allow_rekey() - renew the key of what is sent from time to time
 * @tls: the object; the peer can take a KeyUpdate
 * @records: that a key protects
 */
void tls_allow_rekey(struct tls *tls, uint32_t records)
{
	tls->rekey = records;
}

/* ---- receiving ---- */

/**
 * tls_control() - what a record means that is not data
 * @type: of its content
 * @content: of it
 * @bytes: of it
 * @why: on error, what it says
 *
 * Return: 0: the peer sends no more; -EPROTO.
 */
int tls_control(int type, const uint8_t *content, size_t bytes,
		char why[TLS_ERROR_BYTES])
{
	if (type != RECORD_ALERT || bytes != 2) {
		snprintf(why, TLS_ERROR_BYTES, "TLS: an unexpected record of type %d, %zu bytes",
			 type, bytes);
		return -EPROTO;
	}
	if (content[1] == ALERT_CLOSE_NOTIFY)
		return 0;
	snprintf(why, TLS_ERROR_BYTES, "TLS: the peer refuses: %s",
		 SSL_alert_desc_string_long(content[1]));
	return -EPROTO;
}

static bool is_key_update(uint8_t type, const uint8_t *content, size_t bytes)
{
	static const uint8_t start[] = { KEY_UPDATE, 0, 0, 1 };

	return type == RECORD_HANDSHAKE && bytes == KEY_UPDATE_BYTES &&
	       !memcmp(content, start, sizeof(start)) && content[4] <= 1;
}

/* A record without data: 0 to go on with the next */
static int take_control(struct tls *tls, uint8_t type, size_t bytes)
{
	int ret;

	if (!is_key_update(type, tls->spill, bytes)) {
		ret = tls_control(type, tls->spill, bytes, tls->error);
		tls->ended = !ret;
		return ret;
	}
	tls->answer |= tls->spill[4];
	if (record_key_renew(&tls->receive))
		return fail(tls, "key could not be renewed");
	return 0;
}

/* What did not fit the last time */
static size_t take_spilled(struct tls *tls, const struct iovec *iov, size_t at)
{
	size_t step = min(tls->spilled - tls->taken, iov->iov_len - at);

	memcpy((char *)iov->iov_base + at, tls->spill + tls->taken, step);
	tls->taken += step;
	if (tls->taken == tls->spilled) {
		OPENSSL_cleanse(tls->spill, tls->spilled);
		tls->spilled = 0;
		tls->taken = 0;
	}
	return step;
}

/*
 * Open the next record: bytes that are in the segments, 0 where it had none; -EAGAIN:
 * there is none, or not all of it; -EPROTO
 */
static ssize_t open_next(struct tls *tls, const struct iovec *iov, unsigned int count,
			 size_t at)
{
	const uint8_t *record = tls->in->data + tls->in->head;
	ssize_t bytes = record_whole(record, buffer_used(tls->in));
	size_t room = record_room(iov, count, at, RECORD_PLAIN_BYTES);
	ssize_t content;
	uint8_t type;

	if (!bytes) {
		buffer_compact(tls->in);
		return -EAGAIN;
	}
	if (bytes < 0)
		return fail(tls, "this is no protected record");
	content = record_open(&tls->receive, record, (size_t)bytes, iov, count, at,
			      tls->spill, &type);
	if (content < 0)
		return fail(tls, "a record was changed on its way, or is of another key");
	buffer_drop(tls->in, (size_t)bytes);
	if (type != RECORD_DATA)
		return take_control(tls, type, (size_t)content);
	if ((size_t)content > room) {
		tls->spilled = (size_t)content - room;
		return (ssize_t)room;
	}
	return content;
}

static void step_over(const struct iovec **iov, unsigned int *count, size_t *at,
		      size_t bytes)
{
	*at += bytes;
	while (*count && *at >= (*iov)->iov_len) {
		*at -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
}

/**
 * tls_read() - take plain bytes out
 * @tls: the object
 * @iov: where to
 * @count: segments
 *
 * Return: bytes, as many as fit or have come; 0: the peer sends no more; -EAGAIN: receive
 * more; -EPROTO: something was received that must not be, and so it is from now on.
 */
ssize_t tls_read(struct tls *tls, const struct iovec *iov, unsigned int count)
{
	ssize_t total = 0;
	ssize_t got;
	size_t at = 0;

	step_over(&iov, &count, &at, 0);
	while (count && !tls->ended && !tls->failed) {
		if (tls->spilled)
			got = (ssize_t)take_spilled(tls, iov, at);
		else
			got = open_next(tls, iov, count, at);
		if (got == -EAGAIN)
			return total ? total : -EAGAIN;
		if (got < 0) {
			tls->failed = true;
			break;
		}
		total += got;
		step_over(&iov, &count, &at, (size_t)got);
	}
	/* What came before an error is good, and the error is told the next time */
	return total || !tls->failed ? total : -EPROTO;
}

/* ---- sending ---- */

static bool has_room(const struct tls *tls)
{
	/* For the record, and for a KeyUpdate before it */
	return buffer_room(tls->out) >=
	       RECORD_PLAIN_BYTES + KEY_UPDATE_BYTES + 2 * RECORD_EXTRA_BYTES;
}

static int seal(struct tls *tls, enum record_type type, const struct iovec *iov, size_t at,
		size_t bytes)
{
	ssize_t put = record_seal(&tls->send, type, iov, at, bytes,
				  tls->out->data + tls->out->tail);

	if (put < 0)
		return fail(tls, "a record could not be made");
	tls->out->tail += (size_t)put;
	return 0;
}

static int renew_key(struct tls *tls)
{
	uint8_t message[KEY_UPDATE_BYTES] = { KEY_UPDATE, 0, 0, 1, 0 };
	const struct iovec iov = { message, sizeof(message) };
	int ret;

	if (!tls->answer && (!tls->rekey || tls->send.sequence < tls->rekey))
		return 0;
	tls->answer = false;
	ret = seal(tls, RECORD_HANDSHAKE, &iov, 0, sizeof(message));
	if (ret)
		return ret;
	return record_key_renew(&tls->send) ? fail(tls, "key could not be renewed") : 0;
}

/**
 * tls_write() - put plain bytes in
 * @tls: the object
 * @iov: them
 * @count: segments
 *
 * Return: bytes that were taken, 0 if there is no room before something was sent;
 * -EPROTO.
 */
ssize_t tls_write(struct tls *tls, const struct iovec *iov, unsigned int count)
{
	ssize_t total = 0;
	size_t bytes, at = 0;

	step_over(&iov, &count, &at, 0);
	while (count && has_room(tls)) {
		bytes = min(record_room(iov, count, at, RECORD_PLAIN_BYTES),
			    (size_t)RECORD_PLAIN_BYTES);
		if (renew_key(tls) || seal(tls, RECORD_DATA, iov, at, bytes))
			return -EPROTO;
		total += (ssize_t)bytes;
		step_over(&iov, &count, &at, bytes);
	}
	return total;
}

/**
 * tls_end() - tell the peer that nothing more comes; pending afterwards
 * @tls: the object; nothing is pending
 */
void tls_end(struct tls *tls)
{
	uint8_t alert[] = { ALERT_WARNING, ALERT_CLOSE_NOTIFY };
	const struct iovec iov = { alert, sizeof(alert) };

	if (has_room(tls))
		seal(tls, RECORD_ALERT, &iov, 0, sizeof(alert));
}

/**
 * tls_has_input() - may tls_read() find something without a receive?
 * @tls: the object
 */
bool tls_has_input(const struct tls *tls)
{
	return buffer_used(tls->in) || tls->spilled;
}
