/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_RESOURCES_H
#define API_RESOURCES_H

#include "../base/token.h"
#include "../flow/payments.h"
#include "../store/cards.h"
#include "../store/events.h"
#include "../store/funding.h"
#include "api.h"

/* What routes.c takes from the resource files: tables and handlers, one file
 * per first segment of the URL. */

/* Each prints its object from an event's snapshot; false when it cannot be
 * read. */
bool card_snapshot_print(struct arena *arena, const struct keyring *keyring,
			 const json_t *snapshot, struct text *body);
bool transaction_snapshot_print(struct arena *arena,
				const struct keyring *keyring,
				const json_t *snapshot, struct text *body);
bool challenge_snapshot_print(struct arena *arena,
			      const struct keyring *keyring,
			      const json_t *snapshot, struct text *body);
bool deposit_snapshot_print(struct arena *arena, const struct keyring *keyring,
			    const json_t *snapshot, struct text *body);
bool webhook_snapshot_print(struct arena *arena, const struct keyring *keyring,
			    const json_t *snapshot, struct text *body);

/* bins.c */
extern const struct shape bins_query;
extern const struct emit_object bin_object;
void bins_list(struct call *call);

/* cards.c */
extern const struct shape cards_query, card_create_body, card_patch_body,
	card_fund_body, card_withdraw_body;
extern const struct emit_object card_object, card_summary_object,
	card_details_object, card_frozen_object, card_terminated_object,
	card_funded_object, card_withdrawn_object;
void cards_list(struct call *call);
void cards_create(struct call *call);
void cards_get(struct call *call);
void cards_patch(struct call *call);
void cards_delete(struct call *call);
void cards_details(struct call *call);
void cards_freeze(struct call *call);
void cards_unfreeze(struct call *call);
void cards_fund(struct call *call);
void cards_withdraw(struct call *call);

/* wallet.c */
extern const struct shape addresses_query, deposits_query;
extern const struct emit_object wallet_object, addresses_object, deposit_object;
void wallet_balance(struct call *call);
void wallet_addresses(struct call *call);
void wallet_deposits(struct call *call);
void wallet_deposit(struct call *call);
void deposit_print(const void *deposit_command, struct text *body);

/* simulate.c */
extern const struct shape simulate_deposit_body, simulate_clock_body;
extern const struct emit_object clock_object;
void simulate_deposits(struct call *call);
void simulate_clocks(struct call *call);

/* transactions.c */

/* A transaction with its timeline, as its GET shows it; the last two are the
 * sandbox's own: how the message came out. */
struct transaction_shown {
	struct transaction_row row;
	struct transaction_event *events;
	size_t count;
	bool approved;
	const char *response_code; /* NULL: the row's */
};

/* Fills the timeline. */
enum db_result transaction_shown(struct db *db, struct arena *arena,
				 struct transaction_shown *shown);
/* arg is a struct transaction_shown. */
void transaction_simulated_print(const void *arg, struct text *body);

extern const struct shape transactions_query;
extern const struct emit_object transaction_row_object, transaction_object,
	transaction_simulated_object;
void transactions_list(struct call *call);
void transactions_get(struct call *call);

/* events.c */
extern const struct shape events_query;
extern const struct emit_object event_object;
void events_list(struct call *call);
void events_get(struct call *call);
bool event_type_known(const char *type);
/* As its GET shows it. */
void event_print(struct arena *arena, const struct keyring *keyring,
		 const struct event_row *row, struct text *body);

/* webhooks.c */
extern const struct shape webhooks_query, webhook_create_body,
	webhook_patch_body, webhook_rotate_body;
extern const struct emit_object webhook_object, webhook_secret_object,
	webhook_deleted_object;
void webhooks_list(struct call *call);
void webhooks_create(struct call *call);
void webhooks_get(struct call *call);
void webhooks_patch(struct call *call);
void webhooks_delete(struct call *call);
void webhooks_rotate(struct call *call);
void webhooks_ping(struct call *call);

/* deliveries.c */
extern const struct shape deliveries_query, webhook_replay_body,
	event_resend_body;
extern const struct emit_object delivery_object, webhook_replay_object;
void webhooks_deliveries(struct call *call);
void webhooks_replay(struct call *call);
void events_resend(struct call *call);

