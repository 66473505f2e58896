-- SPDX-License-Identifier: Apache-2.0
-- What an operator looks at. No view has a key's hash or a card's number.

CREATE OR REPLACE VIEW admin_accounts AS
SELECT a.public_id AS account_id, a.name, a.status, w.mode, l.balance_cents,
       w.total_deposited_cents, w.total_spent_cents, w.card_count AS cards,
       w.clock_offset_s, a.created_at
  FROM accounts AS a
  JOIN wallets AS w ON w.account_id = a.id
  JOIN ledger_accounts AS l ON l.id = w.ledger_account_id;

CREATE OR REPLACE VIEW admin_keys AS
SELECT k.public_id AS key_id, a.public_id AS account_id, a.name, w.mode,
       k.dialect, k.prefix, k.label, k.scopes, k.networks, k.expires_at,
       k.revoked_at, k.last_used_at, k.created_at
  FROM api_keys AS k
  JOIN wallets AS w ON w.id = k.wallet_id
  JOIN accounts AS a ON a.id = w.account_id;

CREATE OR REPLACE VIEW admin_cards AS
SELECT c.public_id AS card_id, a.public_id AS account_id, a.name, w.mode, c.number,
       c.bin_id, c.last4, c.status, c.frozen_reason, c.label,
       cl.balance_cents, hl.balance_cents AS held_cents,
       c.spending_limit_cents, c.limit_window, c.count_limit, c.type,
       c.locked_merchant, c.total_spent_cents, c.transaction_count,
       c.created_at, c.expires_at, c.frozen_at, c.terminated_at
  FROM cards AS c
  JOIN wallets AS w ON w.id = c.wallet_id
  JOIN accounts AS a ON a.id = w.account_id
  JOIN ledger_accounts AS cl ON cl.id = c.ledger_account_id
  JOIN ledger_accounts AS hl ON hl.id = c.hold_account_id;

-- By network_ref, card_id, last4, account_id or transaction_id.
CREATE OR REPLACE VIEW admin_transactions AS
SELECT t.public_id AS transaction_id, t.network_ref, c.public_id AS card_id,
       c.last4, a.public_id AS account_id, a.name, w.mode, t.kind, t.type,
       t.status, t.requested_cents, t.authorized_cents, t.reversed_cents,
       t.cleared_cents, t.expired_cents, t.refunded_cents,
       GREATEST(0, t.authorized_cents - t.reversed_cents - t.cleared_cents
                   - t.expired_cents) AS held_cents,
       t.balance_after_cents, t.merchant_name, t.merchant_mcc,
       t.merchant_country, t.merchant_city, t.merchant_id, t.category,
       t.merchant_amount_cents, t.merchant_currency, t.response_code,
       t.authorization_code, t.decline_reason, t.decline_reasons,
       o.public_id AS original_transaction_id, t.hold_expires_at,
       t.created_at, t.updated_at
  FROM transactions AS t
  JOIN cards AS c ON c.id = t.card_id
  JOIN wallets AS w ON w.id = t.wallet_id
  JOIN accounts AS a ON a.id = w.account_id
  LEFT JOIN transactions AS o ON o.id = t.original_transaction_id;

CREATE OR REPLACE VIEW admin_transaction_events AS
SELECT t.public_id AS transaction_id, e.number, e.type, e.amount_cents,
       e.hold_cents, e.approved, e.response_code, e.decline_reason,
       e.message_ref, e.journal_id, e.balance_after_cents, e.created_at
  FROM transaction_events AS e
  JOIN transactions AS t ON t.id = e.transaction_id;

-- What is held now, and until when; overdue_s: how long the keeper is late.
CREATE OR REPLACE VIEW admin_open_holds AS
SELECT t.public_id AS transaction_id, t.network_ref, c.public_id AS card_id,
       c.last4, a.public_id AS account_id, w.mode,
       t.authorized_cents - t.reversed_cents - t.cleared_cents
       - t.expired_cents AS held_cents, t.merchant_name, t.merchant_mcc,
       t.created_at, t.hold_expires_at,
       GREATEST(0, TIMESTAMPDIFF(SECOND, t.hold_expires_at,
         UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND)) AS overdue_s
  FROM transactions AS t
  JOIN cards AS c ON c.id = t.card_id
  JOIN wallets AS w ON w.id = t.wallet_id
  JOIN accounts AS a ON a.id = w.account_id
 WHERE t.hold_expires_at IS NOT NULL;

-- What merchants asked for and got, by the wallets' days.
CREATE OR REPLACE VIEW admin_daily_payments AS
SELECT DATE(t.created_at) AS day, w.mode, COUNT(*) AS transactions,
       CAST(SUM(t.status = 'declined') AS SIGNED) AS declined,
       CAST(SUM(IF(t.kind = 'refund', 0, t.requested_cents)) AS SIGNED)
         AS requested_cents,
       CAST(SUM(t.authorized_cents) AS SIGNED) AS authorized_cents,
       CAST(SUM(t.cleared_cents) AS SIGNED) AS cleared_cents,
       CAST(SUM(IF(t.kind = 'refund', t.requested_cents - t.reversed_cents,
                   0)) AS SIGNED) AS refunded_cents
  FROM transactions AS t JOIN wallets AS w ON w.id = t.wallet_id
 GROUP BY DATE(t.created_at), w.mode;

