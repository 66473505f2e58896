/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcgiapp.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../base/arena.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "fcgi.h"

#define BACKLOG 4096	  /* the kernel's net.core.somaxconn may be less */
#define PEER_TIMEOUT_S 20 /* for an nginx on another machine that went away */
#define DRAIN_MAX (1024 * 1024)
#define LAST_MAX 128 /* requests more where there is no end of them */

/*
 * SIGTERM stays blocked and is never taken: it is looked for between two
 * requests, and while there is none to serve its signalfd ends the waiting. So
 * it cannot cut a request short or arrive unseen before the wait.
 */
struct waiter {
	int listen_fd, epoll_fd;
	bool local; /* the socket is of the UNIX domain */
	sigset_t stop;
};

static bool is_local(int listen_fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	return getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) ==
		       0 &&
	       domain == AF_UNIX;
}

static bool waiter_open(struct waiter *waiter, int listen_fd)
{
	/* Exclusive: a connection wakes one idle worker, not all of them. */
	struct epoll_event connection = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	struct epoll_event signal = {.events = EPOLLIN};
	int signal_fd;

	sigemptyset(&waiter->stop);
	sigaddset(&waiter->stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &waiter->stop, NULL);
	waiter->listen_fd = listen_fd;
	waiter->local = is_local(listen_fd);
	signal_fd = signalfd(-1, &waiter->stop, SFD_CLOEXEC);
	waiter->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return signal_fd >= 0 && waiter->epoll_fd >= 0 &&
	       epoll_ctl(waiter->epoll_fd, EPOLL_CTL_ADD, listen_fd,
			 &connection) == 0 &&
	       epoll_ctl(waiter->epoll_fd, EPOLL_CTL_ADD, signal_fd, &signal) ==
		       0;
}

static bool stop_is_pending(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1;
}

/*
 * The next connection, or -1 when it is time to stop and none waits. A stop is
 * looked for after accepting failed and before waiting, never in between: who
 * was woken for a connection is the only one who knows of it.
 */
static int connection_next(const struct waiter *waiter)
{
	struct epoll_event event;

	for (;;) {
		int fd = accept(waiter->listen_fd, NULL, NULL);
		int error = errno;

		if (fd >= 0)
			return fd;
		if (stop_is_pending())
			return -1;
		if (error == EAGAIN) {
			epoll_wait(waiter->epoll_fd, &event, 1, -1);
		} else if (error != EINTR && error != ECONNABORTED) {
			log_unusual("event=accept_failed errno=%d", error);
			usleep(10000);
		}
	}
}

/*
 * A peer that is silent must not keep the worker for ever. A connection by TCP
 * has this from its listening socket.
 */
static void connection_limit(int fd)
{
	struct timeval limit = {.tv_sec = PEER_TIMEOUT_S};

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

/* nginx never half-closes: the end of what it sends is its end, and nobody
 * hears the answer. */
static bool peer_has_gone(int fd)
{
	char byte;
	ssize_t len = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR);
}

/*
 * Reads the body to its end, the stream's closing record included: bytes left
 * in the socket when it is closed would reset the connection under the reply.
 * False when the client went away before sending all that it announced.
 */
static bool body_read(struct request *request, FCGX_Stream *in)
{
	struct text body;
	size_t total = 0;
	char piece[8192];
	int got;

	text_init(&body, request->arena);
	while ((got = FCGX_GetStr(piece, sizeof(piece), in)) > 0) {
		total += (size_t)got;
		if (total <= BODY_MAX)
			text_add_n(&body, piece, (size_t)got);
		else if (total > DRAIN_MAX)
			break;
	}
	if (FCGX_GetError(in) != 0)
		return false;
	if (total > BODY_MAX || request->content_length > BODY_MAX) {
		if (request->fault.code == ERR_NONE)
			request->fault.code = ERR_BODY_TOO_LARGE;
		return true;
	}
	if (request->content_length > (int64_t)total)
		return false;
	if (body.len > 0) {
		request->body = body.data;
		request->body_len = body.len;
	}
	return true;
}

static void reply_send(FCGX_Request *fcgi, const struct request *request,
		       const struct reply *reply)
{
	struct text out;

	text_init(&out, request->arena);
	reply_print(&out, reply, request);
	if (out.len > INT_MAX) {
		log_broken("event=reply_too_long bytes=%zu", out.len);
		return;
	}
	/* A failure means that nginx has gone: its client too. */
	FCGX_PutStr(out.data, (int)out.len, fcgi->out);
}

static void connection_finish(FCGX_Request *fcgi)
{
	/* Everything has been read, so libfcgi need not linger. */
	FCGX_Detach(fcgi);
	FCGX_Finish_r(fcgi);
	if (fcgi->ipcFd >= 0)
		FCGX_Free(fcgi, 1);
}

