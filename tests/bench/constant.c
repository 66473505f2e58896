/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least that a FastCGI worker can do: libfcgi's own loop, and the same
 * bytes for every request. What nginx and this reach together is the ceiling
 * of every worker behind that nginx.
 */
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BODY_MAX (1024 * 1024)
#define PROCESSES_MAX 256

static char body[BODY_MAX];
static int body_len;

static int body_read(const char *path)
{
	ssize_t got;
	int file = open(path, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		return -1;
	while ((got = read(file, body + body_len,
			   (size_t)(BODY_MAX - body_len))) > 0)
		body_len += (int)got;
	close(file);
	return got < 0 ? -1 : 0;
}

_Noreturn static void answer(int listen_fd)
{
	FCGX_Request request;
	char head[128];
	int len;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	len = snprintf(head, sizeof(head),
		       "Status: 200 OK\r\nContent-Type: application/json\r\n"
		       "Content-Length: %d\r\n\r\n",
		       body_len);
	if (FCGX_Init() != 0 || FCGX_InitRequest(&request, listen_fd, 0) != 0)
		exit(EXIT_FAILURE);
	while (FCGX_Accept_r(&request) >= 0) {
		FCGX_PutStr(head, len, request.out);
		FCGX_PutStr(body, body_len, request.out);
		FCGX_Finish_r(&request);
	}
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	long processes = argc == 4 ? strtol(argv[2], NULL, 10) : 0;
	int listen_fd;

	if (processes < 1 || processes > PROCESSES_MAX) {
		fputs("usage: constant SOCKET PROCESSES BODY-FILE\n", stderr);
		return 2;
	}
	/* The bench may be killed; nobody else would end this. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (body_read(argv[3]) != 0) {
		perror(argv[3]);
		return EXIT_FAILURE;
	}
	listen_fd = FCGX_OpenSocket(argv[1], 4096);
	if (listen_fd < 0) {
		fprintf(stderr, "cannot listen on %s\n", argv[1]);
		return EXIT_FAILURE;
	}
	for (long i = 0; i < processes; i++)
		if (fork() == 0)
			answer(listen_fd);
	while (wait(NULL) > 0)
		continue;
	return EXIT_FAILURE;
}