-- No code: it is the cardholder's alone.
CREATE OR REPLACE VIEW admin_challenges AS
SELECT h.public_id AS challenge_id, c.public_id AS card_id, c.last4,
       a.public_id AS account_id, w.mode, h.merchant, h.amount_cents,
       h.status, h.tries, h.created_at, h.expires_at, h.completed_at
  FROM challenges AS h
  JOIN cards AS c ON c.id = h.card_id
  JOIN wallets AS w ON w.id = h.wallet_id
  JOIN accounts AS a ON a.id = w.account_id;

CREATE OR REPLACE VIEW admin_hold_windows AS
SELECT mcc_first, mcc_last, days FROM hold_windows;

CREATE OR REPLACE VIEW admin_blocked_countries AS
SELECT country, reason, created_at FROM blocked_countries;

CREATE OR REPLACE VIEW admin_deposits AS
SELECT d.public_id AS deposit_id, a.public_id AS account_id, a.name, w.mode,
       d.currency, d.network, d.address, d.tx_hash, d.amount_units,
       d.rate_micros, d.amount_usd_cents, d.fee_usd_cents,
       d.credited_usd_cents, d.status, d.hold_reason, d.confirmations,
       d.required_confirmations, d.created_at, d.confirmed_at, d.expired_at
  FROM deposits AS d
  JOIN wallets AS w ON w.id = d.wallet_id
  JOIN accounts AS a ON a.id = w.account_id;

-- Credits less debits; each mode sums to zero.
CREATE OR REPLACE VIEW admin_ledger_trial_balance AS
SELECT mode, kind, COUNT(*) AS accounts,
       CAST(SUM(balance_cents) AS SIGNED) AS balance_cents
  FROM ledger_accounts
 GROUP BY mode, kind;

CREATE OR REPLACE VIEW admin_daily_volume AS
SELECT DATE(j.created_at) AS day, l.mode, j.kind,
       COUNT(DISTINCT j.id) AS journals,
       CAST(SUM(e.amount_cents) AS SIGNED) AS moved_cents
  FROM ledger_journals AS j
  JOIN ledger_entries AS e ON e.journal_id = j.id AND e.amount_cents > 0
  JOIN ledger_accounts AS l ON l.id = e.ledger_account_id
 GROUP BY DATE(j.created_at), l.mode, j.kind;

CREATE OR REPLACE VIEW admin_audit AS
SELECT id, at, actor, action, subject, detail, address, request_id
  FROM audit_log;

CREATE OR REPLACE VIEW admin_currencies AS
SELECT code, network, address_network, decimals, min_deposit, rate_micros,
       fee_basis_points, fee_min_cents, confirmations, enabled
  FROM currencies;

-- Addresses left to give out.
CREATE OR REPLACE VIEW admin_address_pool AS
SELECT mode, network, CAST(SUM(wallet_id IS NULL) AS SIGNED) AS free,
       CAST(SUM(wallet_id IS NOT NULL) AS SIGNED) AS taken
  FROM deposit_addresses
 GROUP BY mode, network;

-- pending: what waits to be sent to it. No view has a secret.
CREATE OR REPLACE VIEW admin_webhooks AS
SELECT h.public_id AS webhook_id, a.public_id AS account_id, a.name, w.mode,
       h.dialect, h.url, h.description, h.event_types, h.status,
       h.disabled_reason, h.disabled_at, h.failing_since, h.last_success_at,
       h.last_failure_at, h.last_error,
       (SELECT COUNT(*) FROM deliveries AS d
         WHERE d.queue_webhook_id = h.id) AS pending,
       x.held_until, x.leased_by, x.leased_until, h.created_at
  FROM webhook_rows AS h
  JOIN webhooks AS x ON x.id = h.id
  JOIN wallets AS w ON w.id = h.wallet_id
  JOIN accounts AS a ON a.id = w.account_id;

-- What could not be delivered, and what the last attempt came to; pending: it
-- is tried again. By webhook_id, account_id or event_id.
CREATE OR REPLACE VIEW admin_deliveries_failed AS
SELECT h.public_id AS webhook_id, a.public_id AS account_id, w.mode, h.url,
       e.public_id AS event_id, e.type AS event_type, d.status, d.attempts,
       d.last_error, t.status AS last_status, t.duration_ms,
       t.started_at AS last_attempt_at, d.due_at AS next_attempt_at,
       d.created_at, d.finished_at
  FROM deliveries AS d
  JOIN webhooks AS h ON h.id = d.webhook_id
  JOIN wallets AS w ON w.id = d.wallet_id
  JOIN accounts AS a ON a.id = w.account_id
  JOIN events AS e ON e.id = d.event_id
  LEFT JOIN delivery_attempts AS t
    ON t.delivery_id = d.id AND t.number = d.attempts
 WHERE d.status IN ('pending', 'failed') AND d.last_error IS NOT NULL;

-- What waits, and how late the oldest is; a test wallet's clock set aside.
CREATE OR REPLACE VIEW admin_queue AS
SELECT 'deliveries' AS queue, waiting, oldest_s FROM courier_queue
 UNION ALL
SELECT 'holds to expire', COUNT(*), COALESCE(MAX(overdue_s), 0)
  FROM admin_open_holds WHERE overdue_s > 0;
