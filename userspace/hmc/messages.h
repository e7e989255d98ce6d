/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The catalogue of the console's messages: every code that message() is given.
 */
#ifndef _HMC_MESSAGES_H
#define _HMC_MESSAGES_H

enum severity {
	SEVERITY_NONE,		/* of a check: not checked */
	SEVERITY_WARNING,	/* the command goes on */
	SEVERITY_ERROR,
	SEVERITY_EITHER,	/* of a code: the check or an option decides */
};

/**
 * struct message_kind - what a code stands for
 * @code:	HSC...: IBM's, with IBM's meaning; LPM...: this project's
 * @severity:	what it is
 * @meaning:	in one line, as in Documentation/console.rst
 */
struct message_kind {
	const char *code;
	enum severity severity;
	const char *meaning;
};

extern const struct message_kind message_kinds[];	/* ends with an empty one */

const struct message_kind *message_kind(const char *code);
const char *severity_name(enum severity severity);

#endif /* _HMC_MESSAGES_H */
