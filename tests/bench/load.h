/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Processes that do one thing again and again, each as fast as it can. */
struct load {
	const char *program;
	long clients;
	int64_t warm_us, measured_us;
	void *(*open)(size_t client, size_t clients);
	bool (*one)(void *client); /* false: there is nothing left to do */
};

/* Prints one line of JSON: how many were done, in how long, how long each
 * took. True when all went well. */
bool load_run(const struct load *load);
/* Counts one that had to be done again. */
void load_retried(void);
int64_t load_now_us(void);

/* The lines of a file, at least one. */
char **load_lines(const char *program, const char *path, size_t *count);
_Noreturn void load_fail(const char *program, const char *what,
			 const char *why);

#endif
