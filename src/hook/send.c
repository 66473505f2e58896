/* SPDX-License-Identifier: Apache-2.0 */
#include "send.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "target.h"

#define HEADERS_MAX 65536 /* bytes of an answer's headers */
#define BUCKETS 4096	  /* a power of two */
#define EVENTS 64
/* A receiver that moves is found again, and nothing idle stays for good. */
#define CONNECTION_IDLE_S 90L
#define CONNECTION_AGE_S 600L

/*
 * A place for one transfer; its handle is used again and again. The handle
 * keeps the TLS sessions of the last connections that it opened.
 */
struct slot {
	CURL *curl;
	struct sender *sender;
	SLIST_ENTRY(slot) all;
	TAILQ_ENTRY(slot) idle;
	LIST_ENTRY(slot) bucket; /* while in flight */
	struct curl_slist *headers;
	void *opaque;
	int64_t endpoint, session_of, started_us;
	bool busy, refused, answered;
	enum send_error broken; /* what a callback found, or SEND_OK */
	size_t header_len, answer_len;
	unsigned char answer[SEND_ANSWER_MAX];
};

/* What is known by an endpoint's number. */
struct bucket {
	LIST_HEAD(busy, slot) in_flight;
	struct slot *session; /* opened a connection here last, or NULL */
};

struct sender {
	struct sender_options options;
	CURLM *multi;
	int epoll;
	int64_t timer_us; /* when libcurl wants to be called, -1 never */
	int in_flight;
	SLIST_HEAD(every, slot) all;
	TAILQ_HEAD(idle, slot) idle; /* longest first */
	struct bucket buckets[BUCKETS];
};

const char *send_error_word(enum send_error error)
{
	switch (error) {
	case SEND_OK:
		break;
	case SEND_DNS:
		return "dns";
	case SEND_ADDRESS_NOT_ALLOWED:
		return "address_not_allowed";
	case SEND_CONNECT:
		return "connect";
	case SEND_TLS:
		return "tls";
	case SEND_TIMEOUT:
		return "timeout";
	case SEND_PROTOCOL:
		return "protocol";
	case SEND_REDIRECT:
		return "redirect";
	case SEND_STATUS:
		return "status";
	case SEND_TOO_LARGE:
		return "too_large";
	case SEND_INTERNAL:
		return "internal";
	}
	return NULL;
}

/* --- what libcurl calls ------------------------------------------------- */

/*
 * The one judge of addresses. It sees what the socket is connected to, not
 * what a name meant earlier; a connection that is used again goes where this
 * let it go.
 */
static curl_socket_t open_socket(void *opaque, curlsocktype purpose,
				 struct curl_sockaddr *peer)
{
	struct slot *slot = opaque;

