/* SPDX-License-Identifier: Apache-2.0 */
#include "resources.h"

#define GET(pattern) .key = {METHOD_GET, pattern}, .status = 200
#define POST(pattern, code) .key = {METHOD_POST, pattern}, .status = (code)
#define PUT(pattern) .key = {METHOD_PUT, pattern}, .status = 200
#define PATCH(pattern) .key = {METHOD_PATCH, pattern}, .status = 200
#define DELETE(pattern) .key = {METHOD_DELETE, pattern}, .status = 200

#define SANDBOX(name, handler, takes, sentence)                                \
	{                                                                      \
		POST("/v1/simulate/" name, 201),                               \
			.scope = SCOPE_WRITE, .test_only = true,               \
			.body = &(takes),                                      \
			.answer = &transaction_simulated_object,               \
			.handle = (handler), .summary = "Sandbox: " sentence   \
	}
#define NETWORK(name, handler, takes, sentence)                                \
	{                                                                      \
		POST("/network/v1/" name, 200),                                \
			.scope = SCOPE_NETWORK, .body = &(takes),              \
			.answer = &network_answer_object, .handle = (handler), \
			.summary = (sentence)                                  \
	}

const struct route routes[] = {
	{GET("/v1/bins"), .scope = SCOPE_READ, .query = &bins_query,
	 .answer = &bin_object, .list = true, .handle = bins_list,
	 .summary = "List BINs"},
	{GET("/v1/cards"), .scope = SCOPE_READ, .query = &cards_query,
	 .answer = &card_summary_object, .list = true, .handle = cards_list,
	 .summary = "List cards"},
	{POST("/v1/cards", 201), .scope = SCOPE_WRITE,
	 .body = &card_create_body, .answer = &card_object,
	 .handle = cards_create, .summary = "Issue a card"},
	{GET("/v1/cards/{id}"), .scope = SCOPE_READ, .answer = &card_object,
	 .handle = cards_get, .summary = "Get a card"},
	{PATCH("/v1/cards/{id}"), .scope = SCOPE_WRITE,
	 .body = &card_patch_body, .answer = &card_object,
	 .handle = cards_patch, .summary = "Change a card"},
	{DELETE("/v1/cards/{id}"), .scope = SCOPE_WRITE,
	 .answer = &card_terminated_object, .handle = cards_delete,
	 .summary = "Terminate a card"},
	{GET("/v1/cards/{id}/details"), .scope = SCOPE_DETAILS,
	 .answer = &card_details_object, .handle = cards_details,
	 .summary = "Get a card's number, CVV and expiry"},
	{POST("/v1/cards/{id}/freeze", 200), .scope = SCOPE_WRITE,
	 .answer = &card_frozen_object, .handle = cards_freeze,
	 .summary = "Freeze a card"},
	{POST("/v1/cards/{id}/unfreeze", 200), .scope = SCOPE_WRITE,
	 .answer = &card_object, .handle = cards_unfreeze,
	 .summary = "Unfreeze a card"},
	{POST("/v1/cards/{id}/fund", 200), .scope = SCOPE_WRITE,
	 .body = &card_fund_body, .answer = &card_funded_object,
	 .handle = cards_fund,
	 .summary = "Move money from the wallet to a card"},
	{POST("/v1/cards/{id}/withdraw", 200), .scope = SCOPE_WRITE,
	 .body = &card_withdraw_body, .answer = &card_withdrawn_object,
	 .handle = cards_withdraw,
	 .summary = "Move money from a card to the wallet"},
	{POST("/v1/cards/{id}/explain", 200), .scope = SCOPE_READ,
	 .body = &explain_body, .answer = &explain_object,
	 .handle = cards_explain,
	 .summary = "What an authorization would get, and why"},
	{GET("/v1/transactions"), .scope = SCOPE_READ,
	 .query = &transactions_query, .answer = &transaction_row_object,
	 .list = true, .handle = transactions_list,
	 .summary = "List transactions"},
	{GET("/v1/transactions/{id}"), .scope = SCOPE_READ,
	 .answer = &transaction_object, .handle = transactions_get,
	 .summary = "Get a transaction with its timeline"},
	{GET("/v1/events"), .scope = SCOPE_READ, .query = &events_query,
	 .answer = &event_object, .list = true, .handle = events_list,
	 .summary = "List events"},
	{GET("/v1/events/{id}"), .scope = SCOPE_READ, .answer = &event_object,
	 .handle = events_get, .summary = "Get an event"},
	{GET("/v1/3ds"), .scope = SCOPE_READ, .query = &challenges_query,
	 .answer = &challenge_object, .list = true, .handle = challenges_list,
	 .summary = "List 3-D Secure challenges"},
	{GET("/v1/3ds/{id}"), .scope = SCOPE_READ, .answer = &challenge_object,
	 .handle = challenges_get, .summary = "Get a 3-D Secure challenge"},
	{GET("/v1/wallet/balance"), .scope = SCOPE_READ,
	 .answer = &wallet_object, .handle = wallet_balance,
	 .summary = "Get the wallet"},
	{GET("/v1/wallet/deposit-address"), .scope = SCOPE_READ,
	 .query = &addresses_query, .answer = &addresses_object,
	 .handle = wallet_addresses, .summary = "Get deposit addresses"},
	{GET("/v1/wallet/deposits"), .scope = SCOPE_READ,
	 .query = &deposits_query, .answer = &deposit_object, .list = true,
	 .handle = wallet_deposits, .summary = "List deposits"},
	{GET("/v1/wallet/deposits/{id}"), .scope = SCOPE_READ,
	 .answer = &deposit_object, .handle = wallet_deposit,
	 .summary = "Get a deposit"},
	{POST("/v1/simulate/deposit", 201), .scope = SCOPE_WRITE,
	 .test_only = true, .body = &simulate_deposit_body,
	 .answer = &deposit_object, .handle = simulate_deposits,
	 .summary = "Sandbox: bring, confirm or expire a deposit"},
	SANDBOX("authorization", simulate_authorization,
		simulate_authorization_body, "authorize a purchase"),
	SANDBOX("increment", simulate_increment, simulate_amount_body,
		"add to a hold"),
	SANDBOX("advice", simulate_advice, simulate_amount_body,
		"set the amount of a hold"),
	SANDBOX("clearing", simulate_clearing, simulate_clearing_body,
		"clear a purchase"),
	SANDBOX("reversal", simulate_reversal, simulate_reversal_body,
		"release a hold"),
	SANDBOX("force_post", simulate_force_post, simulate_force_post_body,
		"clear without an authorization"),
	SANDBOX("refund", simulate_refund, simulate_refund_body,
		"refund a purchase"),
	SANDBOX("refund_reversal", simulate_refund_reversal,
		simulate_refund_reversal_body, "take a refund back"),
	{POST("/v1/simulate/3ds", 201), .scope = SCOPE_WRITE, .test_only = true,
	 .body = &simulate_3ds_body, .answer = &challenge_object,
	 .handle = simulate_3ds,
	 .summary = "Sandbox: challenge a cardholder, or answer a challenge"},
	{POST("/v1/simulate/clock", 201), .scope = SCOPE_WRITE,
	 .test_only = true, .body = &simulate_clock_body,
	 .answer = &clock_object, .handle = simulate_clocks,
	 .summary = "Sandbox: read the test clock or move it on"},
	NETWORK("authorizations", network_authorization,
		network_authorization_body, "Decide an authorization"),
	NETWORK("authorizations/{network_ref}/increment", network_increment,
		network_amount_body, "Add to a hold"),
	NETWORK("authorizations/{network_ref}/advice", network_advice,
		network_amount_body, "Set the amount of a hold"),
	NETWORK("authorizations/{network_ref}/clearing", network_clearing,
		network_clearing_body, "Clear a purchase"),
	NETWORK("authorizations/{network_ref}/reversal", network_reversal,
		network_reversal_body, "Release a hold"),
	NETWORK("force_posts", network_force_post, network_force_post_body,
		"Clear without an authorization"),
	NETWORK("refunds", network_refund, network_refund_body,
		"Refund a purchase"),
	NETWORK("refunds/{network_ref}/reversal", network_refund_reversal,
		network_refund_reversal_body, "Take a refund back"),
	{POST("/network/v1/3ds/challenges", 200), .scope = SCOPE_NETWORK,
	 .body = &network_challenge_body, .answer = &network_challenge_object,
	 .handle = network_challenge, .summary = "Challenge a cardholder"},
	{POST("/network/v1/3ds/challenges/{id}/verify", 200),
	 .scope = SCOPE_NETWORK, .body = &network_verify_body,
	 .answer = &network_challenge_object, .handle = network_verify,
	 .summary = "Check a cardholder's code"},
	{GET("/v1/status"), .answer = &status_object, .handle = status_get,
	 .summary = "Whether the service works"},
	{GET("/v1/openapi.json"), .query = &openapi_query,
	 .handle = openapi_get, .summary = "This document"},
	{GET("/metrics"), .media = "text/plain", .handle = metrics_get,
	 .summary = "Counters for Prometheus"},
};
const size_t route_count = sizeof(routes) / sizeof(routes[0]);

