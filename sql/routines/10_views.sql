-- SPDX-License-Identifier: Apache-2.0
-- What workers read. The joins are outer ones by primary key, so that the
-- optimizer merges the views, begins at the table that the caller names a key
-- of, and drops the joins that a count does not need.

-- balance_cents is what pays: of a card that draws on the wallet, the wallet's.
CREATE OR REPLACE ALGORITHM = MERGE VIEW card_rows AS
SELECT c.id, c.public_id, c.wallet_id, c.number, c.bin_id, b.network, c.last4,
       c.status, c.frozen_reason, c.label,
       IF(c.funding = 'wallet', IF(c.status = 'terminated', 0,
                                   wl.balance_cents),
          cl.balance_cents) AS balance_cents,
       hl.balance_cents AS pending_cents, c.spending_limit_cents,
       c.allowed_categories, c.auto_freeze_at_cents, c.metadata,
       c.total_spent_cents, c.transaction_count, c.last_used_at, c.frozen_at,
       c.terminated_at, c.created_at, c.expires_at, w.mode, w.clock_offset_s,
       cl.wallet_id AS ledger_wallet_id, cl.kind AS ledger_kind,
       cl.card_id AS ledger_card_id, cl.balance_cents AS ledger_balance_cents,
       c.type, c.funding, c.limit_window, c.count_limit, c.locked_merchant,
       c.locked_merchant_name,
       c.type = 'single_use' AND c.approval_count > 0 AS single_use_spent,
       b.max_monthly_cents AS bin_max_monthly_cents
  FROM cards AS c
  LEFT JOIN bins AS b ON b.id = c.bin_id
  LEFT JOIN wallets AS w ON w.id = c.wallet_id
  LEFT JOIN ledger_accounts AS cl ON cl.id = c.ledger_account_id
  LEFT JOIN ledger_accounts AS hl ON hl.id = c.hold_account_id
  LEFT JOIN ledger_accounts AS wl
    ON wl.id = IF(c.funding = 'wallet', w.ledger_account_id, NULL);

-- When each was made, and nothing else: of its index alone.
CREATE OR REPLACE ALGORITHM = MERGE VIEW card_days AS
SELECT wallet_id, created_at, number FROM cards;

-- The object of a card's event: the columns of its row, as they are stored, and
-- of a card that has been used those of card_limits.
-- Over the tables, not over card_rows: each event is made from it.
CREATE OR REPLACE ALGORITHM = MERGE VIEW card_snapshots AS
SELECT c.id, c.wallet_id, w.clock_offset_s,
       JSON_OBJECT('id', c.id, 'public_id', c.public_id,
         'wallet_id', c.wallet_id, 'number', c.number, 'bin_id', c.bin_id,
         'network', b.network, 'last4', c.last4, 'status', c.status,
         'frozen_reason', c.frozen_reason, 'label', c.label,
         'balance_cents',
         IF(c.funding = 'wallet', IF(c.status = 'terminated', 0,
                                     wl.balance_cents),
            cl.balance_cents),
         'ledger_balance_cents', cl.balance_cents,
         'pending_cents', hl.balance_cents,
         'spending_limit_cents', c.spending_limit_cents,
         'allowed_categories', c.allowed_categories,
         'auto_freeze_at_cents', c.auto_freeze_at_cents,
         'metadata', c.metadata, 'total_spent_cents', c.total_spent_cents,
         'transaction_count', c.transaction_count,
         'last_used_at', c.last_used_at, 'frozen_at', c.frozen_at,
         'terminated_at', c.terminated_at, 'created_at', c.created_at,
         'expires_at', c.expires_at, 'mode', w.mode,
         'clock_offset_s', w.clock_offset_s, 'type', c.type,
         'funding', c.funding, 'limit_window', c.limit_window,
         'count_limit', c.count_limit,
         'locked_merchant', c.locked_merchant,
         'locked_merchant_name', c.locked_merchant_name,
         'single_use_spent', c.type = 'single_use' AND c.approval_count > 0,
         'limit_used_cents',
         IF(c.transaction_count = 0, NULL,
            (SELECT u.limit_used_cents FROM card_limits AS u
              WHERE u.card_id = c.id)),
         'month_used_cents',
         IF(c.transaction_count = 0, NULL,
            (SELECT u.month_used_cents FROM card_limits AS u
              WHERE u.card_id = c.id)),
         'limit_resets_at',
         IF(c.transaction_count = 0, NULL,
            (SELECT u.limit_resets_at FROM card_limits AS u
              WHERE u.card_id = c.id)),
         'bin_max_monthly_cents', b.max_monthly_cents) AS snapshot
  FROM cards AS c
  LEFT JOIN bins AS b ON b.id = c.bin_id
  LEFT JOIN wallets AS w ON w.id = c.wallet_id
  LEFT JOIN ledger_accounts AS cl ON cl.id = c.ledger_account_id
  LEFT JOIN ledger_accounts AS hl ON hl.id = c.hold_account_id
  LEFT JOIN ledger_accounts AS wl
    ON wl.id = IF(c.funding = 'wallet', w.ledger_account_id, NULL);