	(void)purpose;
	if (!target_socket_allowed(&peer->addr,
				   slot->sender->options.networks)) {
		slot->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(peer->family, peer->socktype | SOCK_CLOEXEC,
		      peer->protocol);
}

/* One line of headers; anything but len breaks the transfer off. */
static size_t take_header(char *line, size_t one, size_t len, void *opaque)
{
	struct slot *slot = opaque;
	long status = 0;

	(void)one;
	slot->header_len += len;
	if (slot->header_len > HEADERS_MAX) {
		slot->broken = SEND_TOO_LARGE;
		return 0;
	}
	if (line[0] != '\r' && line[0] != '\n')
		return len;
	(void)curl_easy_getinfo(slot->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 101) { /* nobody asked for another protocol */
		slot->broken = SEND_PROTOCOL;
		return 0;
	}
	slot->answered = status >= 200;
	return len;
}

static size_t take_body(char *bytes, size_t one, size_t len, void *opaque)
{
	struct slot *slot = opaque;
	size_t room = SEND_ANSWER_MAX - slot->answer_len;
	size_t taken = len < room ? len : room;

	(void)one;
	memcpy(slot->answer + slot->answer_len, bytes, taken);
	slot->answer_len += taken;
	return taken;
}

static int watch_socket(CURL *curl, curl_socket_t file, int what, void *opaque,
			void *known)
{
	struct sender *sender = opaque;
	struct epoll_event event = {.data.fd = file};
	int change = known == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		/* It may be closed already, which removed it. */
		(void)epoll_ctl(sender->epoll, EPOLL_CTL_DEL, file, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(sender->epoll, change, file, &event) != 0 &&
	    (errno != EEXIST ||
	     epoll_ctl(sender->epoll, EPOLL_CTL_MOD, file, &event) != 0)) {
		log_broken("event=epoll_failed errno=%d", errno);
		return -1;
	}
	(void)curl_multi_assign(sender->multi, file, sender);
	return 0;
}

static int set_timer(CURLM *multi, long wait_ms, void *opaque)
{
	struct sender *sender = opaque;

	(void)multi;
	sender->timer_us =
		wait_ms < 0 ? -1 : clock_monotonic_us() + wait_ms * 1000;
	return 0;
}

/* --- slots ---------------------------------------------------------------- */

static struct bucket *bucket_of(struct sender *sender, int64_t endpoint)
{
	return &sender->buckets[(uint64_t)endpoint % BUCKETS];
}

static bool set_numbers(CURL *curl, const struct sender_options *options)
{
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{CURLOPT_POST, 1},
		{CURLOPT_TIMEOUT_MS, options->timeout_ms},
		{CURLOPT_CONNECTTIMEOUT_MS, options->timeout_ms},
		{CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_S},
		{CURLOPT_MAXLIFETIME_CONN, CONNECTION_AGE_S},
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (curl_easy_setopt(curl, numbers[i].option,
				     numbers[i].value) != CURLE_OK)
			return false;
	return true;
}

/* Without a folder of certificates libcurl reads the file once for all
 * connections, not once for each. */
static bool set_ca(CURL *curl, const char *file)
{
	char *own = NULL;

	if (*file == '\0') {
		(void)curl_easy_getinfo(curl, CURLINFO_CAINFO, &own);
		return own == NULL || access(own, R_OK) != 0 ||
		       curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
	}
	return curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CAINFO, file) == CURLE_OK;
}

static bool set_callbacks(CURL *curl, struct slot *slot)
{
	return curl_easy_setopt(curl, CURLOPT_PRIVATE, slot) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION,
				open_socket) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, slot) ==
		       CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) ==
		       CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERDATA, slot) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) ==
		       CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, slot) == CURLE_OK;
}

static struct slot *slot_new(struct sender *sender)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (slot == NULL)
		return NULL;
	slot->sender = sender;
	slot->curl = target_handle();
	if (slot->curl == NULL || !set_numbers(slot->curl, &sender->options) ||
	    !set_ca(slot->curl, sender->options.ca_file) ||
	    !set_callbacks(slot->curl, slot) ||
	    curl_easy_setopt(slot->curl, CURLOPT_USERAGENT,
			     sender->options.user_agent) != CURLE_OK) {
		curl_easy_cleanup(slot->curl);
		free(slot);
		return NULL;
	}
	SLIST_INSERT_HEAD(&sender->all, slot, all);
	return slot;
}

static void slot_rest(struct sender *sender, struct slot *slot)
{
	slot->busy = false;
	TAILQ_INSERT_TAIL(&sender->idle, slot, idle);
}

/* The idle slot that can resume this endpoint's TLS session, else the one
 * that has rested longest, else a new one. */
static struct slot *slot_take(struct sender *sender, int64_t endpoint)
{
	struct slot *slot = bucket_of(sender, endpoint)->session;

	if (slot == NULL || slot->busy || slot->session_of != endpoint)
		slot = TAILQ_FIRST(&sender->idle);
	if (slot == NULL)
		slot = slot_new(sender);
	else
		TAILQ_REMOVE(&sender->idle, slot, idle);
	if (slot != NULL)
		slot->busy = true;
	return slot;
}

