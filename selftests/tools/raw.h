/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the references of the benchmark have in common: a region of memory, two
 * processes, connections between them over loopback, one line of figures.
 */
#ifndef RAW_H
#define RAW_H

#include <stdbool.h>
#include <stdint.h>

#define RAW_MAX_CONNECTIONS	64

/**
 * struct raw_options - the command line
 * @bytes: of the region
 * @connections: how many
 * @chunk: bytes that a connection takes of the region at a time
 * @socket_buffer: of every socket; 0: the kernel decides
 * @content: "random", "zero" or the name of a file
 * @suite: cipher suite; NULL where there is none
 */
struct raw_options {
	uint64_t bytes;
	unsigned int connections;
	unsigned int chunk;
	int socket_buffer;
	const char *content;
	const char *suite;
};

/**
 * struct raw_result - what one side reports
 * @bytes: of content that it has dealt with
 * @ns: sender: before the first byte; receiver: after the last one
 * @cpu_s: processor time from the first byte on
 */
struct raw_result {
	uint64_t bytes;
	uint64_t ns;
	double cpu_s;
};

/**
 * struct raw_transport - a way to carry the bytes
 * @name: of the program
 * @suite: default cipher suite; NULL: it has none
 * @prepare: called before the fork, or NULL; what it returns is @data below
 * @send: the sending process: all of the region, over all of the connections
 * @receive: the receiving process: until every connection has ended
 *
 * All of them return 0 (@prepare: not NULL), or have printed why not.
 */
struct raw_transport {
	const char *name;
	const char *suite;
	void *(*prepare)(const struct raw_options *opt);
	int (*send)(const struct raw_options *opt, void *data, uint8_t *region,
		    const int *fds, struct raw_result *result);
	int (*receive)(const struct raw_options *opt, void *data, const int *fds,
		       struct raw_result *result);
};

int raw_main(const struct raw_transport *transport, int argc, char **argv);
uint64_t raw_now_ns(void);
double raw_cpu_seconds(void);
uint8_t *raw_buffers(const struct raw_options *opt);

#endif
