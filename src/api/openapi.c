/* SPDX-License-Identifier: Apache-2.0 */
#include "openapi.h"

#include <ctype.h>
#include <string.h>

#include "../base/arena.h"
#include "resources.h"

#define COMPONENT_MAX 64

/* Objects already under components/schemas; each is printed once. */
struct components {
	const struct emit_object *objects[COMPONENT_MAX];
	size_t count;
};

static void component_add(struct components *all,
			  const struct emit_object *object)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->objects[i] == object)
			return;
	if (all->count == COMPONENT_MAX)
		return;
	all->objects[all->count++] = object;
	for (size_t i = 0; i < object->count; i++)
		if (object->fields[i].object != NULL)
			component_add(all, object->fields[i].object);
}

/* "/v1/cards/{id}/fund" and POST: "post_v1_cards_id_fund". */
static void operation_id_print(struct text *out, const struct route *route)
{
	const char *method = http_method_names[route->key.method];
	bool gap = false;

	text_add(out, "\"operationId\":\"");
	for (; *method != '\0'; method++)
		text_add_char(out, (char)tolower((unsigned char)*method));
	for (const char *p = route->key.pattern; *p != '\0'; p++) {
		if (isalnum((unsigned char)*p)) {
			if (gap)
				text_add_char(out, '_');
			gap = false;
			text_add_char(out, *p);
		} else {
			gap = true;
		}
	}
	text_add(out, "\"");
}

static void path_parameters_print(struct text *out, const char *pattern,
				  bool *first)
{
	const char *open = pattern;

	while ((open = strchr(open, '{')) != NULL) {
		size_t len = strcspn(open + 1, "}");

		text_printf(out,
			    "%s{\"name\":\"%.*s\",\"in\":\"path\","
			    "\"required\":true,\"schema\":{\"type\":"
			    "\"string\"}}",
			    *first ? "" : ",", (int)len, open + 1);
		*first = false;
		open += len;
	}
}

static bool changes(const struct route *route)
{
	return route->key.method != METHOD_GET && route->scope != SCOPE_NETWORK;
}

static void parameters_print(struct text *out, const struct route *route)
{
	bool first = true;

	text_add(out, ",\"parameters\":[");
	path_parameters_print(out, route->key.pattern, &first);
	if (changes(route)) {
		text_printf(out,
			    "%s{\"$ref\":\"#/components/parameters/"
			    "IdempotencyKey\"}",
			    first ? "" : ",");
		first = false;
	}
	if (route->query != NULL) {
		text_add(out, first ? "" : ",");
		spec_print_parameters(out, route->query->spec);
	}
	text_add(out, "]");
}

static void answer_schema_print(struct text *out, const struct dialect *dialect,
				const struct route *route)
{
	struct list_envelope list;

	if (route->list) {
		list_envelope_make(&list, dialect, route->answer);
		emit_print_schema(out, &list.object);
	} else {
		text_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}",
			    route->answer->name);
	}
}

static void responses_print(struct text *out, const struct dialect *dialect,
			    const struct route *route)
{
	text_printf(out, ",\"responses\":{\"%d\":{\"description\":\"Done.\"",
		    route->status);
	if (route->answer != NULL) {
		text_add(out, ",\"content\":{\"application/json\":"
			      "{\"schema\":");
		answer_schema_print(out, dialect, route);
		text_add(out, "}}");
	} else {
		text_printf(out,
			    ",\"content\":{\"%s\":{\"schema\":"
			    "{\"type\":\"%s\"}}}",
			    route->media == NULL ? "application/json"
						 : route->media,
			    route->media == NULL ? "object" : "string");
	}
	text_add(out, "}");
	if (route->answer == &status_object)
		text_add(out, ",\"503\":{\"description\":\"The database is "
			      "away.\",\"content\":{\"application/json\":"
			      "{\"schema\":{\"oneOf\":[{\"$ref\":\"#/"
			      "components/schemas/Status\"},{\"$ref\":\"#/"
			      "components/schemas/Error\"}]}}}}");
	text_add(out, ",\"default\":{\"$ref\":\"#/components/responses/"
		      "Error\"}}");
}