static void connection_serve(const struct fcgi_service *service,
			     FCGX_Request *fcgi)
{
	int64_t started_us = clock_monotonic_us();
	struct request request;
	struct reply reply;

	if (FCGX_Accept_r(fcgi) < 0)
		return;
	request_read(&request, service->arena, fcgi->envp);
	log_set_request(request.request_id);
	request.accepted_us = started_us;
	if (!body_read(&request, fcgi->in)) {
		log_client("event=request_cut_short announced=%lld",
			   (long long)request.content_length);
		connection_finish(fcgi);
	} else if (peer_has_gone(fcgi->ipcFd)) {
		log_client("event=client_gone");
		connection_finish(fcgi);
	} else {
		reply_init(&reply, service->arena);
		service->serve(service->context, &request, &reply);
		reply_send(fcgi, &request, &reply);
		connection_finish(fcgi);
		service->served(service->context, &request, &reply,
				clock_monotonic_us() - started_us);
	}
	log_set_request("");
	arena_reset(service->arena);
}

bool fcgi_serve(const struct fcgi_service *service)
{
	struct waiter waiter;
	FCGX_Request fcgi;
	bool stopping = false;
	int fd;

	if (!waiter_open(&waiter, service->listen_fd) || FCGX_Init() != 0 ||
	    FCGX_InitRequest(&fcgi, service->listen_fd,
			     FCGI_FAIL_ACCEPT_ON_INTR) != 0) {
		log_unusual("event=worker_cannot_start errno=%d", errno);
		return false;
	}
	for (int64_t served = 0;
	     service->requests_max == 0 || served < service->requests_max;
	     served++) {
		fd = connection_next(&waiter);
		if (fd < 0)
			break;
		if (waiter.local)
			connection_limit(fd);
		/* A connection of ours in libfcgi's place: its own accept makes
		 * three more system calls. Marked as kept, or it is closed. */
		fcgi.ipcFd = fd;
		fcgi.keepConnection = 1;
		connection_serve(service, &fcgi);
		/* Seldom, as it matters only while there is always a next
		 * one; what waited when the stop came is served. */
		if (served % LAST_MAX == LAST_MAX - 1) {
			if (stopping)
				break;
			stopping = stop_is_pending();
		}
	}
	return true;
}

static int listen_failed(int fd, const char *where, const char *step)
{
	log_unusual("event=listen_failed step=%s where=%s error=%s", step,
		    log_text(where), log_text(strerror(errno)));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Removes a socket that nobody answers on. False when somebody does. */
static bool stale_remove(const struct sockaddr_un *address)
{
	struct stat status;
	int probe;
	bool answered;

	if (lstat(address->sun_path, &status) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(status.st_mode)) {
		errno = EEXIST;
		return false;
	}
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return false;
	answered = connect(probe, (const struct sockaddr *)address,
			   sizeof(*address)) == 0 ||
		   errno != ECONNREFUSED;
	close(probe);
	if (answered) {
		errno = EADDRINUSE;
		return false;
	}
	return unlink(address->sun_path) == 0;
}

static int listen_unix(const char *where, const char *path, int mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	mode_t before;
	int fd, bound;

	if (len == 0 || len >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return listen_failed(-1, where, "path");
	}
	memcpy(address.sun_path, path, len + 1);
	if (!stale_remove(&address))
		return listen_failed(-1, where, "path");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return listen_failed(fd, where, "socket");
	before = umask(0177); /* nobody else connects before the chmod */
	bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (bound != 0)
		return listen_failed(fd, where, "bind");
	if (chmod(path, (mode_t)mode) != 0)
		return listen_failed(fd, where, "chmod");
	if (listen(fd, BACKLOG) != 0)
		return listen_failed(fd, where, "listen");
	return fd;
}

/* Connections inherit these from the socket that they are accepted on. */
static bool tcp_options_set(int fd)
{
	struct timeval limit = {.tv_sec = PEER_TIMEOUT_S};
	int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ==
		       0 &&
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ==
		       0;
}

static int listen_tcp(const char *where)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	const char *colon = strrchr(where, ':');
	struct addrinfo *found;
	char host[256];
	size_t len = colon ? (size_t)(colon - where) : 0;
	int fd;

	if (len >= 2 && where[0] == '[' && where[len - 1] == ']') {
		where++;
		len -= 2;
	}
	errno = EINVAL;
	if (len == 0 || len >= sizeof(host))
		return listen_failed(-1, where, "address");
	memcpy(host, where, len);
	host[len] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
		return listen_failed(-1, where, "address");
	fd = socket(found->ai_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || !tcp_options_set(fd) ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 ||
	    listen(fd, BACKLOG) != 0)
		fd = listen_failed(fd, where, "bind");
	freeaddrinfo(found);
	return fd;
}

int fcgi_listen(const char *where, int mode)
{
	if (strncmp(where, "unix:", 5) == 0)
		return listen_unix(where, where + 5, mode);
	return listen_tcp(where);
}
