/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_RESOURCES_H
#define API_RESOURCES_H

#include "api.h"

/* What routes.c takes from the resource files: tables and handlers, one file
 * per first segment of the URL. */

/* bins.c */
extern const struct shape bins_query;
extern const struct emit_object bin_object;
void bins_list(struct call *call);

/* cards.c */
extern const struct shape cards_query, card_create_body, card_patch_body,
	card_fund_body, card_withdraw_body;
extern const struct emit_object card_object, card_details_object,
	card_frozen_object, card_terminated_object, card_funded_object,
	card_withdrawn_object;
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

/* status.c */
extern const struct emit_object status_object;
void status_get(struct call *call);
void openapi_get(struct call *call);
void metrics_get(struct call *call);

#endif
