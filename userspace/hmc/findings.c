// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a validation found.
 *
 * A check notes what it looks at.  When it finds something, its notes become the
 * details of that; when it finds nothing, nobody wants to know them.
 */
#include <stdio.h>
#include <string.h>

#include "common/notice.h"
#include "hmc/console.h"
#include "hmc/findings.h"

/**
 * findings_init() - nothing was found yet
 * @findings:	to be released
 */
void findings_init(struct findings *findings)
{
	*findings = (struct findings) { .list = json_array(), .notes = json_array() };
}

void findings_release(struct findings *findings)
{
	json_decref(findings->list);
	json_decref(findings->notes);
	*findings = (struct findings) { };
}

/**
 * text_json() - a text as JSON, whatever is in it
 * @fmt:	the text
 * @ap:		for @fmt
 *
 * Of one that was cut, or is no UTF-8, what can be shown is kept.
 */
json_t *text_json(const char *fmt, va_list ap)
{
	char text[FINDING_BYTES];
	json_t *string;

	vsnprintf(text, sizeof(text), fmt, ap);
	string = json_string(text);
	if (string)
		return string;
	for (char *c = text; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	return json_string(text);
}

/**
 * findings_add() - something stands against the migration
 * @findings:	what was found
 * @code:	of the catalogue
 * @severity:	SEVERITY_ERROR or SEVERITY_WARNING
 * @fmt:	what was found, what was expected, what to do
 * @ap:		for @fmt
 */
void findings_add(struct findings *findings, const char *code, enum severity severity,
		  const char *fmt, va_list ap)
{
	json_array_append_new(findings->list,
			      json_pack("{s:s, s:b, s:o, s:o}", "code", code,
					"error", severity == SEVERITY_ERROR,
					"text", text_json(fmt, ap),
					"details", findings->notes));
	findings->notes = json_array();
	if (severity == SEVERITY_ERROR)
		findings->errors++;
	else
		findings->warnings++;
}

/**
 * findings_note() - a detail of what may be found next
 * @findings:	what was found
 * @level:	of -d from which on it is told, 1 to 5
 * @fmt:	what was looked at
 * @ap:		for @fmt
 */
void findings_note(struct findings *findings, int level, const char *fmt, va_list ap)
{
	json_t *note = json_pack("{s:i, s:o}", "level", level, "text", text_json(fmt, ap));

	/* What is told first comes first */
	if (level == 1)
		json_array_insert_new(findings->notes, 0, note);
	else
		json_array_append_new(findings->notes, note);
}

/**
 * findings_forget_notes() - nothing was found there
 * @findings:	what was found
 */
void findings_forget_notes(struct findings *findings)
{
	json_array_clear(findings->notes);
}

/* What was found ends where it says what was expected, or what to do */
static int first_part(const char *text)
{
	const char *semicolon = strstr(text, "; ");
	const char *stop = strstr(text, ". ");

	if (semicolon && (!stop || semicolon < stop))
		stop = semicolon;
	return stop ? (int)(stop - text) : (int)strlen(text) - (text[0] != '\0');
}

static void print_finding(const json_t *finding, int detail, bool nodetails)
{
	const char *text = text_of(finding, "text");
	json_t *note;
	size_t i;

	if (nodetails) {
		message(text_of(finding, "code"), "%.*s.", first_part(text), text);
		return;
	}
	message(text_of(finding, "code"), "%s", text);
	json_array_foreach(json_object_get(finding, "details"), i, note)
		if (number_of(note, "level") <= detail)
			notice("    ", "%s", text_of(note, "text"));
}

static void print_part(const struct findings *findings, bool errors, int detail, bool nodetails)
{
	json_t *finding;
	size_t i;

	fputs(errors ? "Errors:\n" : "Warnings:\n", stderr);
	json_array_foreach(findings->list, i, finding)
		if (flag_of(finding, "error") == errors)
			print_finding(finding, detail, nodetails);
}

/**
 * findings_print() - tell the user, on standard error
 * @findings:	what was found
 * @detail:	-d
 * @nodetails:	only the codes and what was found
 */
void findings_print(const struct findings *findings, int detail, bool nodetails)
{
	if (findings->errors)
		print_part(findings, true, detail, nodetails);
	if (findings->warnings)
		print_part(findings, false, detail, nodetails);
}