/* three_ds.c */
extern const struct shape challenges_query, simulate_3ds_body;
extern const struct emit_object challenge_object;
void challenges_list(struct call *call);
void challenges_get(struct call *call);
void simulate_3ds(struct call *call);
/* The network's: they show no code. */
extern const struct shape network_challenge_body, network_verify_body;
extern const struct emit_object network_challenge_object;
void network_challenge(struct call *call);
void network_verify(struct call *call);

/* payment_input.c: what an authorization takes, in the sandbox's words and in
 * the network's. */
struct authorization_input {
	const char *card_id, *pan, *kind, *cvv, *merchant_currency,
		*network_ref;
	struct money amount, merchant_amount;
	bool merchant_amount_given, partial_capable, three_ds_given,
		exp_year_given;
	int64_t exp_month, exp_year;
	struct merchant merchant;
	struct three_ds_input {
		const char *version, *result;
	} three_ds;
};
extern const struct shape simulate_authorization_body, explain_body,
	network_authorization_body;
extern const struct spec merchant_spec, network_merchant_spec;
/* Fills what is asked; card_id and pan both or neither is refused, and so is
 * money for a verification: the reply is written, and false. */
bool authorization_fill(struct call *call,
			const struct authorization_input *input,
			struct payment_authorize *authorize);
/* What the row of a network_ref or message_ref says: a purchase's stands in the
 * path of each later message. */
#define REFERENCE .ascii = true, .segment = true, .min = 1, .max = 64
/* What a message about a transaction takes: in the sandbox transaction_id names
 * it, on the network the path does, and message_ref the message. */
struct message_input {
	const char *transaction_id, *message_ref;
	struct money amount, merchant_amount;
	bool amount_given, final, merchant_amount_given;
	const char *merchant_currency;
};
extern const struct shape simulate_amount_body, simulate_advice_body,
	simulate_clearing_body, simulate_reversal_body,
	simulate_refund_reversal_body, network_amount_body, network_advice_body,
	network_clearing_body, network_reversal_body,
	network_refund_reversal_body;
/* The message itself; it points into input. */
struct payment_message increment_message(const struct message_input *input,
					 struct payment_target target);
struct payment_message advice_message(const struct message_input *input,
				      struct payment_target target);
/* Whether a clearing's merchant_amount and merchant_currency are both there or
 * neither; false with the reply written. */
bool clearing_whole(struct call *call);
struct payment_message clearing_message(const struct message_input *input,
					struct payment_target target);
struct payment_message reversal_message(const struct message_input *input,
					struct payment_target target);
struct payment_message refund_reversal_message(
	const struct message_input *input, struct payment_target target);
/* The reply where network_ref has answered another kind of message, which
 * the routines tell as ERR_INVALID_PARAMETER. */
void reference_refuse(struct call *call);
/* By id or by number; false, with the reply written, unless it is one. */
bool payment_card_fill(struct call *call, const char *card_id, const char *pan,
		       struct payment_card *card);

/* simulate_payments.c */
extern const struct shape simulate_force_post_body, simulate_refund_body;
void simulate_authorization(struct call *call);
void simulate_increment(struct call *call);
void simulate_advice(struct call *call);
void simulate_clearing(struct call *call);
void simulate_reversal(struct call *call);
void simulate_force_post(struct call *call);
void simulate_refund(struct call *call);
void simulate_refund_reversal(struct call *call);

/* explain.c */
extern const struct emit_object explain_object;
void cards_explain(struct call *call);

/* network.c */
extern const struct shape network_force_post_body, network_refund_body;
extern const struct emit_object network_answer_object;
void network_authorization(struct call *call);
void network_increment(struct call *call);
void network_advice(struct call *call);
void network_clearing(struct call *call);
void network_reversal(struct call *call);
void network_force_post(struct call *call);
void network_refund(struct call *call);
void network_refund_reversal(struct call *call);

/* endpoint_url.c: where a webhook may go. */

/* The form of a URL, and its host where that is an address; false, with the
 * reply written, when it is not good. */
bool url_fits(struct call *call, const char *url);
/* A URL whose name is looked up inside the change that brings it: once the
 * idempotency key is claimed, so that a repetition needs no look-up, and once,
 * however often the transaction runs. */
struct url_lookup {
	const char *url; /* NULL: none */
	const char *networks;
	bool looked_up;
	enum error_code refusal;
};
struct url_lookup url_lookup(const struct call *call, const char *url);
bool url_lookup_refused(struct url_lookup *lookup, enum error_code *refusal);

/* --- the Privacy dialect -------------------------------------------------- */

