// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes as the HMC's -i and -f have them: name=value,name=value.
 *
 * A pair whose value holds commas stands in double quotes, "name=a,b", or its value
 * does, name="a,b".  Within quotes two of them are one, and so is \".  What was quoted
 * for one shell too many has \" in place of every quote: that is read the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/notice.h"
#include "hmc/attributes.h"

/* How many bytes the quote here has: 1, or 2 if a backslash stands before it */
static size_t quote_length(const char *text)
{
	if (*text == '"')
		return 1;
	return text[0] == '\\' && text[1] == '"' ? 2 : 0;
}

/* What is between quotes; @text is at the first one, and then behind the last one */
static int take_quoted(const char **text, char **out, char *why)
{
	const char *at = *text;
	size_t quote = quote_length(at), here;

	for (at += quote; *at;) {
		here = quote_length(at);
		if (here == quote && quote_length(at + here) != quote) {
			*text = at + here;
			return 0;
		}
		if (!here) {
			*(*out)++ = *at++;
			continue;
		}
		/* Two of the kind that encloses, or an escaped one in a plain pair */
		*(*out)++ = '"';
		at += here == quote ? 2 * here : here;
	}
	snprintf(why, ATTRIBUTES_WHY, "a double quote is not closed");
	return -EINVAL;
}

/**
 * attributes_next() - take the next pair of a record
 * @text:	the rest of the record; then behind the pair and its comma
 * @pair:	gets it without its quotes; as large as @text is long, and one byte more
 * @why:	what is wrong with it
 *
 * Return: 1, 0 at the end, or -EINVAL.
 */
int attributes_next(const char **text, char *pair, char why[ATTRIBUTES_WHY])
{
	const char *at = *text + strspn(*text, " \t");
	char *out = pair;

	if (!*at)
		return 0;
	if (quote_length(at)) {
		if (take_quoted(&at, &out, why))
			return -EINVAL;
		at += strspn(at, " \t");
	}
	while (*at && *at != ',') {
		bool value = out > pair && out[-1] == '=';

		if (!quote_length(at)) {
			*out++ = *at++;
		} else if (!value || take_quoted(&at, &out, why)) {
			if (!value)
				snprintf(why, ATTRIBUTES_WHY,
					 "a double quote stands within a pair; it must enclose the pair or its value");
			return -EINVAL;
		}
	}
	*out = '\0';
	if (*at == ',' && !at[1 + strspn(at + 1, " \t")]) {
		snprintf(why, ATTRIBUTES_WHY, "nothing follows the last comma");
		return -EINVAL;
	}
	*text = *at ? at + 1 : at;
	return 1;
}

static bool is_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

static bool is_known(const char *const *known, const char *name)
{
	for (; *known; known++)
		if (!strcmp(*known, name))
			return true;
	return false;
}

static int add_pair(char *pair, const char *const *known, json_t *attributes, char *why)
{
	char *value = strchr(pair, '=');

	if (value)
		*value++ = '\0';
	/* What is no name is not repeated: it may be anything that was in a file */
	if (!value || !is_name(pair)) {
		snprintf(why, ATTRIBUTES_WHY,
			 "pair %zu is not attribute=value", json_object_size(attributes) + 1);
		return -EINVAL;
	}
	if (!is_known(known, pair))
		snprintf(why, ATTRIBUTES_WHY, "the attribute \"%.64s\" is unknown here", pair);
	else if (json_object_get(attributes, pair))
		snprintf(why, ATTRIBUTES_WHY, "the attribute \"%.64s\" is given twice", pair);
	else if (json_object_size(attributes) == ATTRIBUTES_PAIRS)
		snprintf(why, ATTRIBUTES_WHY, "there are more than %d attributes",
			 ATTRIBUTES_PAIRS);
	else if (json_object_set_new(attributes, pair, json_string(value)))
		return -ENOMEM;
	else
		return 0;
	return -EINVAL;
}

