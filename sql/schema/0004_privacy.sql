-- SPDX-License-Identifier: Apache-2.0
-- The Privacy dialect, and what it asks of the engine.

-- A refund can be taken back: its reversed_cents are of requested_cents.
ALTER TABLE transaction_events
  MODIFY COLUMN type ENUM('authorization','increment','advice','reversal','expiry','clearing','release','refund','force_post','refund_reversal') NOT NULL;

ALTER TABLE transactions
  DROP CONSTRAINT CONSTRAINT_3,
  MODIFY COLUMN reversed_cents BIGINT NOT NULL DEFAULT 0 COMMENT 'with what a final clearing released; of a refund, what was taken back',
  ADD CHECK (IF(kind = 'refund', requested_cents, authorized_cents)
             >= reversed_cents + expired_cents);
