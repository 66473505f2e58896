/* SPDX-License-Identifier: Apache-2.0 */
/* What an authorization would get, and why: every rule with what it compared.
 * Nothing is posted, held or remembered. */
#include "../base/arena.h"
#include "../base/secret.h"
#include "../core/decide.h"
#include "../flow/cards.h"
#include "resources.h"

struct rule_view {
	const char *rule, *asks, *response_code, *given, *expected;
	bool applies, passed;
	const char *asked, *room, *used, *limit; /* JSON numbers */
};

#define RULE(...) OUT(struct rule_view, __VA_ARGS__)
#define NUMBER_SCHEMA "{\"type\":\"number\"}"
static const struct emit_field rule_fields[] = {
	RULE("rule", EMIT_TEXT, rule, .doc = "The decline reason."),
	RULE("asks", EMIT_TEXT, asks),
	RULE("applies", EMIT_BOOL, applies),
	RULE("passed", EMIT_BOOL, passed),
	RULE("response_code", EMIT_TEXT, response_code),
	RULE("asked", EMIT_JSON, asked, .optional = true,
	     .json_schema = NUMBER_SCHEMA, .doc = "In dollars."),
	RULE("room", EMIT_JSON, room, .optional = true,
	     .json_schema = NUMBER_SCHEMA, .doc = "In dollars."),
	RULE("used", EMIT_JSON, used, .optional = true,
	     .json_schema = NUMBER_SCHEMA),
	RULE("limit", EMIT_JSON, limit, .optional = true,
	     .json_schema = NUMBER_SCHEMA),
	RULE("given", EMIT_TEXT, given, .optional = true),
	RULE("expected", EMIT_TEXT, expected, .optional = true),
};
static const struct emit_object rule_object =
	EMIT("ExplainedRule", rule_fields);

struct explain_view {
	const char *card_id, *response_code, *decline_reason, *decline_reasons;
	bool approved;
	struct money approved_amount;
	struct emit_list rules;
};

#define EXPLAIN(...) OUT(struct explain_view, __VA_ARGS__)
static const struct emit_field explain_fields[] = {
	EXPLAIN("card_id", EMIT_TEXT, card_id),
	EXPLAIN("approved", EMIT_BOOL, approved),
	EXPLAIN("approved_amount", EMIT_MONEY, approved_amount),
	EXPLAIN("response_code", EMIT_TEXT, response_code),
	EXPLAIN("decline_reason", EMIT_TEXT, decline_reason, .nullable = true),
	EXPLAIN("decline_reasons", EMIT_JSON, decline_reasons,
		.json_schema = TEXT_LIST_SCHEMA),
	EXPLAIN("rules", EMIT_LIST, rules, .object = &rule_object,
		.doc = "In the order in which they are checked."),
};
const struct emit_object explain_object = EMIT("Explanation", explain_fields);

static const char *dollars(struct arena *arena, struct money amount)
{
	char *text = arena_alloc(arena, MONEY_TEXT_SIZE);

	money_format(text, amount);
	return text;
}

static struct rule_view rule_show(struct arena *arena,
				  enum decline_reason reason,
				  const struct rule_trace *trace)
{
	const struct decline_info *info = decline_info(reason);
	struct rule_view view = {
		.rule = info->name,
		.asks = info->rule,
		.response_code = info->response,
		.applies = trace->applies,
		.passed = !trace->failed,
	};

	switch (trace->kind) {
	case TRACE_PLAIN:
		break;
	case TRACE_MONEY:
		view.asked = dollars(arena, trace->asked);
		view.room = dollars(arena, trace->room);
		break;
	case TRACE_COUNT:
		view.used = arena_printf(arena, "%lld", (long long)trace->used);
		view.limit =
			arena_printf(arena, "%lld", (long long)trace->limit);
		break;
	case TRACE_TEXT:
		view.given = trace->given;
		view.expected = trace->expected;
		break;
	}
	return view;
}

/* Whether a CVV is right shows a thousandth of it: noted as its reading is. */
static enum error_code cvv_note(const struct flow *flow,
				const struct authorization_facts *facts)
{
	const struct card_row card = {
		.id = facts->card_id,
		.public_id = facts->card_public_id,
		.expires_at = facts->expires_at,
	};
	struct card_secrets *secrets;
	enum error_code error;

	error = card_numbers_open(flow, "card_cvv_explained", &card, 1,
				  &secrets);
	if (secrets != NULL)
		secret_wipe(secrets, sizeof(*secrets));
	return error;
}

void cards_explain(struct call *call)
{
	const struct authorization_input *input = call->body;
	struct payment_authorize authorize = {.approved = false};
	struct flow flow = call_flow(call);
	struct rule_view rules[DECLINE_COUNT];
	struct explain_view view;
	enum error_code error;

	if (input->cvv != NULL && !(call->login->scopes & LOGIN_DETAILS)) {
		reply_error(call, ERR_SCOPE_MISSING, NULL);
		return;
	}
	if (!authorization_fill(call, input, &authorize) ||
	    !payment_card_fill(call, call->args[0], NULL, &authorize.card))
		return;
	error = payment_explain(&flow, &authorize);
	if (error == ERR_NONE && authorize.facts.card_id == 0)
		error = ERR_NOT_FOUND;
	if (error == ERR_NONE && input->cvv != NULL)
		error = cvv_note(&flow, &authorize.facts);
	if (error != ERR_NONE) {
		reply_error(call, error, NULL);
		return;
	}
	for (int i = 0; i < DECLINE_COUNT; i++)
		rules[i] = rule_show(call->arena, (enum decline_reason)i,
				     &authorize.decision.rules[i]);
	view = (struct explain_view){
		.card_id = call->args[0],
		.response_code = authorize.response_code,
		.decline_reason = authorize.decline_reason,
		.decline_reasons = authorize.decline_reasons,
		.approved = authorize.approved,
		.approved_amount = authorize.approved_amount,
		.rules = {rules, DECLINE_COUNT, sizeof(rules[0])},
	};
	reply_object(call, &explain_object, &view);
}
