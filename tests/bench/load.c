/* SPDX-License-Identifier: Apache-2.0 */
/* What the bench's own clients have in common. */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define STEP_US 10 /* of the histogram */
#define STEPS 300000

struct shared {
	uint32_t histogram[STEPS];
	uint64_t count, retries;
};

static struct shared *shared;

_Noreturn void load_fail(const char *program, const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program, what, why);
	exit(EXIT_FAILURE);
}

int64_t load_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void load_retried(void)
{
	__atomic_fetch_add(&shared->retries, 1, __ATOMIC_RELAXED);
}

char **load_lines(const char *program, const char *path, size_t *count)
{
	FILE *file = fopen(path, "re");
	char **lines = NULL, **longer, *line = NULL;
	size_t room = 0, size = 0;

	if (!file)
		load_fail(program, path, "cannot be read");
	*count = 0;
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (*count == room) {
			room = room == 0 ? 1024 : room * 2;
			longer = reallocarray(lines, room, sizeof(*lines));
			if (!longer)
				load_fail(program, path, "out of memory");
			lines = longer;
		}
		lines[*count] = strdup(line);
		if (!lines[*count])
			load_fail(program, path, "out of memory");
		(*count)++;
	}
	free(line);
	fclose(file);
	if (*count == 0)
		load_fail(program, path, "empty");
	return lines;
}

_Noreturn static void client_run(const struct load *load, size_t number,
				 int64_t begin_us)
{
	int64_t end_us = begin_us + load->measured_us;
	int64_t after_us = 0;
	void *client;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	client = load->open(number, (size_t)load->clients);
	while (after_us < end_us) {
		int64_t before_us = load_now_us(), step;

		if (!load->one(client))
			load_fail(load->program, "load", "nothing left to do");
		after_us = load_now_us();
		if (after_us < begin_us || after_us >= end_us)
			continue;
		step = (after_us - before_us) / STEP_US;
		__atomic_fetch_add(
			&shared->histogram[step < STEPS ? step : STEPS - 1], 1,
			__ATOMIC_RELAXED);
		__atomic_fetch_add(&shared->count, 1, __ATOMIC_RELAXED);
	}
	exit(EXIT_SUCCESS);
}

static void result_print(int64_t measured_us)
{
	const char *comma = "";

	printf("{\"requests\":%llu,\"us\":%lld,\"retries\":%llu,"
	       "\"latency\":[",
	       (unsigned long long)shared->count, (long long)measured_us,
	       (unsigned long long)shared->retries);
	for (int i = 0; i < STEPS; i++) {
		if (shared->histogram[i] == 0)
			continue;
		printf("%s[%d,%u]", comma, (i + 1) * STEP_US,
		       shared->histogram[i]);
		comma = ",";
	}
	puts("]}");
}

bool load_run(const struct load *load)
{
	int64_t begin_us;
	bool failed = false;
	int status;

	if (load->clients < 1 || load->clients > CLIENTS_MAX)
		load_fail(load->program, "clients", "too few or too many");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		load_fail(load->program, "memory", "none left");
	begin_us = load_now_us() + load->warm_us;
	for (long i = 0; i < load->clients; i++)
		if (fork() == 0)
			client_run(load, (size_t)i, begin_us);
	while (wait(&status) > 0)
		failed = failed || status != 0;
	if (!failed)
		result_print(load->measured_us);
	return !failed;
}
