-- SPDX-License-Identifier: Apache-2.0
-- What workers read of payments.

CREATE OR REPLACE ALGORITHM = MERGE VIEW transaction_rows AS
SELECT t.id, t.public_id, t.wallet_id, t.card_id, c.public_id AS card_public_id,
       c.last4 AS card_last4, t.network_ref, t.kind, t.type, t.status,
       t.requested_cents, t.authorized_cents, t.reversed_cents,
       t.cleared_cents, t.expired_cents, t.refunded_cents,
       GREATEST(0, t.authorized_cents - t.reversed_cents - t.cleared_cents
                   - t.expired_cents) AS hold_cents,
       CASE WHEN t.status = 'declined' THEN -t.requested_cents
            WHEN t.kind = 'refund'
            THEN t.requested_cents
                 - IF(t.status = 'voided', 0, t.reversed_cents)
            WHEN t.status = 'pending'
            THEN t.reversed_cents - t.authorized_cents
            WHEN t.status IN ('settled', 'refunded') THEN -t.cleared_cents
            ELSE -t.authorized_cents END AS amount_cents,
       t.balance_after_cents, t.merchant_name, t.merchant_mcc,
       t.merchant_country, t.merchant_city, t.merchant_id, t.category,
       t.merchant_amount_cents, t.merchant_currency, t.response_code,
       t.authorization_code, t.decline_reason, t.decline_reasons, t.three_ds,
       o.public_id AS original_public_id, t.hold_expires_at, t.created_at,
       t.updated_at,
       -- What only the Privacy dialect shows, with the card as it is now.
       t.merchant_authorized_cents, c.created_at AS card_created_at,
       c.expires_at AS card_expires_at, c.type AS card_type,
       c.label AS card_label, c.status AS card_status,
       c.spending_limit_cents AS card_limit_cents,
       c.limit_window AS card_limit_window,
       c.locked_merchant_name AS card_merchant_name,
       c.type = 'single_use' AND c.approval_count > 0 AS card_single_use_spent
  FROM transactions AS t
  LEFT JOIN cards AS c ON c.id = t.card_id
  LEFT JOIN transactions AS o ON o.id = t.original_transaction_id;

CREATE OR REPLACE ALGORITHM = MERGE VIEW transaction_event_rows AS
SELECT e.transaction_id, t.public_id AS transaction_public_id, t.wallet_id,
       e.number, e.type, e.amount_cents, e.approved, e.response_code,
       e.balance_after_cents, e.created_at, e.decline_reason,
       e.decline_reasons, e.message_ref
  FROM transaction_events AS e
  LEFT JOIN transactions AS t ON t.id = e.transaction_id;

CREATE OR REPLACE ALGORITHM = MERGE VIEW transaction_count_rows AS
SELECT n.wallet_id, n.card_id, c.public_id AS card_public_id, n.type,
       n.transactions
  FROM transaction_counts AS n
  LEFT JOIN cards AS c ON c.id = n.card_id;

-- A challenge that nobody answered in time is expired, swept up or not.
CREATE OR REPLACE ALGORITHM = MERGE VIEW challenge_rows AS
SELECT h.id, h.public_id, h.wallet_id, c.public_id AS card_public_id,
       h.merchant, h.amount_cents, h.otp_sealed,
       IF(h.status = 'pending'
          AND h.expires_at
              <= UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND,
          'expired', CONCAT(h.status)) AS status,
       h.tries, h.expires_at, h.completed_at, h.created_at
  FROM challenges AS h
  LEFT JOIN cards AS c ON c.id = h.card_id
  LEFT JOIN wallets AS w ON w.id = h.wallet_id;

CREATE OR REPLACE ALGORITHM = MERGE VIEW challenge_snapshots AS
SELECT h.id, h.wallet_id, c.id AS card_id,
       JSON_OBJECT('id', h.id, 'public_id', h.public_id,
         'wallet_id', h.wallet_id, 'card_public_id', h.card_public_id,
         'merchant', h.merchant, 'amount_cents', h.amount_cents,
         'otp_sealed', LOWER(HEX(h.otp_sealed)), 'status', h.status,
         'tries', h.tries, 'expires_at', h.expires_at,
         'completed_at', h.completed_at, 'created_at', h.created_at)
         AS snapshot
  FROM challenge_rows AS h
  LEFT JOIN cards AS c ON c.public_id = h.card_public_id;

-- The outbox, as its account may look back at it.
CREATE OR REPLACE ALGORITHM = MERGE VIEW event_rows AS
SELECT e.id, e.public_id, e.wallet_id, e.type, c.public_id AS card_public_id,
       w.mode, e.snapshot, e.sequence, e.created_at
  FROM events AS e
  LEFT JOIN wallets AS w ON w.id = e.wallet_id
  LEFT JOIN cards AS c ON c.id = e.card_id;