/* privacy.c: what its resources have in common. */
struct privacy_error {
	const char *debugging_request_id, *message;
	const char *token; /* of a declined authorization; else NULL */
};
extern const struct emit_object privacy_error_object;
#define PRIVACY_LIST_FIELDS 5
extern const struct emit_field privacy_list_fields[PRIVACY_LIST_FIELDS];
void privacy_refuse(struct call *call, const struct fault *fault);
/* A refusal in a sentence of its own: 422, for what is understood and not to be
 * had here. */
void privacy_unsupported(struct call *call, const char *sentence);
/* 400 "name is not a valid parameter: rule", the rule without a full stop. */
void privacy_invalid(struct call *call, const char *name, const char *rule);

/* The UUID by which an id of ours ("card_…") goes here; in the arena. NULL for
 * NULL. */
const char *privacy_token(struct arena *arena, const char *public_id);
/* The id behind a token in the path; false, with 404 written, when it cannot be
 * one of ours. */
bool privacy_path_id(struct call *call, const char *prefix, char id[ID_SIZE]);
/*
 * The id behind a token in query or body. False, with the reply written, when
 * it is no UUID; a UUID that cannot be one of ours leaves an id that nothing
 * has. token NULL leaves "".
 */
bool privacy_param_id(struct call *call, const char *name, const char *token,
		      const char *prefix, char id[ID_SIZE]);
/* Whether token is NULL or the account of the key; false with 400 written. */
bool privacy_account_own(struct call *call, const char *token);

/* Pages. Each list's query struct holds one of these. */
struct privacy_page_query {
	int64_t page, page_size, begin, end; /* begin, end: 0 when not given */
	bool page_given;
	const char *starting_after, *ending_before;
};
#define PRIVACY_PAGE_DEFAULT                                                   \
	{                                                                      \
		.page = 1, .page_size = 50                                     \
	}
#define PRIVACY_TOKEN .ascii = true, .min = 36, .max = 36
#define PRIVACY_PAGE_FIELDS(type, member)                                      \
	{.name = "page",                                                       \
	 .kind = SPEC_INT,                                                     \
	 .min = 1,                                                             \
	 .max = 1000000000,                                                    \
	 .offset = offsetof(type, member.page),                                \
	 .given = offsetof(type, member.page_given),                           \
	 .doc = "Page number, from 1."},                                       \
		{.name = "page_size",                                          \
		 .kind = SPEC_INT,                                             \
		 .min = 1,                                                     \
		 .max = 1000,                                                  \
		 .offset = offsetof(type, member.page_size),                   \
		 .doc = "Entries per page."},                                  \
		{.name = "begin",                                              \
		 .kind = SPEC_TIME,                                            \
		 .offset = offsetof(type, member.begin),                       \
		 .doc = "YYYY-MM-DD: made on this day or later."},             \
		{.name = "end",                                                \
		 .kind = SPEC_TIME,                                            \
		 .offset = offsetof(type, member.end),                         \
		 .doc = "YYYY-MM-DD: made before this day."},                  \
		{.name = "starting_after",                                     \
		 .kind = SPEC_TEXT,                                            \
		 PRIVACY_TOKEN,                                                \
		 .offset = offsetof(type, member.starting_after),              \
		 .doc = "Token: the entries behind this one, not a page."},    \
	{                                                                      \
		.name = "ending_before", .kind = SPEC_TEXT, PRIVACY_TOKEN,     \
		.offset = offsetof(type, member.ending_before),                \
		.doc = "Token: the entries before this one, not a page."       \
	}

/* The page in hand, for the list's query and for its reply. */
struct privacy_page {
	struct list_window window;
	struct list_place place; /* what window.after points to */
	int64_t number;
	bool backward; /* the rows are to be shown in reverse */
};
/*
 * Opens a page of a list that is newest first and whose ids begin with prefix.
 * place tells where the row of that id stands in the list of the wallet, or
 * DB_NO_ROW. False when the query does not make sense: the reply is written.
 */
bool privacy_page_open(struct call *call,
		       const struct privacy_page_query *query,
		       const char *prefix,
		       enum db_result (*place)(struct call *call,
					       const char *id,
					       struct list_place *place),
		       struct privacy_page *page);
/* Whether what was made at that time is between begin and end. */
bool privacy_made_within(const struct privacy_page_query *query, int64_t made);
/* {"data", "page", "total_entries", "total_pages", "has_more"}. */
void privacy_reply_list(struct call *call, const struct emit_object *object,
			struct emit_list rows, const struct list_result *result,
			const struct privacy_page *page);