static void slot_empty(struct slot *slot)
{
	(void)curl_easy_setopt(slot->curl, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(slot->curl, CURLOPT_POSTFIELDS, NULL);
	curl_slist_free_all(slot->headers);
	slot->headers = NULL;
	slot->opaque = NULL;
}

static bool header_add(struct slot *slot, const char *header)
{
	struct curl_slist *list = curl_slist_append(slot->headers, header);

	if (list != NULL)
		slot->headers = list;
	return list != NULL;
}

/* An empty "Expect:" keeps libcurl from asking before it sends a body. */
static bool slot_fill(struct slot *slot, const struct transfer *transfer)
{
	bool good = header_add(slot, "Expect:") &&
		    header_add(slot, "Content-Type: application/json");

	for (const char *const *header = transfer->headers;
	     good && header != NULL && *header != NULL; header++)
		good = header_add(slot, *header);
	slot->endpoint = transfer->endpoint;
	slot->opaque = transfer->opaque;
	slot->refused = slot->answered = false;
	slot->broken = SEND_OK;
	slot->header_len = slot->answer_len = 0;
	return good &&
	       curl_easy_setopt(slot->curl, CURLOPT_URL, transfer->url) ==
		       CURLE_OK &&
	       curl_easy_setopt(slot->curl, CURLOPT_HTTPHEADER,
				slot->headers) == CURLE_OK &&
	       curl_easy_setopt(slot->curl, CURLOPT_POSTFIELDSIZE_LARGE,
				(curl_off_t)transfer->body.len) == CURLE_OK &&
	       curl_easy_setopt(slot->curl, CURLOPT_POSTFIELDS,
				transfer->body.len > 0 ? transfer->body.data
						       : "") == CURLE_OK;
}

/* --- the sender ----------------------------------------------------------- */

static bool multi_set_up(struct sender *sender)
{
	return curl_multi_setopt(sender->multi, CURLMOPT_SOCKETFUNCTION,
				 watch_socket) == CURLM_OK &&
	       curl_multi_setopt(sender->multi, CURLMOPT_SOCKETDATA, sender) ==
		       CURLM_OK &&
	       curl_multi_setopt(sender->multi, CURLMOPT_TIMERFUNCTION,
				 set_timer) == CURLM_OK &&
	       curl_multi_setopt(sender->multi, CURLMOPT_TIMERDATA, sender) ==
		       CURLM_OK &&
	       curl_multi_setopt(sender->multi, CURLMOPT_PIPELINING,
				 (long)CURLPIPE_NOTHING) == CURLM_OK &&
	       curl_multi_setopt(sender->multi, CURLMOPT_MAXCONNECTS,
				 (long)sender->options.in_flight) == CURLM_OK;
}

/* A transfer has its connection, and two files more while its name is looked
 * up. */
static void raise_file_limit(int in_flight)
{
	rlim_t wanted = (rlim_t)in_flight * 4 + 64;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < wanted)
		log_unusual("event=few_files limit=%llu wanted=%llu",
			    (unsigned long long)limit.rlim_cur,
			    (unsigned long long)wanted);
}

struct sender *sender_new(const struct sender_options *options)
{
	struct sender *sender = calloc(1, sizeof(*sender));

	if (sender == NULL)
		return NULL;
	sender->options = *options;
	TAILQ_INIT(&sender->idle);
	sender->timer_us = -1;
	sender->epoll = epoll_create1(EPOLL_CLOEXEC);
	sender->multi = curl_multi_init();
	if (*options->ca_file != '\0' && access(options->ca_file, R_OK) != 0) {
		log_unusual("event=ca_file_unreadable path=%s errno=%d",
			    log_text(options->ca_file), errno);
	} else if (sender->epoll >= 0 && sender->multi != NULL &&
		   multi_set_up(sender)) {
		raise_file_limit(options->in_flight);
		return sender;
	} else {
		log_broken("event=curl_unusable version=%s", curl_version());
	}
	sender_free(sender);
	return NULL;
}

void sender_free(struct sender *sender)
{
	struct slot *slot;

	if (sender == NULL)
		return;
	while ((slot = SLIST_FIRST(&sender->all)) != NULL) {
		SLIST_REMOVE_HEAD(&sender->all, all);
		if (slot->busy)
			(void)curl_multi_remove_handle(sender->multi,
						       slot->curl);
		slot_empty(slot);
		curl_easy_cleanup(slot->curl);
		free(slot);
	}
	(void)curl_multi_cleanup(sender->multi);
	if (sender->epoll >= 0)
		(void)close(sender->epoll);
	free(sender);
}

