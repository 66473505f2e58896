/* SPDX-License-Identifier: Apache-2.0 */
#include "../../src/base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

static bool all_zero(const unsigned char *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* Sizes around the block's end too: zeroed, aligned, apart from each other. */
START_TEST(allocations_are_zeroed_aligned_and_apart)
{
	struct arena *arena = arena_new(256);
	unsigned char *pieces[300];
	size_t size, i;
	int round;

	for (round = 0; round < 3; round++) {
		for (size = 0; size < 300; size++) {
			pieces[size] = arena_alloc(arena, size);
			ck_assert_uint_eq((uintptr_t)pieces[size] % 16, 0);
			ck_assert(all_zero(pieces[size], size));
			memset(pieces[size], (int)(size & 0xff), size);
		}
		for (size = 0; size < 300; size++)
			for (i = 0; i < size; i++)
				ck_assert_uint_eq(pieces[size][i], size & 0xff);
		arena_reset(arena);
	}
	arena_free(arena);
}
END_TEST

START_TEST(reset_wipes_the_first_block)
{
	struct arena *arena = arena_new(4096);
	char *pan = arena_strdup(arena, "4111111111111111");

	arena_reset(arena);
	ck_assert(all_zero((unsigned char *)pan, 16));
	ck_assert_ptr_eq(arena_alloc(arena, 1), pan);
	arena_free(arena);
}
END_TEST

START_TEST(strings_are_copied)
{
	struct arena *arena = arena_new(64);
	char source[] = "some text";
	char *copy = arena_strdup(arena, source);

	source[0] = 'X';
	ck_assert_str_eq(copy, "some text");
	ck_assert_str_eq(arena_strndup(arena, "abcdef", 3), "abc");
	ck_assert_str_eq(arena_strndup(arena, "ab", 30), "ab");
	ck_assert_str_eq(arena_strndup(arena, "ab", 0), "");
	ck_assert_str_eq(arena_printf(arena, "%s=%d", "n", 42), "n=42");
	ck_assert_uint_eq(strlen(arena_printf(arena, "%5000d", 1)), 5000);
	arena_free(arena);
}
END_TEST

/* Out of memory ends the process with a BROKEN line. */
START_TEST(exhaustion_exits)
{
	int pipe_ends[2], status;
	char log[2048] = "";
	pid_t child;

	ck_assert_int_eq(pipe(pipe_ends), 0);
	child = fork();
	if (child == 0) {
		struct arena *arena = arena_new(64);

		(void)dup2(pipe_ends[1], STDERR_FILENO);
		(void)arena_alloc(arena, SIZE_MAX - 16);
		_exit(0);
	}
	(void)close(pipe_ends[1]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_ne(WEXITSTATUS(status), 0);
	ck_assert_int_gt(read(pipe_ends[0], log, sizeof(log) - 1), 0);
	ck_assert_ptr_nonnull(strstr(log, "level=BROKEN"));
}
END_TEST

SUITE("arena", allocations_are_zeroed_aligned_and_apart,
      reset_wipes_the_first_block, strings_are_copied, exhaustion_exits)
