/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_RECEIVER_H
#define UNIT_RECEIVER_H

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * An HTTPS server on loopback, a thread a connection, with a certificate made
 * for the run. What it does with a request is the test's: serve() below.
 */
struct receiver {
	const char *names; /* subjectAltName of its certificate */
	bool self_signed, expired, tls_1_1, plain;

	int file, port;
	bool stop;
	pthread_t thread;
	SSL_CTX *context;
	int running;			       /* connections' threads */
	int accepted, resumed, requests, lost; /* so far */
};

struct connection {
	struct receiver *receiver;
	SSL *ssl;
	int file;
	char request[65536];
	size_t len;
};

/* Answers the request; false closes the connection. */
static bool serve(struct connection *connection, const char *path);

/* check has no tests yet, or no longer, where some of this runs. */
static void must(bool good)
{
	if (!good)
		abort();
}

static char ca_file[] = "/tmp/test_send_ca_XXXXXX";
static char openssl_file[] = "/tmp/test_send_ssl_XXXXXX";
static EVP_PKEY *ca_key;
static X509 *ca;

static void extension_add(X509 *to, X509 *issuer, int kind, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, to, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	must(extension != NULL);
	X509_add_ext(to, extension, -1);
	X509_EXTENSION_free(extension);
}

/* issuer NULL: signs itself. */
static X509 *certificate_new(EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
			     const char *names, long from_s, long to_s)
{
	X509 *made = X509_new();
	X509_NAME *subject = X509_get_subject_name(made);
	static long serial;

	X509_set_version(made, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made),
			 __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST));
	X509_gmtime_adj(X509_getm_notBefore(made), from_s);
	X509_gmtime_adj(X509_getm_notAfter(made), to_s);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC,
		(const unsigned char *)(names == NULL ? "ca" : "receiver"), -1,
		-1, 0);
	X509_set_issuer_name(
		made, issuer == NULL ? subject : X509_get_subject_name(issuer));
	X509_set_pubkey(made, key);
	if (names == NULL)
		extension_add(made, made, NID_basic_constraints,
			      "critical,CA:TRUE");
	else
		extension_add(made, issuer == NULL ? made : issuer,
			      NID_subject_alt_name, names);
	must(X509_sign(made, issuer_key, EVP_sha256()) > 0);
	return made;
}

/* Debian's OpenSSL would refuse TLS 1.1 whatever the sender says; before the
 * first use of it. */
static void openssl_loosen(void)
{
	static const char settings[] =
		"openssl_conf = a\n[a]\nssl_conf = b\n[b]\n"
		"system_default = c\n[c]\nMinProtocol = TLSv1\n"
		"CipherString = DEFAULT@SECLEVEL=0\n";
	int file = mkstemp(openssl_file);

	must(file >= 0 && write(file, settings, sizeof(settings) - 1) ==
				  (ssize_t)sizeof(settings) - 1);
	(void)close(file);
	(void)setenv("OPENSSL_CONF", openssl_file, 1);
}

static void ca_make(void)
{
	int file = mkstemp(ca_file);
	FILE *out;

	openssl_loosen();
	must(file >= 0);
	ca_key = EVP_EC_gen("P-256");
	ca = certificate_new(ca_key, NULL, ca_key, NULL, -3600, 3600);
	out = fdopen(file, "w");
	must(PEM_write_X509(out, ca) == 1);
	(void)fclose(out);
}

static void ca_remove(void)
{
	(void)unlink(ca_file);
	(void)unlink(openssl_file);
	X509_free(ca);
	EVP_PKEY_free(ca_key);
}

static SSL_CTX *context_new(const struct receiver *receiver)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *made = certificate_new(key, receiver->self_signed ? NULL : ca,
				     receiver->self_signed ? key : ca_key,
				     receiver->names, -3600,
				     receiver->expired ? -60 : 3600);

	must(SSL_CTX_use_certificate(context, made) == 1 &&
	     SSL_CTX_use_PrivateKey(context, key) == 1);
	if (receiver->tls_1_1) {
		SSL_CTX_set_security_level(context, 0);
		SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
		SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
	}
	X509_free(made);
	EVP_PKEY_free(key);
	return context;
}

static bool stopping(const struct receiver *receiver)
{
	return __atomic_load_n(&receiver->stop, __ATOMIC_SEQ_CST);
}

