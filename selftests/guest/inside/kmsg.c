// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmsg: says "kernel: TEXT" for what the kernel warns of, from now on.
 *
 * The kernel itself is told to leave the console alone, as long as it lives: what it
 * prints there lands in the middle of others' lines.
 */
#include <fcntl.h>
#include <sys/klog.h>

#include "inside.h"

#define CONSOLE_LEVEL	8	/* klogctl(): what goes to the console */
#define EMERGENCY_ONLY	1
#define WARNING		4
#define RECORD_BYTES	8192

/* "PRIORITY,NUMBER,TIME,FLAGS;TEXT\n", and lines that say more of it */
static void record(char *text)
{
	unsigned long priority = strtoul(text, NULL, 10);
	char *line = strchr(text, ';');

	/* Of the kernel's own, not what was written into its log */
	if (!line || priority > WARNING)
		return;
	line[1 + strcspn(line + 1, "\n")] = '\0';
	say("kernel: %s", line + 1);
}

int main(void)
{
	int fd = open("/dev/kmsg", O_RDONLY);
	char text[RECORD_BYTES + 1];
	ssize_t got;

	if (fd < 0 || lseek(fd, 0, SEEK_END) < 0 ||
	    klogctl(CONSOLE_LEVEL, NULL, EMERGENCY_ONLY) < 0) {
		say("FAIL: kernel: its log: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	say("kernel: messages from here on");
	for (;;) {
		got = read(fd, text, RECORD_BYTES);
		if (got > 0) {
			text[got] = '\0';
			record(text);
		} else if (errno == EPIPE) {
			say("kernel: some messages are lost");
		} else if (errno != EINTR) {
			say("FAIL: kernel: its log: %s", strerror(errno));
			return EXIT_FAILURE;
		}
	}
}
