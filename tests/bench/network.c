/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A card processor: the network interface with a client certificate, which wrk
 * cannot send. One process and one kept connection a client.
 *
 *   network PORT TLS LINES CLIENTS WARM-MS MEASURED-MS authorize|clear
 *
 * TLS is a folder with ca.pem, network.pem and network.key. LINES has the
 * cards' ids, used in turn, or the references to clear, each once.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

static char **lines;
static size_t line_count;
static uint16_t port;
static bool clears;
static SSL_CTX *tls;

struct client {
	SSL *ssl;
	size_t line, step;
	uint64_t sent;
};

_Noreturn static void fail(const char *what, const char *why)
{
	load_fail("network", what, why);
}

static SSL_CTX *tls_make(const char *folder)
{
	char path[3][4096];
	static const char *const names[] = {"ca.pem", "network.pem",
					    "network.key"};
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	for (int i = 0; i < 3; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s", folder, names[i]);
	if (!ctx || SSL_CTX_load_verify_locations(ctx, path[0], NULL) != 1 ||
	    SSL_CTX_use_certificate_chain_file(ctx, path[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(ctx, path[2], SSL_FILETYPE_PEM) != 1)
		fail(folder, "not the keys and certificates of a client");
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	return ctx;
}

static void connect_anew(struct client *client)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (client->ssl) {
		close(SSL_get_fd(client->ssl));
		SSL_free(client->ssl);
	}
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail("connect", "refused");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	client->ssl = SSL_new(tls);
	if (!client->ssl || SSL_set_fd(client->ssl, fd) != 1 ||
	    SSL_set_tlsext_host_name(client->ssl, "localhost") != 1 ||
	    SSL_set1_host(client->ssl, "localhost") != 1 ||
	    SSL_connect(client->ssl) != 1)
		fail("TLS", ERR_reason_error_string(ERR_peek_last_error()));
}

static void *client_open(size_t number, size_t clients)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client)
		fail("client", "out of memory");
	/* Each reference is one client's; with cards they start apart. */
	client->line = clears ? number : number * line_count / clients;
	client->step = clears ? clients : 1;
	connect_anew(client);
	return client;
}

/* Writes the next request; false when there is none. */
static bool request_write(struct client *client, char *request, size_t size)
{
	char body[512], path[160] = "";

	if (!clears)
		client->line %= line_count;
	if (client->line >= line_count)
		return false;
	if (clears) {
		snprintf(path, sizeof(path), "/%s/clearing",
			 lines[client->line]);
		snprintf(body, sizeof(body), "{\"final\":true}");
	} else {
		snprintf(body, sizeof(body),
			 "{\"network_ref\":\"bench-%lld-%d-%llu\","
			 "\"card_id\":\"%s\",\"amount\":0.01,\"merchant\":"
			 "{\"name\":\"Bench\",\"mcc\":\"5942\","
			 "\"country\":\"US\",\"id\":\"B-1\"}}",
			 (long long)load_now_us(), (int)getpid(),
			 (unsigned long long)client->sent++,
			 lines[client->line]);
	}
	client->line += client->step;
	snprintf(request, size,
		 "POST /network/v1/authorizations%s HTTP/1.1\r\n"
		 "Host: localhost\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 path, strlen(body), body);
	return true;
}

/* One answer with its head, as far as its Content-Length says. */
static void answer_read(struct client *client, char *answer, size_t size)
{
	static const char mark[] = "Content-Length: ";
	size_t len = 0;
	const char *body = NULL, *length;

	for (;;) {
		int got = SSL_read(client->ssl, answer + len,
				   (int)(size - len - 1));

		if (got <= 0)
			fail("answer", "the connection ended");
		len += (size_t)got;
		answer[len] = '\0';
		body = strstr(answer, "\r\n\r\n");
		if (!body)
			continue;
		length = strstr(answer, mark);
		if (!length || length > body)
			fail("answer without a length", answer);
		if (strtoul(length + strlen(mark), NULL, 10) <=
		    len - (size_t)(body + 4 - answer))
			return;
	}
}

static bool message(void *arg)
{
	struct client *client = arg;
	char request[1024], answer[8192];

	if (!request_write(client, request, sizeof(request)))
		return false;
	if (SSL_write(client->ssl, request, (int)strlen(request)) <= 0)
		fail("request", "the connection ended");
	answer_read(client, answer, sizeof(answer));
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0 ||
	    !strstr(answer, "\"approved\":true"))
		fail("not approved", answer);
	if (strstr(answer, "Connection: close"))
		connect_anew(client);
	return true;
}

int main(int argc, char **argv)
{
	struct load load = {"network", .open = client_open, .one = message};

	if (argc != 8) {
		fputs("usage: network PORT TLS LINES CLIENTS WARM-MS "
		      "MEASURED-MS authorize|clear\n",
		      stderr);
		return 2;
	}
	port = (uint16_t)strtoul(argv[1], NULL, 10);
	tls = tls_make(argv[2]);
	lines = load_lines("network", argv[3], &line_count);
	load.clients = strtol(argv[4], NULL, 10);
	load.warm_us = strtol(argv[5], NULL, 10) * 1000;
	load.measured_us = strtol(argv[6], NULL, 10) * 1000;
	clears = strcmp(argv[7], "clear") == 0;
	return load_run(&load) ? EXIT_SUCCESS : EXIT_FAILURE;
}