static void operation_print(struct text *out, const struct dialect *dialect,
			    const struct route *route)
{
	const char *method = http_method_names[route->key.method];

	text_add_char(out, '"');
	for (; *method != '\0'; method++)
		text_add_char(out, (char)tolower((unsigned char)*method));
	text_add(out, "\":{");
	operation_id_print(out, route);
	text_add(out, ",\"summary\":");
	emit_string(out, route->summary);
	if (route->scope == SCOPE_PUBLIC)
		text_add(out, ",\"security\":[]");
	else if (route->scope == SCOPE_NETWORK)
		text_add(out, ",\"security\":[{\"certificate\":[]}]");
	parameters_print(out, route);
	if (route->body != NULL) {
		text_add(out, ",\"requestBody\":{\"content\":"
			      "{\"application/json\":{\"schema\":");
		spec_print_schema(out, route->body->spec);
		text_add(out, "}}}");
	}
	responses_print(out, dialect, route);
	text_add_char(out, '}');
}

/* Routes of one pattern stand together under one path. */
static void paths_print(struct text *out, const struct dialect *dialect)
{
	const struct route *all = dialect->routes;
	bool first_path = true;

	for (size_t i = 0; i < dialect->route_count; i++) {
		const char *pattern = all[i].key.pattern;
		bool seen = false, first = true;

		for (size_t j = 0; j < i; j++)
			seen |= strcmp(all[j].key.pattern, pattern) == 0;
		if (seen)
			continue;
		text_add(out, first_path ? "" : ",");
		first_path = false;
		emit_string(out, pattern);
		text_add(out, ":{");
		for (size_t j = i; j < dialect->route_count; j++) {
			if (strcmp(all[j].key.pattern, pattern) != 0)
				continue;
			text_add(out, first ? "" : ",");
			first = false;
			operation_print(out, dialect, &all[j]);
		}
		text_add_char(out, '}');
	}
}

static void schemas_print(struct text *out, const struct dialect *dialect)
{
	struct components all = {.count = 0};

	component_add(&all, dialect->error);
	for (size_t i = 0; i < dialect->list_count; i++)
		if (dialect->list_fields[i].object != NULL)
			component_add(&all, dialect->list_fields[i].object);
	for (size_t i = 0; i < dialect->route_count; i++)
		if (dialect->routes[i].answer != NULL)
			component_add(&all, dialect->routes[i].answer);
	text_add(out, "\"schemas\":{");
	for (size_t i = 0; i < all.count; i++) {
		text_add(out, i == 0 ? "" : ",");
		emit_string(out, all.objects[i]->name);
		text_add_char(out, ':');
		emit_print_schema(out, all.objects[i]);
	}
	text_add_char(out, '}');
}

static void components_print(struct text *out, const struct dialect *dialect)
{
	text_add(out, "\"components\":{");
	schemas_print(out, dialect);
	text_printf(
		out,
		",\"parameters\":{\"IdempotencyKey\":{\"name\":"
		"\"X-Idempotency-Key\",\"in\":\"header\",\"schema\":{\"type\":"
		"\"string\",\"minLength\":1,\"maxLength\":255},\"description\":"
		"\"The same key with the same request gets the first answer "
		"again, for 24 hours.\"}},\"responses\":{\"Error\":{"
		"\"description\":\"Refused, without effect.\",\"content\":{"
		"\"application/json\":{\"schema\":{\"$ref\":\"#/components/"
		"schemas/%s\"}}}}},\"securitySchemes\":{\"%s\":%s}}",
		dialect->error->name, dialect->security, dialect->scheme);
}

void openapi_print(struct text *out, const struct dialect *dialect)
{
	text_printf(out,
		    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":"
		    "\"Cardstock\",\"version\":\"1\",\"description\":\"%s\","
		    "\"license\":{\"name\":\"Apache-2.0\",\"identifier\":"
		    "\"Apache-2.0\"}},\"security\":[{\"%s\":[]}],\"paths\":{",
		    dialect->description, dialect->security);
	paths_print(out, dialect);
	text_add(out, "},");
	components_print(out, dialect);
	text_add_char(out, '}');
}
