/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Memory of one request: allocated by bumping a pointer, freed all at once.
 * The first block is kept between requests; arena_reset wipes what was used,
 * since card numbers pass through it. Allocation never returns NULL: a process
 * that is out of memory logs BROKEN and exits, and its master replaces it.
 */
struct arena;

struct arena *arena_new(size_t first_block);
void arena_reset(struct arena *arena);
void arena_free(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned to 16 */
char *arena_strdup(struct arena *arena, const char *text);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

#endif
