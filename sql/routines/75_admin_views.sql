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
       c.spending_limit_cents, c.total_spent_cents, c.transaction_count,
       c.created_at, c.expires_at, c.frozen_at, c.terminated_at
  FROM cards AS c
  JOIN wallets AS w ON w.id = c.wallet_id
  JOIN accounts AS a ON a.id = w.account_id
  JOIN ledger_accounts AS cl ON cl.id = c.ledger_account_id
  JOIN ledger_accounts AS hl ON hl.id = c.hold_account_id;

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

-- Events that nobody has picked up yet; a test wallet's clock set aside.
CREATE OR REPLACE VIEW admin_queue AS
SELECT 'events' AS queue, COUNT(*) AS waiting,
       COALESCE(MAX(GREATEST(0, TIMESTAMPDIFF(SECOND,
         e.created_at - INTERVAL w.clock_offset_s SECOND,
         UTC_TIMESTAMP()))), 0) AS oldest_s
  FROM events AS e JOIN wallets AS w ON w.id = e.wallet_id
 WHERE e.body IS NULL;
