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

enum {
	DIALECT_NATIVE,
	DIALECT_PRIVACY,
	DIALECTS
};

/* What a worker keeps between requests. */
struct service {
	const struct config *config;
	struct keyring *keyring;
	struct metrics *metrics;
	struct throttle *throttle;
	struct db *db;
	struct gate *gate;
	char *openapi[DIALECTS]; /* the documents, made at start */
	/* What is noted of a key after the reply; 0: nothing. */
	int64_t key_to_touch, key_to_keep;
	char key_to_keep_public_id[32];
	int route_index; /* of the request in hand */
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
	const struct dialect *dialect;
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
	const char *media;		  /* NULL: application/json */
	void (*handle)(struct call *call);
	const char *summary;
};
extern const struct route routes[], privacy_routes[];
extern const size_t route_count;

/* One way to speak of the same cards: its words for what is asked, and for why
 * it is refused. */
struct dialect {
	const char *name; /* as api_keys has it */
	const struct route *routes;
	size_t route_count;
	bool loose; /* a trailing slash is ignored; a body is JSON, whatever its
		       Content-Type says */
	void (*refuse)(struct call *call, const struct fault *fault);
	const struct emit_object *error;
	/* Of a list's reply; the first is the rows, whose object is filled in.
	 */
	const struct emit_field *list_fields;
	size_t list_count;
	/* Of the document: its security scheme by name and as JSON. */
	const char *security, *scheme, *description;
};
extern const struct dialect dialects[DIALECTS];

/* A dialect's list of one kind of rows. */
#define LIST_FIELDS_MAX 8
struct list_envelope {
	struct emit_field fields[LIST_FIELDS_MAX];
	struct emit_object object;
};
void list_envelope_make(struct list_envelope *envelope,
			const struct dialect *dialect,
			const struct emit_object *row);

#define TEXT_LIST_SCHEMA "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"

/* Replies. What is refused is told in the words of the call's dialect. */
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
/* The same where run says with what HTTP status its answer goes: *status. */
enum error_code call_effect_status(
	struct call *call,
	enum db_result (*run)(const struct flow *flow, void *arg,
			      enum error_code *refusal),
	void (*render)(const void *arg, struct text *body), void *arg,
	const int *status);

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

void native_refuse(struct call *call, const struct fault *fault);
/* When to try again, in seconds, where the refusal asks for it; else NULL. */
const char *retry_after(enum error_code code);

extern const struct emit_object error_object;
#define LIST_FIELDS 2
extern const struct emit_field native_list_fields[LIST_FIELDS];

#endif
