// SPDX-License-Identifier: GPL-2.0
/*
 * The control channel: lines to who plays the platform, and their answers.
 *
 *	-> 17 state A c0de000000000001
 *	<- 17 ok Enabled
 *	-> 18 nonsense
 *	<- 18 error unknown request: nonsense
 *
 * The number is the request's.  An answer with another one is of a test that was
 * ended before it came.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "vasi_test.h"

/* One request at a time, from whatever thread */
static pthread_mutex_t control_lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *control_in;
static int control_fd = -1;
static unsigned int control_number;

bool vt_have_control(void)
{
	return getenv("VASI_CONTROL");
}

static int control_open(void)
{
	const char *path = getenv("VASI_CONTROL");
	struct termios mode;

	if (control_fd >= 0)
		return 0;
	if (!path)
		return -ENODEV;
	control_fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (control_fd < 0)
		return -errno;
	if (!tcgetattr(control_fd, &mode)) {
		cfmakeraw(&mode);
		tcsetattr(control_fd, TCSANOW, &mode);
	}
	control_in = fdopen(dup(control_fd), "r");
	control_number = getpid() * 1000;
	return control_in ? 0 : -ENOMEM;
}

static int write_all(const char *text, size_t bytes)
{
	ssize_t done;

	while (bytes) {
		done = write(control_fd, text, bytes);
		if (done < 0)
			return -errno;
		text += done;
		bytes -= done;
	}
	return 0;
}

static int read_answer(char *answer)
{
	char line[VT_ANSWER];
	unsigned int number;
	int at;

	while (fgets(line, sizeof(line), control_in)) {
		line[strcspn(line, "\r\n")] = 0;
		if (sscanf(line, "%u %n", &number, &at) < 1 ||
		    number != control_number)
			continue;
		if (!strncmp(line + at, "ok", 2)) {
			if (answer)
				strcpy(answer, line + at + 2 + (line[at + 2] == ' '));
			return 0;
		}
		fprintf(stderr, "# control: %s\n", line + at);
		return -EREMOTEIO;
	}
	return -EPIPE;
}

static int ask(char *answer, const char *format, va_list args)
{
	char line[VT_ANSWER];
	int start, bytes, err;

	err = control_open();
	if (err)
		return err;
	start = snprintf(line, sizeof(line), "%u ", ++control_number);
	bytes = vsnprintf(line + start, sizeof(line) - start - 1, format, args);
	bytes += start;
	if (bytes >= (int)sizeof(line) - 1)
		return -EMSGSIZE;
	line[bytes++] = '\n';
	err = write_all(line, bytes);
	return err ? err : read_answer(answer);
}

/* 0, and what comes after "ok" in @answer (VT_ANSWER bytes, or NULL); or -errno */
int vt_ask(char *answer, const char *format, ...)
{
	va_list args;
	int err;

	pthread_mutex_lock(&control_lock);
	va_start(args, format);
	err = ask(answer, format, args);
	va_end(args);
	pthread_mutex_unlock(&control_lock);
	return err;
}

/* A request whose answer is a hexadecimal number; 0 is an error */
uint64_t vt_ask_number(const char *format, ...)
{
	char answer[VT_ANSWER];
	va_list args;
	int err;

	pthread_mutex_lock(&control_lock);
	va_start(args, format);
	err = ask(answer, format, args);
	va_end(args);
	pthread_mutex_unlock(&control_lock);
	return err ? 0 : strtoull(answer, NULL, 16);
}

/*
 * The scripted platform
 */

static void to_hex(char *hex, const void *data, size_t bytes)
{
	const unsigned char *from = data;

	for (; bytes; bytes--, hex += 2)
		sprintf(hex, "%02x", *from++);
}

static int from_hex(void *data, const char *hex, size_t bytes)
{
	unsigned char *to = data;
	unsigned int byte;

	if (strlen(hex) != 2 * bytes)
		return -EBADMSG;
	for (; bytes; bytes--, hex += 2) {
		if (sscanf(hex, "%2x", &byte) != 1)
			return -EBADMSG;
		*to++ = byte;
	}
	return 0;
}

/* As at the start: everything is answered as a platform should, nothing is kept */
int vt_script_reset(void)
{
	return vt_ask(NULL, "script reset");
}

/* Put an entry into the guest's queue */
int vt_script_send(const struct vasi_crq *entry)
{
	char hex[2 * sizeof(*entry) + 1];

	to_hex(hex, entry, sizeof(*entry));
	return vt_ask(NULL, "script send %s", hex);
}

/* Wait for the first entry of a format that was not waited for before */
int vt_script_wait(uint8_t format, struct vasi_crq *entry)
{
	char answer[VT_ANSWER];
	int err = vt_ask(answer, "script wait %02x", format);

	return err ? err : from_hex(entry, answer, sizeof(*entry));
}

/* How many entries of a format have come that were not waited for; -errno */
int vt_script_count(uint8_t format)
{
	char answer[VT_ANSWER];
	int err = vt_ask(answer, "script count %02x", format);

	return err ? err : (int)strtol(answer, NULL, 16);
}

/* Read the first pane, as the platform does */
int vt_script_read(uint32_t ioba, void *data, uint32_t bytes)
{
	char answer[VT_ANSWER];
	int err = vt_ask(answer, "script read %x %x", ioba, bytes);

	return err ? err : from_hex(data, answer, bytes);
}

int vt_script_write(uint32_t ioba, const void *data, uint32_t bytes)
{
	char hex[VT_ANSWER / 2];

	if (bytes > sizeof(hex) / 2 - 1)
		return -EMSGSIZE;
	to_hex(hex, data, bytes);
	return vt_ask(NULL, "script write %x %s", ioba, hex);
}

/**
 * vt_script_operation() - the platform fills a buffer and tells so
 * @s:		session
 * @descriptor:	of the buffer, as its Add Buffer had it, as a number
 * @correlator:	of the operation
 * @op_code:	VASI_OP_* bits
 * @data:	of one immediate segment
 * @bytes:	of data, few
 */
int vt_script_operation(const struct vt_session *s, uint64_t descriptor,
			uint64_t correlator, uint8_t op_code, const void *data,
			uint32_t bytes)
{
	struct vasi_crq entry = {
		.header = VASI_CRQ_COMMAND,
		.format = VASI_FMT_OPERATION,
	};
	struct vasi_op_specifier specifier = {
		.top = htobe32(s->open.top),
		.bottom = htobe32(s->open.bottom),
		.op_code = op_code,
		.correlator = htobe64(correlator),
	};
	unsigned char body[512] = { 0 };
	uint32_t ioba = descriptor;
	uint32_t word = htobe32(bytes);
	size_t at = sizeof(specifier);
	int err;

	if (bytes > sizeof(body) - at - sizeof(word) - VASI_TERMINATOR_BYTES)
		return -EMSGSIZE;
	memcpy(body, &specifier, sizeof(specifier));
	if (bytes) {
		memcpy(body + at, &word, sizeof(word));
		memcpy(body + at + sizeof(word), data, bytes);
		at += sizeof(word) + bytes;
	}
	at += VASI_TERMINATOR_BYTES;
	err = vt_script_read(ioba, &entry.data, sizeof(entry.data));
	if (!err)
		err = vt_script_write(ioba + VASI_CORRELATOR_BYTES, body, at);
	return err ? err : vt_script_send(&entry);
}