/* The Privacy dialect: what is present, then what older clients call. */
#define PRIVACY_CARD(handler, sentence)                                        \
	.answer = &privacy_card_object, .handle = (handler),                   \
	.summary = (sentence)
#define PRIVACY_TRANSACTIONS(handler, sentence)                                \
	.scope = SCOPE_READ, .answer = &privacy_transaction_object,            \
	.list = true, .handle = (handler), .summary = (sentence)
#define PRIVACY_SIMULATE(name, handler, takes, gives, sentence)                \
	{                                                                      \
		POST("/v1/simulate/" name, 201),                               \
			.scope = SCOPE_WRITE, .test_only = true,               \
			.body = &(takes), .answer = &(gives),                  \
			.handle = (handler), .summary = "Sandbox: " sentence   \
	}

const struct route privacy_routes[] = {
	{GET("/v1/cards"), .scope = SCOPE_READ, .query = &privacy_cards_query,
	 .list = true, PRIVACY_CARD(privacy_cards_list, "List cards")},
	{POST("/v1/cards", 200), .scope = SCOPE_WRITE,
	 .body = &privacy_card_new_body,
	 PRIVACY_CARD(privacy_card_new, "Create a card")},
	{GET("/v1/cards/{card_token}"), .scope = SCOPE_READ,
	 PRIVACY_CARD(privacy_card_get, "Get a card")},
	{PATCH("/v1/cards/{card_token}"), .scope = SCOPE_WRITE,
	 .body = &privacy_card_change_body,
	 PRIVACY_CARD(privacy_card_change, "Change a card")},
	{POST("/v1/cards/{card_token}/provision", 200), .scope = SCOPE_WRITE,
	 .body = &privacy_card_provision_body,
	 .answer = &privacy_provision_object, .handle = privacy_card_provision,
	 .summary = "Provision a card to a digital wallet"},
	{POST("/v1/cards/{card_token}/reissue", 200), .scope = SCOPE_WRITE,
	 .body = &privacy_card_reissue_body,
	 PRIVACY_CARD(privacy_card_reissue,
		      "Reissue a card: a virtual one stays as it is")},
	{GET("/v1/card"), .scope = SCOPE_READ, .query = &privacy_card_query,
	 .list = true,
	 PRIVACY_CARD(privacy_card_list, "Older form of GET /v1/cards")},
	{POST("/v1/card", 200), .scope = SCOPE_WRITE,
	 .body = &privacy_card_new_body,
	 PRIVACY_CARD(privacy_card_new, "Older form of POST /v1/cards")},
	{PUT("/v1/card"), .scope = SCOPE_WRITE, .body = &privacy_card_put_body,
	 PRIVACY_CARD(privacy_card_put,
		      "Older form of PATCH /v1/cards/{card_token}")},
	{GET("/v1/embed/card"), .query = &privacy_embed_query,
	 .media = "text/html", .handle = privacy_embed_card,
	 .summary = "Show a card as HTML, to whoever has a signed request"},
	{GET("/v1/transactions"), .query = &privacy_transactions_query,
	 PRIVACY_TRANSACTIONS(privacy_transactions_list, "List transactions")},
	{GET("/v1/transactions/{transaction_token}"), .scope = SCOPE_READ,
	 .answer = &privacy_transaction_object,
	 .handle = privacy_transaction_get, .summary = "Get a transaction"},
	{GET("/v1/transaction/all"), .query = &privacy_transaction_query,
	 PRIVACY_TRANSACTIONS(privacy_transactions_all,
			      "Older form of GET /v1/transactions")},
	{GET("/v1/transaction/approvals"), .query = &privacy_transaction_query,
	 PRIVACY_TRANSACTIONS(privacy_transactions_approvals,
			      "Transactions that were approved")},
	{GET("/v1/transaction/declines"), .query = &privacy_transaction_query,
	 PRIVACY_TRANSACTIONS(privacy_transactions_declines,
			      "Transactions that were declined")},
	PRIVACY_SIMULATE("authorize", privacy_simulate_authorize,
			 privacy_authorize_body, privacy_simulated_token_object,
			 "authorize a purchase"),
	PRIVACY_SIMULATE("authorization_advice", privacy_simulate_advice,
			 privacy_advice_body, privacy_simulated_token_object,
			 "set the amount of a hold"),
	PRIVACY_SIMULATE("void", privacy_simulate_void, privacy_void_body,
			 privacy_simulated_object, "release a hold"),
	PRIVACY_SIMULATE("clearing", privacy_simulate_clearing,
			 privacy_clearing_body, privacy_simulated_object,
			 "clear a purchase"),
	PRIVACY_SIMULATE("return", privacy_simulate_return, privacy_return_body,
			 privacy_simulated_token_object, "give money back"),
	PRIVACY_SIMULATE("credit_authorization_advice", privacy_simulate_return,
			 privacy_return_body, privacy_simulated_token_object,
			 "give money back"),
	PRIVACY_SIMULATE("return_reversal", privacy_simulate_return_reversal,
			 privacy_return_reversal_body, privacy_simulated_object,
			 "take back what was given back"),
	{GET("/v1/accounts"), .scope = SCOPE_READ,
	 .query = &privacy_accounts_query, .answer = &privacy_account_object,
	 .list = true, .handle = privacy_accounts_list,
	 .summary = "List accounts: the key's own"},
	{GET("/v1/accounts/{account_token}"), .scope = SCOPE_READ,
	 .answer = &privacy_account_object, .handle = privacy_account_get,
	 .summary = "Get an account"},
	{PATCH("/v1/accounts/{account_token}"), .scope = SCOPE_WRITE,
	 .body = &privacy_account_patch_body, .answer = &privacy_account_object,
	 .handle = privacy_account_patch, .summary = "Change an account"},
	{GET("/v1/funding_sources"), .scope = SCOPE_READ,
	 .query = &privacy_fundings_query, .answer = &privacy_funding_object,
	 .list = true, .handle = privacy_fundings_list,
	 .summary = "List funding sources: the wallet"},
	{POST("/v1/funding_sources", 200), .scope = SCOPE_WRITE,
	 .body = &privacy_funding_new_body, .answer = &privacy_funding_object,
	 .handle = privacy_funding_new,
	 .summary = "Refused: cards draw on the wallet"},
	{PATCH("/v1/funding_sources/{funding_token}"), .scope = SCOPE_WRITE,
	 .body = &privacy_funding_patch_body, .answer = &privacy_funding_object,
	 .handle = privacy_funding_patch, .summary = "Name the wallet"},
	{GET("/v1/fundingsource"), .scope = SCOPE_READ,
	 .query = &privacy_fundings_query, .answer = &privacy_funding_object,
	 .list = true, .handle = privacy_fundings_list,
	 .summary = "Older form of GET /v1/funding_sources"},
	{GET("/v1/fundingsource/bank"), .scope = SCOPE_READ,
	 .query = &privacy_fundings_query, .answer = &privacy_funding_object,
	 .list = true, .handle = privacy_fundings_bank,
	 .summary = "Funding sources that are bank accounts: the wallet"},
	{GET("/v1/fundingsource/card"), .scope = SCOPE_READ,
	 .query = &privacy_fundings_query, .answer = &privacy_funding_object,
	 .list = true, .handle = privacy_fundings_card,
	 .summary = "Funding sources that are cards: none"},
	{POST("/v1/fundingsource/bank", 200), .scope = SCOPE_WRITE,
	 .body = &privacy_funding_new_body, .answer = &privacy_funding_object,
	 .handle = privacy_funding_new,
	 .summary = "Older form of POST /v1/funding_sources"},
	{GET("/v1/status"), .scope = SCOPE_READ,
	 .answer = &privacy_status_object, .handle = privacy_status,
	 .summary = "Whether the service and the key work"},
	{GET("/v1/openapi.json"), .query = &openapi_query,
	 .handle = openapi_get, .summary = "This document"},
};