/**
 * attributes_parse() - take a record of attributes apart
 * @text:	name=value,...
 * @known:	names that there may be, NULL behind the last
 * @attributes:	object of strings; the caller's
 * @why:	what is wrong with it
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int attributes_parse(const char *text, const char *const *known, json_t **attributes,
		     char why[ATTRIBUTES_WHY])
{
	char *pair;
	int more;

	*attributes = NULL;
	snprintf(why, ATTRIBUTES_WHY, "no memory");
	if (text_problem(text, ATTRIBUTES_BYTES, why, ATTRIBUTES_WHY))
		return -EINVAL;
	pair = malloc(strlen(text) + 1);
	*attributes = json_object();
	more = pair && *attributes ? 0 : -ENOMEM;
	while (!more && (more = attributes_next(&text, pair, why)) > 0)
		more = add_pair(pair, known, *attributes, why);
	if (!more && !json_object_size(*attributes)) {
		snprintf(why, ATTRIBUTES_WHY, "there is no attribute in it");
		more = -EINVAL;
	}
	free(pair);
	if (more) {
		json_decref(*attributes);
		*attributes = NULL;
	}
	return more;
}

/* A group's rights that the program may have are for sockets, and not for the user's files */
static int open_as_user(const char *path)
{
	gid_t lent = getegid();
	int fd, error;

	if (setegid(getgid()))
		return -1;
	/* Not to wait for the writer of a FIFO */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	error = errno;
	if (setegid(lent))
		_exit(EXIT_FAILURE);
	errno = error;
	return fd;
}

/* The whole file, which the caller frees */
static char *read_text(const char *path, char *why)
{
	int fd = open_as_user(path);
	char *text = NULL;
	size_t length = 0;
	struct stat st;
	ssize_t got;

	if (fd < 0) {
		snprintf(why, ATTRIBUTES_WHY, "%s", strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(why, ATTRIBUTES_WHY, "it is no regular file");
		goto close_file;
	}
	text = malloc(ATTRIBUTES_FILE_BYTES + 1);
	do {
		got = text ? read(fd, text + length, ATTRIBUTES_FILE_BYTES + 1 - length) : -1;
		length += got > 0 ? (size_t)got : 0;
	} while (got > 0 && length <= ATTRIBUTES_FILE_BYTES);
	if (!got && !memchr(text, '\0', length)) {
		text[length] = '\0';
		goto close_file;
	}
	snprintf(why, ATTRIBUTES_WHY, "%s", got < 0 ? strerror(errno) :
		 got ? "it is longer than 1 MiB" : "it is no text: it holds a byte 0");
	free(text);
	text = NULL;
close_file:
	close(fd);
	return text;
}

static int add_line(char *line, unsigned int number, const char *const *known,
		    json_t *records, char *why)
{
	char reason[ATTRIBUTES_WHY];
	size_t length = strlen(line);
	json_t *record;

	if (length && line[length - 1] == '\r')
		line[length - 1] = '\0';
	if (!line[strspn(line, " \t")])
		return 0;
	if (json_array_size(records) == ATTRIBUTES_RECORDS) {
		snprintf(why, ATTRIBUTES_WHY, "it has more than %d records", ATTRIBUTES_RECORDS);
		return -EINVAL;
	}
	if (attributes_parse(line, known, &record, reason)) {
		snprintf(why, ATTRIBUTES_WHY, "line %u: %.200s", number, reason);
		return -EINVAL;
	}
	return json_array_append_new(records, record) ? -ENOMEM : 0;
}

/**
 * attributes_read() - read a file of records of attributes, one a line
 * @path:	the file
 * @known:	names that there may be, NULL behind the last
 * @records:	array of objects of strings, at least one; the caller's
 * @why:	what is wrong with it
 *
 * Return: 0, -EINVAL or -ENOMEM.
 */
int attributes_read(const char *path, const char *const *known, json_t **records,
		    char why[ATTRIBUTES_WHY])
{
	char *text = read_text(path, why), *rest = text, *line;
	unsigned int number = 0;
	int error = text ? 0 : -EINVAL;

	*records = json_array();
	while (!error && (line = strsep(&rest, "\n")))
		error = add_line(line, ++number, known, *records, why);
	free(text);
	if (!error && !json_array_size(*records)) {
		snprintf(why, ATTRIBUTES_WHY, "there is no record in it");
		error = -EINVAL;
	}
	if (error) {
		json_decref(*records);
		*records = NULL;
	}
	return error;
}