int sender_in_flight(const struct sender *sender)
{
	return sender->in_flight;
}

int sender_room(struct sender *sender, int64_t endpoint)
{
	int in_all = sender->options.in_flight - sender->in_flight;
	int of_endpoint = sender->options.per_endpoint;
	const struct slot *slot;

	LIST_FOREACH(slot, &bucket_of(sender, endpoint)->in_flight, bucket)
	if (slot->endpoint == endpoint)
		of_endpoint--;
	return of_endpoint < in_all ? of_endpoint : in_all;
}

bool sender_submit(struct sender *sender, const struct transfer *transfer)
{
	struct bucket *bucket = bucket_of(sender, transfer->endpoint);
	struct slot *slot;

	if (sender_room(sender, transfer->endpoint) <= 0)
		return false;
	slot = slot_take(sender, transfer->endpoint);
	if (slot == NULL)
		return false;
	if (!slot_fill(slot, transfer) ||
	    curl_multi_add_handle(sender->multi, slot->curl) != CURLM_OK) {
		log_broken("event=transfer_refused");
		slot_empty(slot);
		slot_rest(sender, slot);
		return false;
	}
	slot->started_us = clock_monotonic_us();
	LIST_INSERT_HEAD(&bucket->in_flight, slot, bucket);
	sender->in_flight++;
	return true;
}

/* --- what came of it ------------------------------------------------------ */

static enum send_error error_of_code(CURLcode code)
{
	static const struct {
		CURLcode code;
		enum send_error error;
	} errors[] = {
		{CURLE_COULDNT_RESOLVE_HOST, SEND_DNS},
		{CURLE_COULDNT_CONNECT, SEND_CONNECT},
		{CURLE_SEND_ERROR, SEND_CONNECT},
		{CURLE_RECV_ERROR, SEND_CONNECT},
		{CURLE_GOT_NOTHING, SEND_CONNECT},
		{CURLE_SSL_CONNECT_ERROR, SEND_TLS},
		{CURLE_PEER_FAILED_VERIFICATION, SEND_TLS},
		{CURLE_SSL_CERTPROBLEM, SEND_TLS},
		{CURLE_SSL_CIPHER, SEND_TLS},
		{CURLE_SSL_ISSUER_ERROR, SEND_TLS},
		{CURLE_SSL_CLIENTCERT, SEND_TLS},
		{CURLE_OPERATION_TIMEDOUT, SEND_TIMEOUT},
		{CURLE_OK, SEND_PROTOCOL},
		{CURLE_WEIRD_SERVER_REPLY, SEND_PROTOCOL},
		{CURLE_UNSUPPORTED_PROTOCOL, SEND_PROTOCOL},
		{CURLE_HTTP2, SEND_PROTOCOL},
		{CURLE_PARTIAL_FILE, SEND_PROTOCOL},
		{CURLE_BAD_CONTENT_ENCODING, SEND_PROTOCOL},
#if LIBCURL_VERSION_NUM >= 0x080600
		{CURLE_TOO_LARGE, SEND_TOO_LARGE},
#endif
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == code)
			return errors[i].error;
	return SEND_INTERNAL;
}

static enum send_error error_of_status(int status)
{
	if (status < 300)
		return SEND_OK;
	if (status < 400)
		return SEND_REDIRECT;
	return status < 600 ? SEND_STATUS : SEND_PROTOCOL;
}

/* A complete head counts, whatever became of the body. */
static enum send_error error_of(const struct slot *slot, CURLcode code,
				int status)
{
	curl_off_t first_byte_us = 0;
	enum send_error error;

	if (slot->broken != SEND_OK)
		return slot->broken;
	if (slot->answered)
		return error_of_status(status);
	error = error_of_code(code);
	if (error == SEND_CONNECT && slot->refused)
		return SEND_ADDRESS_NOT_ALLOWED;
	/* A head that breaks off: newer ones say that nothing came. */
	if (error == SEND_CONNECT && slot->header_len > 0)
		return SEND_PROTOCOL;
	/* So libcurl 7.88 calls a header line of more than 100 kB. */
	(void)curl_easy_getinfo(slot->curl, CURLINFO_STARTTRANSFER_TIME_T,
				&first_byte_us);
	if (code == CURLE_OUT_OF_MEMORY && first_byte_us > 0)
		return SEND_TOO_LARGE;
	if (error == SEND_INTERNAL)
		log_broken("event=transfer_failed curl=%d reason=%s", (int)code,
			   log_text(curl_easy_strerror(code)));
	return error;
}

