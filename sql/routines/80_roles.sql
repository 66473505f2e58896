-- SPDX-License-Identifier: Apache-2.0
-- Who may do what. No role may write a table: what changes, changes
-- through the routines, which run as the owner of the schema. Users are the
-- operator's to create; docs/administration.md has the statements.

CREATE ROLE IF NOT EXISTS cardstock_api;
CREATE ROLE IF NOT EXISTS cardstock_admin;
CREATE ROLE IF NOT EXISTS cardstock_keeper;

-- The workers.
GRANT EXECUTE ON PROCEDURE tx_begin TO cardstock_api;
GRANT EXECUTE ON PROCEDURE tx_commit TO cardstock_api;
GRANT EXECUTE ON PROCEDURE key_touch TO cardstock_api;
GRANT EXECUTE ON PROCEDURE key_keep TO cardstock_api;
GRANT EXECUTE ON PROCEDURE funding_rename TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_create TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_update TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_freeze TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_unfreeze TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_terminate TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_fund TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_withdraw TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_details_read TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_change TO cardstock_api;
GRANT EXECUTE ON PROCEDURE card_numbers_read TO cardstock_api;
GRANT EXECUTE ON PROCEDURE embed_read TO cardstock_api;
GRANT EXECUTE ON PROCEDURE deposit_address_take TO cardstock_api;
GRANT EXECUTE ON PROCEDURE simulate_deposit TO cardstock_api;
GRANT EXECUTE ON PROCEDURE simulate_deposit_change TO cardstock_api;
GRANT EXECUTE ON PROCEDURE simulate_clock TO cardstock_api;
GRANT EXECUTE ON PROCEDURE authorization_open TO cardstock_api;
GRANT EXECUTE ON PROCEDURE authorization_read TO cardstock_api;
GRANT EXECUTE ON PROCEDURE authorization_post TO cardstock_api;
GRANT EXECUTE ON PROCEDURE authorization_close TO cardstock_api;
GRANT EXECUTE ON PROCEDURE increment_read TO cardstock_api;
GRANT EXECUTE ON PROCEDURE increment_post TO cardstock_api;
GRANT EXECUTE ON PROCEDURE transaction_advice TO cardstock_api;
GRANT EXECUTE ON PROCEDURE transaction_clear TO cardstock_api;
GRANT EXECUTE ON PROCEDURE transaction_reverse TO cardstock_api;
GRANT EXECUTE ON PROCEDURE force_post TO cardstock_api;
GRANT EXECUTE ON PROCEDURE refund TO cardstock_api;
GRANT EXECUTE ON PROCEDURE refund_reverse TO cardstock_api;
GRANT EXECUTE ON PROCEDURE challenge_create TO cardstock_api;
GRANT EXECUTE ON PROCEDURE challenge_read TO cardstock_api;
GRANT EXECUTE ON PROCEDURE challenge_answer TO cardstock_api;
GRANT SELECT ON card_rows TO cardstock_api;
GRANT SELECT ON card_days TO cardstock_api;
GRANT SELECT ON issuing_bins TO cardstock_api;
GRANT SELECT ON card_limits TO cardstock_api;
GRANT SELECT ON event_rows TO cardstock_api;
GRANT SELECT ON transaction_rows TO cardstock_api;
GRANT SELECT ON transaction_event_rows TO cardstock_api;
GRANT SELECT ON transaction_count_rows TO cardstock_api;
GRANT SELECT ON challenge_rows TO cardstock_api;
GRANT SELECT ON wallet_rows TO cardstock_api;
GRANT SELECT ON deposit_rows TO cardstock_api;
GRANT SELECT ON bin_rows TO cardstock_api;
GRANT SELECT ON api_logins TO cardstock_api;
GRANT SELECT ON funding_rows TO cardstock_api;
GRANT SELECT ON mcc_categories TO cardstock_api;
GRANT SELECT ON card_counts TO cardstock_api;
GRANT SELECT ON currencies TO cardstock_api;

-- What time does.
GRANT EXECUTE ON PROCEDURE keeper_holds TO cardstock_keeper;
GRANT EXECUTE ON PROCEDURE keeper_challenges TO cardstock_keeper;
GRANT EXECUTE ON PROCEDURE keeper_deposits TO cardstock_keeper;
GRANT EXECUTE ON PROCEDURE keeper_idempotency TO cardstock_keeper;
GRANT EXECUTE ON PROCEDURE keeper_usage TO cardstock_keeper;

-- The operator.
GRANT EXECUTE ON FUNCTION uuid_of_id TO cardstock_admin;
GRANT EXECUTE ON FUNCTION id_of_uuid TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_account_create TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_account_suspend TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_account_reactivate TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_account_close TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_key_issue TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_key_scope TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_key_expire TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_key_revoke TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_key_networks TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_bin_put TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_bin_stop TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_bin_start TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_currency_set TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_category_set TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_hold_window_set TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_country_block TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_country_unblock TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_card_freeze TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_card_unfreeze TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_card_terminate TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_card_limits_set TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_wallet_adjust TO cardstock_admin;
GRANT EXECUTE ON PROCEDURE admin_address_import TO cardstock_admin;
GRANT SELECT ON admin_accounts TO cardstock_admin;
GRANT SELECT ON admin_keys TO cardstock_admin;
GRANT SELECT ON admin_cards TO cardstock_admin;
GRANT SELECT ON admin_transactions TO cardstock_admin;
GRANT SELECT ON admin_transaction_events TO cardstock_admin;
GRANT SELECT ON admin_open_holds TO cardstock_admin;
GRANT SELECT ON admin_daily_payments TO cardstock_admin;
GRANT SELECT ON admin_challenges TO cardstock_admin;
GRANT SELECT ON admin_hold_windows TO cardstock_admin;
GRANT SELECT ON admin_blocked_countries TO cardstock_admin;
GRANT SELECT ON admin_deposits TO cardstock_admin;
GRANT SELECT ON admin_ledger_trial_balance TO cardstock_admin;
GRANT SELECT ON admin_daily_volume TO cardstock_admin;
GRANT SELECT ON admin_audit TO cardstock_admin;
GRANT SELECT ON admin_currencies TO cardstock_admin;
GRANT SELECT ON admin_address_pool TO cardstock_admin;
GRANT SELECT ON admin_queue TO cardstock_admin;
GRANT SELECT ON bin_rows TO cardstock_admin;
GRANT SELECT ON mcc_categories TO cardstock_admin;
