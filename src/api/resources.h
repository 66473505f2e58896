/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_RESOURCES_H
#define API_RESOURCES_H

#include "../flow/payments.h"
#include "../store/events.h"
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
	bool merchant_amount_given, partial_capable, three_ds_given;
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
/* By id or by number; false, with the reply written, unless it is one. */
bool payment_card_fill(struct call *call, const char *card_id, const char *pan,
		       struct payment_card *card);

/* simulate_payments.c */
extern const struct shape simulate_amount_body, simulate_clearing_body,
	simulate_reversal_body, simulate_force_post_body, simulate_refund_body;
void simulate_authorization(struct call *call);
void simulate_increment(struct call *call);
void simulate_advice(struct call *call);
void simulate_clearing(struct call *call);
void simulate_reversal(struct call *call);
void simulate_force_post(struct call *call);
void simulate_refund(struct call *call);

/* explain.c */
extern const struct emit_object explain_object;
void cards_explain(struct call *call);

/* network.c */
extern const struct shape network_amount_body, network_clearing_body,
	network_reversal_body, network_force_post_body, network_refund_body;
extern const struct emit_object network_answer_object;
void network_authorization(struct call *call);
void network_increment(struct call *call);
void network_advice(struct call *call);
void network_clearing(struct call *call);
void network_reversal(struct call *call);
void network_force_post(struct call *call);
void network_refund(struct call *call);

/* status.c */
extern const struct emit_object status_object;
void status_get(struct call *call);
void openapi_get(struct call *call);
void metrics_get(struct call *call);

#endif