/* Seconds, or -1. To libcurl a number that no int64_t holds is none. */
static int64_t retry_after_of(const struct slot *slot)
{
	curl_off_t seconds = 0;
	struct curl_header *header;
	size_t digits;

	(void)curl_easy_getinfo(slot->curl, CURLINFO_RETRY_AFTER, &seconds);
	if (seconds > 0)
		return seconds;
	if (curl_easy_header(slot->curl, "Retry-After", 0, CURLH_HEADER, -1,
			     &header) != CURLHE_OK)
		return -1;
	digits = strspn(header->value, "0123456789");
	return digits > 18 && header->value[digits] == '\0' ? INT64_MAX : -1;
}

/* Out of flight, but not idle before its answer has been looked at. */
static struct send_result slot_end(struct sender *sender, struct slot *slot,
				   CURLcode code)
{
	struct bucket *bucket = bucket_of(sender, slot->endpoint);
	long status = 0, connects = 0;
	struct send_result result = {
		.opaque = slot->opaque,
		.endpoint = slot->endpoint,
		.retry_after_s = -1,
		.duration_ms =
			(int)((clock_monotonic_us() - slot->started_us) / 1000),
		.answer = {slot->answer, slot->answer_len},
	};

	(void)curl_easy_getinfo(slot->curl, CURLINFO_NUM_CONNECTS, &connects);
	(void)curl_easy_getinfo(slot->curl, CURLINFO_RESPONSE_CODE, &status);
	if (slot->answered) {
		result.status = (int)status;
		result.retry_after_s = retry_after_of(slot);
	}
	result.error = error_of(slot, code, result.status);
	(void)curl_multi_remove_handle(sender->multi, slot->curl);
	slot_empty(slot);
	LIST_REMOVE(slot, bucket);
	if (connects > 0) {
		bucket->session = slot;
		slot->session_of = slot->endpoint;
	}
	sender->in_flight--;
	return result;
}

static int harvest(struct sender *sender,
		   void (*done)(void *context,
				const struct send_result *result),
		   void *context)
{
	struct send_result result;
	const CURLMsg *message;
	int left, ended = 0;
	char *opaque;

	while ((message = curl_multi_info_read(sender->multi, &left)) != NULL) {
		CURLcode code = message->data.result;
		struct slot *slot;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
					&opaque);
		slot = (struct slot *)(void *)opaque;
		result = slot_end(sender, slot, code);
		done(context, &result);
		slot_rest(sender, slot);
		ended++;
	}
	return ended;
}

/* How long epoll may wait; rounded up, or the last millisecond would spin. */
static int wait_until_timer(const struct sender *sender, int wait_ms)
{
	int64_t left_us;

	if (sender->timer_us < 0)
		return wait_ms;
	left_us = sender->timer_us - clock_monotonic_us();
	if (left_us <= 0)
		return 0;
	return left_us / 1000 < wait_ms ? (int)(left_us / 1000) + 1 : wait_ms;
}

static int action_of(uint32_t events)
{
	return (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
	       (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
	       (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
}

int sender_poll(struct sender *sender, int wait_ms,
		void (*done)(void *context, const struct send_result *result),
		void *context)
{
	struct epoll_event events[EVENTS];
	int running, count = epoll_wait(sender->epoll, events, EVENTS,
					wait_until_timer(sender, wait_ms));

	for (int i = 0; i < count; i++)
		(void)curl_multi_socket_action(sender->multi, events[i].data.fd,
					       action_of(events[i].events),
					       &running);
	if (sender->timer_us >= 0 && sender->timer_us <= clock_monotonic_us()) {
		sender->timer_us = -1;
		(void)curl_multi_socket_action(
			sender->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	return harvest(sender, done, context);
}
