/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers of a daemon on a command's standard output.
 */
#ifndef _COMMON_SHOW_H
#define _COMMON_SHOW_H

#include <jansson.h>

void show_clean(json_t *value);
void show_json(const json_t *value);
void show_value(const json_t *value);
void show_object(const json_t *object);
const char *show_text(const json_t *object, const char *name);
long long show_number(const json_t *object, const char *name);

#endif /* _COMMON_SHOW_H */
