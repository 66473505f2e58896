/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "../../src/hook/send.h"

#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../../src/base/clock.h"
#include "../../src/hook/url.h"
#include "names.h"
#include "receiver.h"
#include "suite.h"

#define LOOPBACK "127.0.0.0/8"
#define BODY "{\"id\":\"evt_1\"}"
#define RESULTS 512
#define FOUR(text) text text text text
#define MANY(text) FOUR(FOUR(FOUR(FOUR(text))))

/* Handshakes take seconds under valgrind. */
static int timeout_ms = 4000;

/* --- what the receiver does ----------------------------------------------- */

static bool answer_status(struct connection *connection, int status)
{
	char head[256];

	(void)snprintf(
		head, sizeof(head),
		"HTTP/1.1 %d Word\r\n%sContent-Length: 4\r\n\r\nbody", status,
		status == 429 || status == 503 ? "Retry-After: 7\r\n" : "");
	return say(connection, head);
}

static bool answer_echo(struct connection *connection)
{
	char head[128];

	(void)snprintf(head, sizeof(head),
		       "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
		       connection->len);
	return say(connection, head) &&
	       say_n(connection, connection->request, connection->len);
}

static bool answer_long(struct connection *connection, size_t len)
{
	char head[128];
	bool good;

	(void)snprintf(head, sizeof(head),
		       "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
	good = say(connection, head);
	for (; good && len > 0; len--)
		good = say(connection, "x");
	return good;
}

/* Says it again and again until the peer has had enough. */
static bool repeat(struct connection *connection, const char *first,
		   const char *text, useconds_t rest_us)
{
	bool good = say(connection, first);

	while (good) {
		good = say(connection, text);
		if (rest_us > 0)
			(void)usleep(rest_us);
	}
	count(&connection->receiver->lost, 1);
	return false;
}

static bool reset(struct connection *connection)
{
	struct linger now = {.l_onoff = 1};

	(void)setsockopt(connection->file, SOL_SOCKET, SO_LINGER, &now,
			 sizeof(now));
	return false;
}

static const struct {
	const char *path, *answer;
	bool close;
} answers[] = {
	{"/ok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
	{"/close",
	 "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
	 true},
	{"/untold", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
	{"/until-close", "HTTP/1.0 200 OK\r\n\r\nuntil", true},
	{"/chunked",
	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
	 "3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n",
	 false},
	{"/hints",
	 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: "
	 "<x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
	 false},
	{"/redirect",
	 "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
	 false},
	{"/switch",
	 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: "
	 "upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	 true},
	{"/old", "hello\nthis is no HTTP/1\n", true},
	{"/binary",
	 "\x16\x03\x01\x02\x03"
	 "\x04\x05",
	 true},
	{"/gzip",
	 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: "
	 "6\r\n\r\n\x1f\x8b\x08 ok",
	 false},
	{"/half", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", true},
	{"/half-head", "HTTP/1.1 200 OK\r\nContent-Le", true},
	{"/nothing", "", true},
	{"/later",
	 "HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 "
	 "GMT\r\nContent-Length: 0\r\n\r\n",
	 false},
	{"/earlier",
	 "HTTP/1.1 503 X\r\nRetry-After: Sat, 01 Jan 2000 00:00:00 "
	 "GMT\r\nContent-Length: 0\r\n\r\n",
	 false},
	{"/soon",
	 "HTTP/1.1 429 X\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n",
	 false},
	{"/never",
	 "HTTP/1.1 429 X\r\nRetry-After: 99999999999999999999\r\n"
	 "Content-Length: 0\r\n\r\n",
	 false},
};

static bool serve(struct connection *connection, const char *path)
{
	static char word[120001];

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (strcmp(answers[i].path, path) == 0)
			return say(connection, answers[i].answer) &&
			       !answers[i].close;
	if (strncmp(path, "/status/", 8) == 0)
		return answer_status(connection,
				     (int)strtol(path + 8, NULL, 10));
	if (strncmp(path, "/echo", 5) == 0)
		return answer_echo(connection);
	if (strncmp(path, "/long/", 6) == 0)
		return answer_long(connection, strtoul(path + 6, NULL, 10));
	if (strcmp(path, "/reset") == 0)
		return reset(connection);
	if (strcmp(path, "/trickle-head") == 0)
		return repeat(connection, "HTTP/1.1 200 OK\r\n", "X: y\r\n",
			      20000);
	if (strcmp(path, "/trickle-body") == 0)
		return repeat(connection, "HTTP/1.1 200 OK\r\n\r\n", "x",
			      20000);
	if (strcmp(path, "/endless-head") == 0)
		return repeat(connection, "HTTP/1.1 200 OK\r\n",
			      MANY("X: y\r\n"), 0);
	if (strcmp(path, "/endless-hints") == 0)
		return repeat(connection, "", MANY("HTTP/1.1 103 Hint\r\n\r\n"),
			      0);
	if (strcmp(path, "/endless-body") == 0)
		return repeat(connection, "HTTP/1.1 200 OK\r\n\r\n",
			      MANY("xxxx"), 0);
	if (strcmp(path, "/endless-line") == 0) {
		memset(word, 'x', sizeof(word) - 1);
		return repeat(connection, "HTTP/1.1 200 OK\r\nX: ", word, 0);
	}
	hang(connection);
	return false;
}

/* --- what the sender makes of it ------------------------------------------ */

static struct seen {
	enum send_error error;
	int status, duration_ms;
	int64_t retry_after_s, endpoint;
	size_t answer_len;
	char answer[SEND_ANSWER_MAX + 1];
	bool done;
} seen[RESULTS];

static void take(void *context, const struct send_result *result)
{
	struct seen *one = result->opaque;

	(void)context;
	ck_assert(!one->done);
	one->done = true;
	one->error = result->error;
	one->status = result->status;
	one->duration_ms = result->duration_ms;
	one->retry_after_s = result->retry_after_s;
	one->endpoint = result->endpoint;
	one->answer_len = result->answer.len;
	ck_assert_uint_le(result->answer.len, SEND_ANSWER_MAX);
	memcpy(one->answer, result->answer.data, result->answer.len);
	one->answer[result->answer.len] = '\0';
}

static struct sender *sender_start(const char *networks)
{
	struct sender_options options = {
		.timeout_ms = timeout_ms,
		.ca_file = ca_file,
		.networks = networks,
		.user_agent = "Cardstock-Webhook/test",
		.in_flight = 300,
		.per_endpoint = 200,
	};
	struct sender *sender = sender_new(&options);

	ck_assert_ptr_nonnull(sender);
	return sender;
}

static const char *const headers[] = {"webhook-id: evt_1", "X-Other: a: b",
				      NULL};

static void submit(struct sender *sender, int port, const char *host,
		   const char *path, int64_t endpoint, struct seen *to)
{
	char url[256];
	struct transfer transfer = {
		.url = url,
		.headers = headers,
		.body = {BODY, strlen(BODY)},
		.endpoint = endpoint,
		.opaque = to,
	};

	(void)snprintf(url, sizeof(url), "https://%s:%d%s", host, port, path);
	memset(to, 0, sizeof(*to));
	ck_assert(sender_submit(sender, &transfer));
}

static void finish(struct sender *sender)
{
	while (sender_in_flight(sender) > 0)
		(void)sender_poll(sender, 1000, take, NULL);
}

static struct seen *send_one(struct sender *sender, struct receiver *receiver,
			     const char *path)
{
	submit(sender, receiver->port, "127.0.0.1", path, 1, &seen[0]);
	finish(sender);
	ck_assert(seen[0].done);
	return &seen[0];
}

static const char *(*meaning)(const char *name);

static const char *name_meaning(const char *name)
{
	return meaning == NULL ? NULL : meaning(name);
}

static const struct {
	const char *path;
	enum send_error error;
	int status;
	const char *answer; /* or NULL */
	int64_t retry_after_s;
	bool at_timeout;
} stories[] = {
	{"/ok", SEND_OK, 200, "ok", -1, false},
	{"/close", SEND_OK, 200, "ok", -1, false},
	{"/chunked", SEND_OK, 200, "abcde", -1, false},
	{"/until-close", SEND_OK, 200, "until", -1, false},
	{"/hints", SEND_OK, 204, "", -1, false},
	{"/status/201", SEND_OK, 201, "body", -1, false},
	{"/status/299", SEND_OK, 299, "body", -1, false},
	{"/status/300", SEND_REDIRECT, 300, "body", -1, false},
	{"/redirect", SEND_REDIRECT, 302, "", -1, false},
	{"/status/399", SEND_REDIRECT, 399, "body", -1, false},
	{"/status/400", SEND_STATUS, 400, "body", -1, false},
	{"/status/410", SEND_STATUS, 410, "body", -1, false},
	{"/status/401", SEND_STATUS, 401, "body", -1, false},
	{"/status/407", SEND_STATUS, 407, "body", -1, false},
	{"/status/417", SEND_STATUS, 417, "body", -1, false},
	{"/status/429", SEND_STATUS, 429, "body", 7, false},
	{"/status/503", SEND_STATUS, 503, "body", 7, false},
	{"/status/500", SEND_STATUS, 500, "body", -1, false},
	{"/status/999", SEND_PROTOCOL, 999, "body", -1, false},
	{"/earlier", SEND_STATUS, 503, "", -1, false},
	{"/soon", SEND_STATUS, 429, "", -1, false},
	{"/never", SEND_STATUS, 429, "", INT64_MAX, false},
	{"/gzip", SEND_OK, 200, "\x1f\x8b\x08 ok", -1, false},
	{"/half", SEND_OK, 200, "abc", -1, false},
	{"/switch", SEND_PROTOCOL, 0, "", -1, false},
	{"/old", SEND_PROTOCOL, 0, "", -1, false},
	{"/binary", SEND_PROTOCOL, 0, "", -1, false},
	{"/half-head", SEND_PROTOCOL, 0, "", -1, false},
	{"/nothing", SEND_CONNECT, 0, "", -1, false},
	{"/reset", SEND_CONNECT, 0, "", -1, false},
	{"/mute", SEND_TIMEOUT, 0, "", -1, true},
	{"/trickle-head", SEND_TIMEOUT, 0, "", -1, true},
	{"/trickle-body", SEND_OK, 200, NULL, -1, true},
	{"/endless-head", SEND_TOO_LARGE, 0, "", -1, false},
	{"/endless-hints", SEND_TOO_LARGE, 0, "", -1, false},
	{"/endless-line", SEND_TOO_LARGE, 0, "", -1, false},
	{"/endless-body", SEND_OK, 200, NULL, -1, false},
};
#define STORIES (sizeof(stories) / sizeof(stories[0]))

static void check_story(size_t i, const struct seen *one)
{
	const char *path = stories[i].path;

	ck_assert_msg(one->done, "%s", path);
	ck_assert_msg(one->error == stories[i].error, "%s: error %d", path,
		      (int)one->error);
	ck_assert_msg(one->status == stories[i].status, "%s: status %d", path,
		      one->status);
	if (stories[i].answer != NULL)
		ck_assert_str_eq(one->answer, stories[i].answer);
	ck_assert_msg(one->retry_after_s == stories[i].retry_after_s,
		      "%s: %lld", path, (long long)one->retry_after_s);
	if (stories[i].at_timeout)
		ck_assert_int_ge(one->duration_ms, timeout_ms - 10);
	else
		ck_assert_msg(one->duration_ms < timeout_ms, "%s", path);
}

START_TEST(one_by_one)
{
	struct receiver receiver = {0};
	struct sender *sender = sender_start(LOOPBACK);
	int expected = 0;

	receiver_start(&receiver);
	for (size_t i = 0; i < STORIES; i++) {
		if (stories[i].at_timeout)
			continue; /* all_at_once has the patience */
		check_story(i, send_one(sender, &receiver, stories[i].path));
		expected++;
	}
	ck_assert_int_ge(send_one(sender, &receiver, "/later")->retry_after_s,
			 3600);
	/* One request each: no redirect was followed, nothing sent twice. */
	ck_assert_int_eq(count_of(&receiver.requests), expected + 1);
	sender_free(sender);
	receiver_stop(&receiver);
}
END_TEST

/* All that goes wrong goes wrong at once, and good ones go between. */
START_TEST(all_at_once)
{
	struct receiver receiver = {0};
	struct sender *sender = sender_start(LOOPBACK);

	receiver_start(&receiver);
	(void)send_one(sender, &receiver, "/ok"); /* warm */
	for (size_t i = 0; i < STORIES; i++) {
		submit(sender, receiver.port, "127.0.0.1", stories[i].path,
		       (int64_t)i, &seen[2 * i]);
		if (i % 4 == 0)
			submit(sender, receiver.port, "127.0.0.1", "/ok", 1000,
			       &seen[2 * i + 1]);
	}
	finish(sender);
	for (size_t i = 0; i < STORIES; i++) {
		check_story(i, &seen[2 * i]);
		ck_assert_int_eq(seen[2 * i].endpoint, (int64_t)i);
		if (i % 4 != 0)
			continue;
		ck_assert_int_eq(seen[2 * i + 1].error, SEND_OK);
		ck_assert_str_eq(seen[2 * i + 1].answer, "ok");
	}
	sender_free(sender);
	receiver_stop(&receiver);
}
END_TEST

START_TEST(sends_what_it_was_given)
{
	struct receiver receiver = {0};
	struct sender *sender = sender_start(LOOPBACK);
	struct seen *one;
	char host[64];

	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	receiver_start(&receiver);
	one = send_one(sender, &receiver, "/echo?a=%20b");
	ck_assert_int_eq(one->error, SEND_OK);
	ck_assert_ptr_eq(strstr(one->answer, "POST /echo?a=%20b HTTP/1.1\r\n"),
			 one->answer);
	(void)snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%d\r\n",
		       receiver.port);
	ck_assert_ptr_nonnull(strstr(one->answer, host));
	ck_assert_ptr_nonnull(strstr(
		one->answer, "\r\nUser-Agent: Cardstock-Webhook/test\r\n"));
	ck_assert_ptr_nonnull(
		strstr(one->answer, "\r\nContent-Type: application/json\r\n"));
	ck_assert_ptr_nonnull(strstr(one->answer, "\r\nwebhook-id: evt_1\r\n"));
	ck_assert_ptr_nonnull(strstr(one->answer, "\r\nX-Other: a: b\r\n"));
	ck_assert_ptr_nonnull(strstr(one->answer, "\r\n\r\n" BODY));
	ck_assert_ptr_null(strstr(one->answer, "Expect"));
	ck_assert_ptr_null(strstr(one->answer, "Encoding"));
	ck_assert_ptr_null(strstr(one->answer, "urlencoded"));
	sender_free(sender);
	receiver_stop(&receiver);
}
END_TEST

START_TEST(reads_4_kib_of_an_answer)
{
	struct receiver receiver = {0};
	struct sender *sender = sender_start(LOOPBACK);
	static const size_t lens[] = {0, 1, 4095, 4096, 4097, 60000};
	char path[32];

	receiver_start(&receiver);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t len = lens[i] < 4096 ? lens[i] : 4096;
		struct seen *one;

		(void)snprintf(path, sizeof(path), "/long/%zu", lens[i]);
		one = send_one(sender, &receiver, path);
		ck_assert_int_eq(one->error, SEND_OK);
		ck_assert_uint_eq(one->answer_len, len);
		ck_assert_uint_eq(strspn(one->answer, "x"), len);
	}
	sender_free(sender);
	receiver_stop(&receiver);
}
END_TEST

START_TEST(uses_connections_again)
{
	struct receiver receiver = {0};
	struct sender *sender = sender_start(LOOPBACK);
	int i;

	receiver_start(&receiver);
	for (i = 0; i < 50; i++)
		ck_assert_int_eq(send_one(sender, &receiver, "/ok")->error,
				 SEND_OK);
	ck_assert_int_eq(count_of(&receiver.accepted), 1);
	/* Closed behind an answer without a word: asked again on another. */
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(send_one(sender, &receiver, "/untold")->error,
				 SEND_OK);
		(void)usleep(20000);
	}
	ck_assert_int_eq(send_one(sender, &receiver, "/ok")->error, SEND_OK);
	/* No more connections than transfers at once. */
	for (i = 0; i < 100; i++) {
		submit(sender, receiver.port, "127.0.0.1", "/ok", 1, &seen[i]);
		if (i % 10 == 9)
			finish(sender);
	}
	ck_assert_int_le(count_of(&receiver.accepted), 14);
	sender_free(sender);
	receiver_stop(&receiver);
}
END_TEST

/* Also between transfers of other endpoints, on whatever handle. */
START_TEST(resumes_tls_sessions)
{
	struct receiver receiver = {0}, other = {0};
	struct sender *sender = sender_start(LOOPBACK);

	receiver_start(&receiver);
	receiver_start(&other);
	for (int i = 0; i < 5; i++) {
		submit(sender, receiver.port, "127.0.0.1", "/close", 1,
		       &seen[0]);
		submit(sender, other.port, "127.0.0.1", "/close", 2, &seen[1]);
		finish(sender);
	}
	ck_assert_int_eq(count_of(&receiver.accepted), 5);
	ck_assert_int_eq(count_of(&receiver.resumed), 4);
	ck_assert_int_eq(count_of(&other.resumed), 4);
	sender_free(sender);
	receiver_stop(&receiver);
	receiver_stop(&other);
}
END_TEST

static enum send_error error_of(struct receiver *receiver, const char *host)
{
	struct sender *sender = sender_start(LOOPBACK);

	receiver_start(receiver);
	submit(sender, receiver->port, host, "/ok", 1, &seen[0]);
	finish(sender);
	sender_free(sender);
	receiver_stop(receiver);
	return seen[0].error;
}

static const char *all_here(const char *name)
{
	(void)name;
	return "127.0.0.1";
}

START_TEST(tls_is_verified)
{
	struct receiver good = {0}, wrong_name = {.names = "DNS:other.test"},
			self_signed = {.self_signed = true},
			expired = {.expired = true}, old = {.tls_1_1 = true},
			named = {.names = "DNS:receiver.test"},
			plain = {.plain = true};

	meaning = all_here;
	ck_assert_int_eq(error_of(&good, "127.0.0.1"), SEND_OK);
	ck_assert_int_eq(error_of(&wrong_name, "127.0.0.1"), SEND_TLS);
	ck_assert_int_eq(error_of(&self_signed, "127.0.0.1"), SEND_TLS);
	ck_assert_int_eq(error_of(&expired, "127.0.0.1"), SEND_TLS);
	ck_assert_int_eq(error_of(&old, "127.0.0.1"), SEND_TLS);
	ck_assert_int_eq(error_of(&named, "receiver.test"), SEND_OK);
	ck_assert_int_eq(count_of(&good.requests), 1);
	ck_assert_int_eq(count_of(&wrong_name.requests) +
				 count_of(&self_signed.requests) +
				 count_of(&expired.requests) +
				 count_of(&old.requests),
			 0);
	/* Accepts and says nothing; no handshake ever. */
	ck_assert_int_eq(error_of(&plain, "127.0.0.1"), SEND_TIMEOUT);
}
END_TEST

/* The system's certificates do not know ours; and a file of our own stands
 * alone. */
START_TEST(which_authorities)
{
	struct receiver receiver = {0};
	struct sender_options options = {.timeout_ms = timeout_ms,
					 .ca_file = "",
					 .networks = LOOPBACK,
					 .user_agent = "x",
					 .in_flight = 1,
					 .per_endpoint = 1};
	struct sender *sender = sender_new(&options);

	receiver_start(&receiver);
	ck_assert_int_eq(send_one(sender, &receiver, "/ok")->error, SEND_TLS);
	sender_free(sender);
	receiver_stop(&receiver);
	options.ca_file = "/nonexistent/ca.pem";
	ck_assert_ptr_null(sender_new(&options));
}
END_TEST

START_TEST(leads_not_inside)
{
	static const char *const hosts[] = {
		"127.0.0.1",	   "localhost", "[::1]", "[::ffff:127.0.0.1]",
		"2130706433",	   "0x7f.1",	"0",	 "receiver.test",
		"[::ffff:7f00:1]", "[::]",
	};
	struct receiver receiver = {0};
	struct sender *sender = sender_start("10.0.0.0/8");

	meaning = all_here;
	receiver_start(&receiver);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		submit(sender, receiver.port, hosts[i], "/ok", 1, &seen[0]);
		finish(sender);
		ck_assert_msg(seen[0].error == SEND_ADDRESS_NOT_ALLOWED, "%s",
			      hosts[i]);
		ck_assert_int_eq(seen[0].status, 0);
	}
	ck_assert_int_eq(count_of(&receiver.accepted), 0);
	sender_free(sender);
	receiver_stop(&receiver);
}
END_TEST

/* Public when it is looked at, inside ever after. */
static const char *rebinds(const char *name)
{
	static int asked;

	(void)name;
	return asked++ == 0 ? "8.8.8.8" : "127.0.0.1";
}

START_TEST(dns_that_changes)
{
	struct receiver receiver = {0};
	struct sender *sender = sender_start("");

	meaning = rebinds;
	receiver_start(&receiver);
	ck_assert_int_eq(url_resolve("https://receiver.test/", ""), URL_OK);
	submit(sender, receiver.port, "receiver.test", "/ok", 1, &seen[0]);
	finish(sender);
	ck_assert_int_eq(seen[0].error, SEND_ADDRESS_NOT_ALLOWED);
	ck_assert_int_eq(count_of(&receiver.accepted), 0);
	sender_free(sender);
	receiver_stop(&receiver);
}
END_TEST

static const char *mixed(const char *name)
{
	return strcmp(name, "receiver.test") == 0 ? "10.0.0.1 127.0.0.1" : NULL;
}

START_TEST(names)
{
	struct receiver receiver = {0};
	struct sender *sender = sender_start(LOOPBACK);

	meaning = mixed;
	receiver_start(&receiver);
	/* The address that is allowed is taken, the other never opened. */
	submit(sender, receiver.port, "receiver.test", "/ok", 1, &seen[0]);
	submit(sender, receiver.port, "nowhere.test", "/ok", 2, &seen[1]);
	submit(sender, 1, "127.0.0.1", "/ok", 3, &seen[2]);
	finish(sender);
	ck_assert_int_eq(seen[0].error, SEND_OK);
	ck_assert_int_eq(seen[1].error, SEND_DNS);
	ck_assert_int_eq(seen[2].error, SEND_CONNECT);
	sender_free(sender);
	receiver_stop(&receiver);
}
END_TEST

static const char *slow(const char *name)
{
	return strcmp(name, "slow.test") == 0 ? "slow" : "127.0.0.1";
}

/* Look-ups that take long delay neither others nor the end. */
START_TEST(slow_names)
{
	struct receiver receiver = {0};
	struct sender *sender = sender_start(LOOPBACK);
	int64_t from_us = clock_monotonic_us();

	meaning = slow;
	receiver_start(&receiver);
	for (int i = 0; i < 20; i++)
		submit(sender, receiver.port, "slow.test", "/ok", 1,
		       &seen[100 + i]);
	for (int i = 0; i < 100; i++) {
		submit(sender, receiver.port, "receiver.test", "/ok", 2,
		       &seen[i]);
		while (!seen[i].done)
			(void)sender_poll(sender, 1000, take, NULL);
		ck_assert_int_eq(seen[i].error, SEND_OK);
	}
	finish(sender);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(seen[100 + i].error, SEND_TIMEOUT);
	submit(sender, receiver.port, "slow.test", "/ok", 1, &seen[0]);
	(void)sender_poll(sender, 10, take, NULL);
	sender_free(sender);
	ck_assert_int_lt(clock_monotonic_us() - from_us,
			 (SLOW_S - 10) * 1000000);
	receiver_stop(&receiver);
}
END_TEST

START_TEST(bounds)
{
	struct receiver receiver = {0};
	struct sender_options options = {.timeout_ms = timeout_ms,
					 .ca_file = ca_file,
					 .networks = LOOPBACK,
					 .user_agent = "x",
					 .in_flight = 5,
					 .per_endpoint = 3};
	struct sender *sender = sender_new(&options);
	struct transfer one = {.url = "https://127.0.0.1:1/", .endpoint = 1};

	receiver_start(&receiver);
	ck_assert_int_eq(sender_room(sender, 1), 3);
	for (int i = 0; i < 3; i++)
		submit(sender, receiver.port, "127.0.0.1", "/mute", 1,
		       &seen[i]);
	ck_assert_int_eq(sender_room(sender, 1), 0);
	ck_assert(!sender_submit(sender, &one));
	/* 4097: another endpoint of the same bucket. */
	ck_assert_int_eq(sender_room(sender, 4097), 2);
	submit(sender, receiver.port, "127.0.0.1", "/ok", 4097, &seen[3]);
	submit(sender, receiver.port, "127.0.0.1", "/ok", 2, &seen[4]);
	ck_assert_int_eq(sender_room(sender, 3), 0);
	ck_assert_int_eq(sender_in_flight(sender), 5);
	finish(sender);
	ck_assert_int_eq(sender_room(sender, 1), 3);
	ck_assert_int_lt(seen[3].duration_ms, timeout_ms / 2);
	ck_assert_int_lt(seen[4].duration_ms, timeout_ms / 2);
	/* Dropped in flight, without a word. */
	submit(sender, receiver.port, "127.0.0.1", "/mute", 1, &seen[0]);
	(void)sender_poll(sender, 100, take, NULL);
	sender_free(sender);
	ck_assert(!seen[0].done);
	receiver_stop(&receiver);
}
END_TEST

struct chain {
	struct sender *sender;
	int port, left;
};

static void next_of_chain(void *context, const struct send_result *result)
{
	struct chain *chain = context;

	ck_assert_int_eq(result->error, SEND_OK);
	if (chain->left-- > 0)
		submit(chain->sender, chain->port, "127.0.0.1", "/ok", 1,
		       &seen[0]);
	/* The answer is still there. */
	ck_assert_mem_eq(result->answer.data, "ok", 2);
}

START_TEST(submits_from_within)
{
	struct receiver receiver = {0};
	struct chain chain = {.sender = sender_start(LOOPBACK), .left = 50};

	receiver_start(&receiver);
	chain.port = receiver.port;
	submit(chain.sender, chain.port, "127.0.0.1", "/ok", 1, &seen[0]);
	while (sender_in_flight(chain.sender) > 0)
		(void)sender_poll(chain.sender, 1000, next_of_chain, &chain);
	ck_assert_int_eq(count_of(&receiver.requests), 51);
	ck_assert_int_eq(count_of(&receiver.accepted), 1);
	sender_free(chain.sender);
	receiver_stop(&receiver);
}
END_TEST

START_TEST(words)
{
	ck_assert_ptr_null(send_error_word(SEND_OK));
	for (int error = SEND_DNS; error <= SEND_INTERNAL; error++)
		ck_assert_ptr_nonnull(send_error_word((enum send_error)error));
	ck_assert_str_eq(send_error_word(SEND_ADDRESS_NOT_ALLOWED),
			 "address_not_allowed");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		one_by_one,
		all_at_once,
		sends_what_it_was_given,
		reads_4_kib_of_an_answer,
		uses_connections_again,
		resumes_tls_sessions,
		tls_is_verified,
		which_authorities,
		leads_not_inside,
		dns_that_changes,
		names,
		slow_names,
		bounds,
		submits_from_within,
		words,
	};
	const char *preload = getenv("LD_PRELOAD");
	int status;

	if (preload != NULL && strstr(preload, "vgpreload") != NULL)
		timeout_ms *= 8;
	(void)signal(SIGPIPE, SIG_IGN);
	ca_make();
	status = suite_run("send", tests, sizeof(tests) / sizeof(tests[0]));
	ca_remove();
	return status;
}