-- A BIN's acceptance is its own of the last 30 days once there are 100
-- authorizations, before that the operator's figure; each world has its own.
CREATE OR REPLACE VIEW bin_rows AS
SELECT b.id, b.network, b.type, b.issuer_country, b.three_ds, b.apple_pay,
       b.google_pay, b.max_transaction_cents, b.max_monthly_cents,
       COALESCE((SELECT IF(SUM(a.approved + a.declined) >= 100,
                           CAST(SUM(a.approved) * 1000
                                DIV SUM(a.approved + a.declined) AS SIGNED),
                           NULL)
                   FROM bin_authorizations AS a
                  WHERE a.bin_id = b.id AND a.mode = 'live'
                    AND a.day > UTC_DATE() - INTERVAL 30 DAY),
                b.acceptance_tenths) AS acceptance_live_tenths,
       COALESCE((SELECT IF(SUM(a.approved + a.declined) >= 100,
                           CAST(SUM(a.approved) * 1000
                                DIV SUM(a.approved + a.declined) AS SIGNED),
                           NULL)
                   FROM bin_authorizations AS a
                  WHERE a.bin_id = b.id AND a.mode = 'test'
                    AND a.day > UTC_DATE() - INTERVAL 30 DAY),
                b.acceptance_tenths) AS acceptance_test_tenths,
       b.best_for, b.issuing, b.created_at
  FROM bins AS b;

-- Where a card can be issued by whoever names no BIN.
CREATE OR REPLACE ALGORITHM = MERGE VIEW issuing_bins AS
SELECT id, apple_pay OR google_pay AS digital_wallet
  FROM bins WHERE issuing;

CREATE OR REPLACE ALGORITHM = MERGE VIEW deposit_rows AS
SELECT d.public_id, d.wallet_id, d.id, d.currency, d.network, d.address,
       d.tx_hash, CONCAT(d.amount_units) AS amount_units, c.decimals,
       d.rate_micros, d.amount_usd_cents, d.fee_usd_cents,
       d.credited_usd_cents, d.status, d.hold_reason, d.confirmations,
       d.required_confirmations, d.created_at, d.confirmed_at
  FROM deposits AS d
  LEFT JOIN currencies AS c ON c.code = d.currency;

CREATE OR REPLACE ALGORITHM = MERGE VIEW deposit_snapshots AS
SELECT id, wallet_id,
       JSON_OBJECT('id', id, 'public_id', public_id, 'wallet_id', wallet_id,
         'currency', currency, 'network', network, 'address', address,
         'tx_hash', tx_hash, 'amount_units', amount_units,
         'decimals', decimals, 'rate_micros', rate_micros,
         'amount_usd_cents', amount_usd_cents,
         'fee_usd_cents', fee_usd_cents,
         'credited_usd_cents', credited_usd_cents, 'status', status,
         'hold_reason', hold_reason, 'confirmations', confirmations,
         'required_confirmations', required_confirmations,
         'created_at', created_at, 'confirmed_at', confirmed_at) AS snapshot
  FROM deposit_rows;

CREATE OR REPLACE VIEW wallet_rows AS
SELECT w.id AS wallet_id, w.mode, l.balance_cents, w.total_deposited_cents,
       w.total_spent_cents,
       (SELECT CAST(COALESCE(SUM(d.credited_usd_cents), 0) AS SIGNED)
          FROM deposits AS d
         WHERE d.wallet_id = w.id AND d.status = 'pending')
         AS pending_deposits_cents,
       (SELECT CAST(COALESCE(SUM(n.cards), 0) AS SIGNED)
          FROM card_counts AS n
         WHERE n.wallet_id = w.id AND n.status = 'active') AS cards_active,
       (SELECT CAST(COALESCE(SUM(c.balance_cents), 0) AS SIGNED)
          FROM ledger_accounts AS c
         WHERE c.wallet_id = w.id AND c.kind = 'card')
         AS cards_total_balance_cents
  FROM wallets AS w
  LEFT JOIN ledger_accounts AS l ON l.id = w.ledger_account_id;

CREATE OR REPLACE ALGORITHM = MERGE VIEW api_logins AS
SELECT k.key_hash, k.id AS key_id, k.public_id AS key_public_id, k.wallet_id,
       a.id AS account_id, a.public_id AS account_public_id,
       a.status AS account_status, w.mode, k.dialect,
       CONCAT(k.scopes) AS scopes, k.networks, k.expires_at, k.revoked_at,
       k.last_used_at, w.clock_offset_s, w.public_id AS wallet_public_id,
       -- Whether the key itself is kept, where its dialect needs it.
       k.dialect = 'native' OR k.key_sealed IS NOT NULL AS kept
  FROM api_keys AS k
  LEFT JOIN wallets AS w ON w.id = k.wallet_id
  LEFT JOIN accounts AS a ON a.id = w.account_id;
