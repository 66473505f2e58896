/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define ALIGNMENT 16

struct block {
	struct block *next;
	size_t size, used;
	_Alignas(ALIGNMENT) unsigned char data[];
};

struct arena {
	struct block *first, *last;
};

/* Zeroed, so that an allocation need not be: reset wipes what was used. */
static struct block *block_new(size_t size)
{
	struct block *block = NULL;

	if (size <= SIZE_MAX - sizeof(*block))
		block = calloc(1, sizeof(*block) + size);
	if (block == NULL) {
		log_broken("event=out_of_memory size=%zu", size);
		exit(EXIT_FAILURE);
	}
	block->size = size;
	return block;
}

static void block_wipe(struct block *block)
{
	explicit_bzero(block->data, block->used);
	block->used = 0;
}

struct arena *arena_new(size_t first_block)
{
	struct arena *arena = calloc(1, sizeof(*arena));

	if (arena == NULL) {
		log_broken("event=out_of_memory size=%zu", sizeof(*arena));
		exit(EXIT_FAILURE);
	}
	arena->first = arena->last = block_new(first_block);
	return arena;
}

void arena_reset(struct arena *arena)
{
	struct block *block = arena->first->next;

	while (block != NULL) {
		struct block *next = block->next;

		block_wipe(block);
		free(block);
		block = next;
	}
	block_wipe(arena->first);
	arena->first->next = NULL;
	arena->last = arena->first;
}

void arena_free(struct arena *arena)
{
	if (arena == NULL)
		return;
	arena_reset(arena);
	free(arena->first);
	free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct block *block = arena->last;
	void *memory;

	if (size == 0)
		size = 1;
	if (size <= SIZE_MAX - ALIGNMENT)
		size = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
	if (size > block->size - block->used) {
		size_t least = arena->first->size;

		block->next = block_new(size > least ? size : least);
		block = arena->last = block->next;
	}
	memory = block->data + block->used;
	block->used += size;
	return memory;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	size_t real = strnlen(text, len);
	char *copy = arena_alloc(arena, real + 1);

	memcpy(copy, text, real);
	return copy;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0) {
		log_broken("event=bad_format");
		return arena_strdup(arena, "");
	}
	text = arena_alloc(arena, (size_t)len + 1);
	(void)vsnprintf(text, (size_t)len + 1, format, args);
	return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}
