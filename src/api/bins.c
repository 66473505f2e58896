/* SPDX-License-Identifier: Apache-2.0 */
#include "../store/bins.h"

#include "resources.h"

struct bins_query {
	struct page_query page;
};

static const struct spec_field bins_fields[] = {
	PAGE_FIELDS(struct bins_query, page),
};
static const struct spec bins_spec = SPEC("BinQuery", bins_fields);
/* Clients written for the seeds expect all BINs at once. */
static const struct bins_query bins_defaults = {.page = PAGE_DEFAULT(100)};
const struct shape bins_query = {&bins_spec, sizeof(struct bins_query),
				 &bins_defaults};

static const char *const network_names[] = {"visa", "mastercard", NULL};

#define BIN(...) OUT(struct bin_row, __VA_ARGS__)
static const struct emit_field bin_fields[] = {
	BIN("id", EMIT_TEXT, id),
	BIN("network", EMIT_TEXT, network, .values = network_names),
	BIN("type", EMIT_TEXT, type),
	BIN("issuer_country", EMIT_TEXT, issuer_country),
	BIN("3ds", EMIT_BOOL, three_ds),
	BIN("apple_pay", EMIT_BOOL, apple_pay),
	BIN("google_pay", EMIT_BOOL, google_pay),
	BIN("max_transaction", EMIT_MONEY, max_transaction),
	BIN("max_monthly", EMIT_MONEY, max_monthly),
	BIN("acceptance_rate", EMIT_TENTHS, acceptance_tenths,
	    .doc = "Per cent of authorizations approved."),
	BIN("best_for", EMIT_JSON, best_for, .json_schema = TEXT_LIST_SCHEMA),
	BIN("issuing", EMIT_BOOL, issuing,
	    .doc = "Whether new cards are issued at present."),
};
const struct emit_object bin_object = EMIT("Bin", bin_fields);

static struct list_place bin_list_show(struct call *call, const void *row,
				       void *view)
{
	(void)call;
	*(struct bin_row *)view = *(const struct bin_row *)row;
	return bin_place(row);
}

void bins_list(struct call *call)
{
	static const struct list_shape shape = {
		&bin_object, sizeof(struct bin_row), sizeof(struct bin_row),
		bin_list_show};
	const struct bins_query *query = call->query;
	struct bin_row *rows = NULL;
	struct list_call list;
	enum db_result status;

	if (!list_open(call, &list, &query->page, "bins", false))
		return;
	status = bin_list(call->service->db, call->arena, call->login->test,
			  &list.window, &rows, &list.result);
	list_reply(call, &list, &shape, status, rows);
}
