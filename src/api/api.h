/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_API_H
#define API_API_H

#include "../flow/effect.h"
#include "../http/request.h"
#include "../http/route.h"
#include "../json/emit.h"
#include "../json/spec.h"
#include "../store/list.h"
#include "gate.h"

/* Rows of the tables: the struct, the wire name, the kind, the member, and
 * what else the row says. */
#define IN(type, title, what, member, ...)                                     \
	{                                                                      \
		.name = (title), .kind = (what),                               \
		.offset = offsetof(type, member), __VA_ARGS__                  \
	}
#define OUT(type, title, what, member, ...)                                    \
	{                                                                      \
		.name = (title), .kind = (what),                               \
		.offset = offsetof(type, member), __VA_ARGS__                  \
	}

struct config;
struct keyring;
struct metrics;
struct throttle;

/* What a worker keeps between requests. */
struct service {
	const struct config *config;
	struct keyring *keyring;
	struct metrics *metrics;
	struct throttle *throttle;
	struct db *db;
	struct gate *gate;
	char *openapi;	      /* the document, made at start */
	int64_t key_to_touch; /* after the reply; 0: none */
	int route_index;      /* of the request in hand */
};

/* What a request may hold: its table, and the struct that the table fills. */
struct shape {
	const struct spec *spec;
	size_t size;
	const void *defaults; /* NULL: zeros */
};

/* A request on its way through one handler. */
struct call {
	struct service *service;
	struct request *request;
	struct reply *reply;
	struct arena *arena;
	const struct route *route;
	const char *args[ROUTE_ARGS]; /* the path's {…} */
	struct login *login;	      /* NULL on public routes */
	const void *query, *body;     /* structs of the route's shapes */
	json_t *json;		      /* owns what body points into */
};

enum scope {
	SCOPE_PUBLIC, /* no credential */
	SCOPE_READ,
	SCOPE_WRITE,
	SCOPE_DETAILS, /* card numbers */
	SCOPE_NETWORK, /* the card network, by its client certificate */
};

/* The one list of what the server answers: routing, 405, OpenAPI, metrics. */
struct route {
	struct route_key key;
	enum scope scope;
	bool test_only;
	const struct shape *query, *body; /* NULL: none */
	int status;			  /* of success */
	const struct emit_object *answer; /* NULL: not a JSON object of ours */
	bool list;			  /* answer's rows in a list */
	void (*handle)(struct call *call);
	const char *summary;
};
extern const struct route routes[];
extern const size_t route_count;

#define TEXT_LIST_SCHEMA "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"

/* Replies. */
void reply_refuse(struct call *call, const struct fault *fault);
void reply_error(struct call *call, enum error_code code, const char *param);
void reply_object(struct call *call, const struct emit_object *object,
		  const void *row);

/* Runs a change and answers with what it rendered, or with its refusal, which
 * comes back for a handler that has more to say about it. */
enum error_code call_effect(struct call *call,
			    enum db_result (*run)(const struct flow *flow,
						  void *arg,
						  enum error_code *refusal),
			    void (*render)(const void *arg, struct text *body),
			    void *arg);

/* On whose behalf a call changes something. */
struct flow call_flow(const struct call *call);

/* Pages. Each list's query struct holds one of these. */
struct page_query {
	int64_t page, per_page;
	bool page_given;
	const char *cursor;
};
#define PAGE_DEFAULT(rows)                                                     \
	{                                                                      \
		.page = 1, .per_page = (rows)                                  \
	}
#define PAGE_FIELDS(type, member)                                              \
	{.name = "page",                                                       \
	 .kind = SPEC_INT,                                                     \
	 .min = 1,                                                             \
	 .max = 1000000000,                                                    \
	 .offset = offsetof(type, member.page),                                \
	 .given = offsetof(type, member.page_given),                           \
	 .doc = "Page number, from 1."},                                       \
		{.name = "per_page",                                           \
		 .kind = SPEC_INT,                                             \
		 .min = 1,                                                     \
		 .max = 100,                                                   \
		 .offset = offsetof(type, member.per_page),                    \
		 .doc = "Rows per page."},                                     \
	{                                                                      \
		.name = "cursor", .kind = SPEC_TEXT, .min = 1, .max = 128,     \
		.offset = offsetof(type, member.cursor),                       \
		.doc = "next_cursor of the page before, instead of page."      \
	}

/* A page of a list on its way: list_open fills all but the result, which the
 * store's list function does. */
struct list_call {
	const char *name;
	struct list_place after;
	struct list_window window;
	struct list_result result;
	int64_t number; /* of the page */
};

/* How the rows of a list are shown. */
struct list_shape {
	const struct emit_object *object;
	size_t row_size, view_size;
	/* Fills the view, which is zeroed; answers the row's place. */
	struct list_place (*show)(struct call *call, const void *row,
				  void *view);
};

/*
 * name is the list's with its filters and order, since a cursor belongs to
 * exactly one. False when the cursor is not this list's: the reply is written.
 */
bool list_open(struct call *call, struct list_call *list,
	       const struct page_query *query, const char *name,
	       bool descending);
/* Answers with the rows, or with why there are none: status is how the query
 * ended. */
void list_reply(struct call *call, const struct list_call *list,
		const struct list_shape *shape, enum db_result status,
		const void *rows);

/*
 * Fills a row's struct from a snapshot: an object whose keys are the columns'
 * names, with integers (or their text) for numbers, amounts in cents and flags,
 * "YYYY-MM-DD HH:MM:SS" for times and lower-case hex for blobs. A key that is
 * not there reads as NULL. False when a value is not of its column's type.
 */
bool snapshot_read(struct arena *arena, const json_t *object,
		   const struct row_shape *shape, void *row);

extern const struct emit_object page_object, error_object;

#endif
