/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main for fuzz targets built without libFuzzer: runs each file of the
 * target's corpus, and each of its prefixes, through the target. An empty
 * corpus is a failure, so that a misplaced one is noticed.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (256 * 1024)
/* Beyond this only the whole input is run: prefixes cost its square. */
#define PREFIXES_MAX 2048

/* Each prefix in memory of its very size, so that a read past it is seen. */
static void input_run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void file_replay(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	if (size <= PREFIXES_MAX)
		for (size_t length = 0; length < size; length++)
			input_run(data, length);
	input_run(data, size);
}

static int directory_replay(const char *directory)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	char path[4096];
	int files = 0;

	if (dir == NULL) {
		perror(directory);
		exit(1);
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		file_replay(path);
		files++;
	}
	closedir(dir);
	return files;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	const char *source = getenv("srcdir");
	char directory[4096];
	int files = 0;

	name = name != NULL ? name + 1 : argv[0];
	if (argc > 1) {
		for (int i = 1; i < argc; i++, files++)
			file_replay(argv[i]);
	} else {
		snprintf(directory, sizeof(directory),
			 "%s/tests/fuzz/corpus/%s",
			 source != NULL ? source : ".", name);
		files = directory_replay(directory);
	}
	printf("%s: %d inputs\n", name, files);
	return files > 0 ? 0 : 1;
}