/* The list of the one row that there is, or of none; it is on the first page.
 */
void privacy_reply_one(struct call *call, const struct emit_object *object,
		       struct emit_list row, const struct privacy_page *page);

/* privacy_accounts.c */
extern const struct shape privacy_accounts_query, privacy_account_patch_body;
extern const struct emit_object privacy_status_object, privacy_account_object;
void privacy_status(struct call *call);
void privacy_accounts_list(struct call *call);
void privacy_account_get(struct call *call);
void privacy_account_patch(struct call *call);

/* privacy_funding.c: the wallet as a funding source. */
struct privacy_funding {
	const char *created; /* "YYYY-MM-DD HH:MM:SS" */
	const char *token, *type, *state, *nickname, *account_name, *last_four;
};
/* From the wallet's row, which funding_get reads: one for all cards of a list.
 */
struct privacy_funding privacy_funding_show(struct arena *arena,
					    const struct funding_row *row);
/* Whether token is NULL or the wallet of the key; false with 400 written. */
bool privacy_funding_own(struct call *call, const char *token);
extern const struct shape privacy_fundings_query, privacy_funding_new_body,
	privacy_funding_patch_body;
extern const struct emit_object privacy_funding_object;
void privacy_fundings_list(struct call *call);
void privacy_fundings_card(struct call *call);
void privacy_funding_new(struct call *call);
void privacy_funding_patch(struct call *call);

/* privacy_cards.c */
struct privacy_card {
	int64_t created;
	const char *token, *last_four, *hostname, *memo, *type;
	struct money spend_limit;
	const char *spend_limit_duration, *state;
	struct privacy_funding funding;
	const char *pan, *cvv; /* NULL: not shown */
	const char *exp_month, *exp_year, *account_token;
};
/* Without its number; funding is that of the card's wallet. */
struct privacy_card privacy_card_show(struct arena *arena,
				      const struct card_row *row,
				      const struct funding_row *funding);
extern const struct emit_object privacy_card_object, privacy_provision_object;
extern const struct shape privacy_cards_query, privacy_card_query,
	privacy_card_new_body, privacy_card_change_body, privacy_card_put_body,
	privacy_card_provision_body, privacy_card_reissue_body;
void privacy_cards_list(struct call *call);
void privacy_card_list(struct call *call); /* legacy: of one, by query */
void privacy_card_new(struct call *call);
void privacy_card_get(struct call *call);
void privacy_card_change(struct call *call);
void privacy_card_put(struct call *call); /* legacy: the token in the body */
void privacy_card_provision(struct call *call);
void privacy_card_reissue(struct call *call);

/* privacy_embed.c */
extern const struct shape privacy_embed_query;
void privacy_embed_card(struct call *call);

/* privacy_transactions.c */
extern const struct shape privacy_transactions_query, privacy_transaction_query;
extern const struct emit_object privacy_transaction_object;
void privacy_transactions_list(struct call *call);
void privacy_transactions_all(struct call *call);
void privacy_transactions_approvals(struct call *call);
void privacy_transactions_declines(struct call *call);
void privacy_transaction_get(struct call *call);
/* A transaction.* event's snapshot as that dialect's webhook sends it: the bare
 * transaction, in canonical JSON. False when it cannot be read, or is older
 * than the dialect. */
bool privacy_event_print(struct arena *arena, const json_t *snapshot,
			 const struct funding_row *funding, struct text *body);

/* privacy_webhook.c */
extern const struct shape privacy_webhook_body;
extern const struct emit_object privacy_webhook_object,
	privacy_webhook_deleted_object;
void privacy_webhook_get(struct call *call);
void privacy_webhook_put(struct call *call);
void privacy_webhook_delete(struct call *call);

/* privacy_simulate.c */
extern const struct shape privacy_authorize_body, privacy_void_body,
	privacy_clearing_body, privacy_advice_body, privacy_return_body,
	privacy_return_reversal_body;
extern const struct emit_object privacy_simulated_object,
	privacy_simulated_token_object;
void privacy_simulate_authorize(struct call *call);
void privacy_simulate_void(struct call *call);
void privacy_simulate_clearing(struct call *call);
void privacy_simulate_advice(struct call *call);
void privacy_simulate_return(struct call *call);
void privacy_simulate_return_reversal(struct call *call);

/* status.c */
extern const struct shape openapi_query;
extern const struct emit_object status_object;
void status_get(struct call *call);
void openapi_get(struct call *call);
void metrics_get(struct call *call);

#endif
