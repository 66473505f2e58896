/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main for fuzz targets in builds without libFuzzer: runs every file of the
 * folders named, or else of the target's own corpus in the source tree.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1024 * 1024)

static int replay_file(const char *path)
{
	uint8_t *data, *exact;
	size_t size;
	FILE *file = fopen(path, "rb");

	if (file == NULL) {
		perror(path);
		return -1;
	}
	data = malloc(INPUT_MAX);
	if (data == NULL)
		abort();
	size = fread(data, 1, INPUT_MAX, file);
	(void)fclose(file);
	/* A copy of the very size, so that a sanitizer sees one byte too far.
	 */
	exact = realloc(data, size > 0 ? size : 1);
	if (exact == NULL)
		abort();
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 0;
}

/* The number of files replayed, -1 when something could not be read. */
static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[4096];
	int count = 0;

	if (dir == NULL) {
		perror(folder);
		return -1;
	}
	while (count >= 0 && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder,
			       entry->d_name);
		count = replay_file(path) == 0 ? count + 1 : -1;
	}
	(void)closedir(dir);
	printf("%s: %d inputs\n", folder, count);
	return count;
}

int main(int argc, char **argv)
{
	const char *source = getenv("srcdir"), *name = strrchr(argv[0], '/');
	char folder[4096];
	int i;

	for (i = 1; i < argc; i++)
		if (replay_folder(argv[i]) <= 0)
			return EXIT_FAILURE;
	if (argc > 1)
		return EXIT_SUCCESS;
	(void)snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
		       source != NULL ? source : ".",
		       name != NULL ? name + 1 : argv[0]);
	return replay_folder(folder) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