const struct dialect dialects[DIALECTS] = {
	[DIALECT_NATIVE] =
		{
			.name = "native",
			.routes = routes,
			.route_count = sizeof(routes) / sizeof(routes[0]),
			.refuse = native_refuse,
			.error = &error_object,
			.list_fields = native_list_fields,
			.list_count = LIST_FIELDS,
			.security = "bearer",
			.scheme = "{\"type\":\"http\",\"scheme\":"
				  "\"bearer\",\"description\":"
				  "\"sk_live_… or sk_test_…\"}",
			.description =
				"Issue and control virtual cards. Money is in "
				"dollars with two decimals, time is RFC 3339 "
				"UTC.",
		},
	[DIALECT_PRIVACY] =
		{
			.name = "privacy",
			.routes = privacy_routes,
			.route_count = sizeof(privacy_routes) /
				       sizeof(privacy_routes[0]),
			.loose = true,
			.refuse = privacy_refuse,
			.error = &privacy_error_object,
			.list_fields = privacy_list_fields,
			.list_count = PRIVACY_LIST_FIELDS,
			.security = "apiKey",
			.scheme = "{\"type\":\"apiKey\",\"in\":\"header\","
				  "\"name\":\"Authorization\","
				  "\"description\":\"api-key KEY\"}",
			.description =
				"The same cards as Privacy.com's API shows "
				"them. Money is in integer cents, ids are "
				"UUIDs.",
		},
};