static int count_of(const int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void count(int *counter, int by)
{
	(void)__atomic_add_fetch(counter, by, __ATOMIC_SEQ_CST);
}

/* False when the peer has gone or the receiver stops. */
static bool say_n(struct connection *connection, const char *bytes, size_t len)
{
	if (stopping(connection->receiver))
		return false;
	if (connection->ssl != NULL)
		return SSL_write(connection->ssl, bytes, (int)len) == (int)len;
	return write(connection->file, bytes, len) == (ssize_t)len;
}

static bool say(struct connection *connection, const char *text)
{
	return say_n(connection, text, strlen(text));
}

/* Says nothing more until the peer goes. */
static void hang(struct connection *connection)
{
	struct pollfd one = {.fd = connection->file, .events = POLLRDHUP};

	while (!stopping(connection->receiver) && poll(&one, 1, 10) == 0)
		;
	count(&connection->receiver->lost, 1);
}

/* A head and as much body as its Content-Length says. */
static bool read_request(struct connection *connection)
{
	char *head_end, *length;

	connection->len = 0;
	for (;;) {
		size_t room = sizeof(connection->request) - connection->len - 1;
		int got = SSL_read(connection->ssl,
				   connection->request + connection->len,
				   (int)room);

		if (got <= 0)
			return false;
		connection->len += (size_t)got;
		connection->request[connection->len] = '\0';
		head_end = strstr(connection->request, "\r\n\r\n");
		if (head_end == NULL)
			continue;
		length = strstr(connection->request, "Content-Length: ");
		if (length == NULL ||
		    (size_t)(head_end + 4 - connection->request) +
				    strtoul(length + 16, NULL, 10) <=
			    connection->len)
			return true;
	}
}

/* Of "POST path HTTP/1.1". */
static bool read_path(const struct connection *connection, char *path,
		      size_t size)
{
	const char *from = connection->request + strlen("POST ");
	size_t len = strcspn(from, " ");

	if (strncmp(connection->request, "POST ", 5) != 0 || len >= size)
		return false;
	memcpy(path, from, len);
	path[len] = '\0';
	return true;
}

static void serve_all(struct connection *connection)
{
	struct receiver *receiver = connection->receiver;
	char path[64];

	if (receiver->plain) {
		(void)serve(connection, "");
		return;
	}
	if (SSL_accept(connection->ssl) != 1)
		return;
	if (SSL_session_reused(connection->ssl))
		count(&receiver->resumed, 1);
	while (!stopping(receiver) && read_request(connection)) {
		count(&receiver->requests, 1);
		if (!read_path(connection, path, sizeof(path)) ||
		    !serve(connection, path))
			return;
	}
}

static void *connection_run(void *opaque)
{
	struct connection *connection = opaque;
	struct receiver *receiver = connection->receiver;

	if (!receiver->plain) {
		connection->ssl = SSL_new(receiver->context);
		SSL_set_fd(connection->ssl, connection->file);
	}
	serve_all(connection);
	SSL_free(connection->ssl);
	(void)close(connection->file);
	free(connection);
	count(&receiver->running, -1);
	return NULL;
}

static void *receiver_run(void *opaque)
{
	struct receiver *receiver = opaque;
	struct timeval patience = {.tv_sec = 200};
	int file;

	while ((file = accept(receiver->file, NULL, NULL)) >= 0) {
		struct connection *connection = calloc(1, sizeof(*connection));
		pthread_t thread;

		if (connection == NULL)
			abort();
		/* So that a test that fails ends. */
		(void)setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience,
				 sizeof(patience));
		connection->receiver = receiver;
		connection->file = file;
		count(&receiver->accepted, 1);
		count(&receiver->running, 1);
		if (pthread_create(&thread, NULL, connection_run, connection) !=
		    0)
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

static void receiver_start(struct receiver *receiver)
{
	struct sockaddr_in here = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(here);

	if (receiver->names == NULL)
		receiver->names = "IP:127.0.0.1,DNS:receiver.test";
	receiver->context = context_new(receiver);
	receiver->file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(receiver->file, (struct sockaddr *)&here, len) == 0 &&
	     listen(receiver->file, 512) == 0 &&
	     getsockname(receiver->file, (struct sockaddr *)&here, &len) == 0);
	receiver->port = ntohs(here.sin_port);
	must(pthread_create(&receiver->thread, NULL, receiver_run, receiver) ==
	     0);
}

/* After the sender has gone. */
static void receiver_stop(struct receiver *receiver)
{
	__atomic_store_n(&receiver->stop, true, __ATOMIC_SEQ_CST);
	(void)shutdown(receiver->file, SHUT_RDWR);
	(void)pthread_join(receiver->thread, NULL);
	while (count_of(&receiver->running) > 0)
		(void)usleep(1000);
	(void)close(receiver->file);
	SSL_CTX_free(receiver->context);
}

#endif
