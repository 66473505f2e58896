-- SPDX-License-Identifier: Apache-2.0
-- The Privacy dialect, and what it asks of the engine.

-- A refund can be taken back: its reversed_cents are of requested_cents.
ALTER TABLE transaction_events
  MODIFY COLUMN type ENUM('authorization','increment','advice','reversal','expiry','clearing','release','refund','force_post','refund_reversal') NOT NULL;

ALTER TABLE transactions
  DROP CONSTRAINT CONSTRAINT_3,
  MODIFY COLUMN reversed_cents BIGINT NOT NULL DEFAULT 0 COMMENT 'with what a final clearing released; of a refund, what was taken back',
  ADD CHECK (IF(kind = 'refund', requested_cents, authorized_cents)
             >= reversed_cents + expired_cents),
  ADD COLUMN merchant_authorized_cents BIGINT NULL COMMENT 'merchant_amount_cents of the authorization: a clearing brings its own';

UPDATE transactions SET merchant_authorized_cents = merchant_amount_cents;

-- The dialect's memo is longer than the native label, a card that is locked
-- shows its merchant's name, and a list of cards may begin and end with a day.
ALTER TABLE cards
  MODIFY COLUMN label VARCHAR(255) NOT NULL DEFAULT '',
  ADD COLUMN locked_merchant_name VARCHAR(128) NULL COMMENT 'what locked_merchant is called',
  ADD KEY (wallet_id, created_at, number);

UPDATE cards AS c
   SET c.locked_merchant_name =
       (SELECT t.merchant_name FROM transactions AS t
         WHERE t.card_id = c.id
           AND COALESCE(t.merchant_id, t.merchant_name) = c.locked_merchant
         ORDER BY t.id LIMIT 1)
 WHERE c.locked_merchant IS NOT NULL;

-- Webhooks of the dialect and embedded cards are signed with the API key
-- itself, which its hash does not give.
ALTER TABLE api_keys
  ADD COLUMN key_sealed VARBINARY(128) NULL COMMENT 'the key, AES-256-GCM, associated data: public_id; of the Privacy dialect, from its first use until it is revoked';

-- A wallet is a funding source there, and goes by an id.
ALTER TABLE wallets
  ADD COLUMN public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN nickname VARCHAR(64) NOT NULL DEFAULT '';

UPDATE wallets
   SET public_id = CONCAT('wal_', LEFT(REPLACE(REPLACE(TO_BASE64(
         RANDOM_BYTES(57)), '+', ''), '/', ''), 20));

ALTER TABLE wallets
  MODIFY COLUMN public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ADD UNIQUE (public_id);
