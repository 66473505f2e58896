-- SPDX-License-Identifier: Apache-2.0
-- The card network: transactions and their events, holds, limits, 3-D Secure.
-- No table here has a foreign key to wallets: see 0001, idempotency_keys.

ALTER TABLE cards
  ADD COLUMN type ENUM('unlocked','single_use','merchant_locked','digital_wallet') NOT NULL DEFAULT 'unlocked',
  ADD COLUMN limit_window ENUM('transaction','daily','weekly','monthly','yearly','forever') NOT NULL DEFAULT 'monthly' COMMENT 'of spending_limit_cents',
  ADD COLUMN count_limit INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'approvals for ever; 0: none',
  ADD COLUMN locked_merchant VARCHAR(128) NULL COMMENT 'id, else name, of the first approved one',
  ADD COLUMN approval_count BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'approved purchases of more than nothing',
  ADD COLUMN used_cents BIGINT NOT NULL DEFAULT 0 COMMENT 'card_usage of all time';

-- Each change of a balance moves its entry in the index by balance, and with
-- that the server proved this key again: a shared lock on the wallet's row, for
-- every payment of its cards, against whoever funds or freezes one. The audit
-- proves whose each account is.
ALTER TABLE ledger_accounts DROP FOREIGN KEY ledger_accounts_ibfk_1;

-- Where test time runs ahead, what is due cannot be told from the real time.
ALTER TABLE wallets ADD KEY (clock_offset_s);

CREATE TABLE transactions (
  id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  wallet_id        BIGINT UNSIGNED NOT NULL,
  card_id          BIGINT UNSIGNED NOT NULL,
  network_ref      VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  kind             ENUM('purchase','verification','force_post','refund') NOT NULL,
  type             ENUM('authorization','settlement','refund','decline') NOT NULL COMMENT 'the latest stage',
  status           ENUM('pending','settled','voided','expired','declined','refunded') NOT NULL,
  requested_cents  BIGINT NOT NULL COMMENT 'by the first event',
  authorized_cents BIGINT NOT NULL DEFAULT 0 COMMENT 'with increments and advice; of a force post, what it posted',
  reversed_cents   BIGINT NOT NULL DEFAULT 0 COMMENT 'with what a final clearing released',
  cleared_cents    BIGINT NOT NULL DEFAULT 0,
  expired_cents    BIGINT NOT NULL DEFAULT 0,
  refunded_cents   BIGINT NOT NULL DEFAULT 0 COMMENT 'by refunds that name this one',
  balance_after_cents BIGINT NOT NULL COMMENT 'of what pays, after the last event',
  event_count      INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'number of the newest event',
  merchant_name    VARCHAR(128) NULL,
  merchant_mcc     CHAR(4) CHARACTER SET ascii NULL,
  merchant_country CHAR(2) CHARACTER SET ascii NULL,
  merchant_city    VARCHAR(64) NULL,
  merchant_id      VARCHAR(64) NULL,
  category         VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NULL,
  merchant_amount_cents BIGINT NULL COMMENT 'hundredths of merchant_currency',
  merchant_currency CHAR(3) CHARACTER SET ascii NULL,
  response_code    CHAR(2) CHARACTER SET ascii NOT NULL,
  authorization_code CHAR(6) CHARACTER SET ascii NULL,
  decline_reason   VARCHAR(40) CHARACTER SET ascii NULL,
  decline_reasons  LONGTEXT NOT NULL DEFAULT '[]',
  three_ds         LONGTEXT NULL,
  original_transaction_id BIGINT UNSIGNED NULL COMMENT 'what a refund gives back',
  hold_expires_at  DATETIME NULL COMMENT 'while anything is held',
  created_at       DATETIME NOT NULL,
  updated_at       DATETIME NOT NULL,
  KEY (wallet_id, id),
  KEY (card_id, id),
  KEY (wallet_id, type, id),
  KEY (wallet_id, created_at),
  KEY (network_ref),
  KEY (hold_expires_at),
  KEY (wallet_id, hold_expires_at),
  FOREIGN KEY (card_id) REFERENCES cards (id),
  FOREIGN KEY (original_transaction_id) REFERENCES transactions (id),
  CHECK (requested_cents >= 0 AND authorized_cents >= 0),
  CHECK (reversed_cents >= 0 AND cleared_cents >= 0 AND expired_cents >= 0),
  CHECK (authorized_cents >= reversed_cents + expired_cents),
  CHECK (refunded_cents BETWEEN 0 AND cleared_cents),
  CHECK ((status = 'declined') = (type = 'decline')),
  CHECK ((status = 'declined') = (decline_reason IS NOT NULL)),
  CHECK ((kind = 'refund') = (type = 'refund')),
  CHECK (status <> 'declined' OR authorized_cents + cleared_cents = 0),
  CHECK ((hold_expires_at IS NOT NULL)
         = (authorized_cents > reversed_cents + cleared_cents + expired_cents)),
  CHECK (JSON_VALID(decline_reasons)),
  CHECK (three_ds IS NULL OR JSON_VALID(three_ds))
) ENGINE=InnoDB COMMENT 'one purchase each, or one refund';

CREATE TABLE transaction_events (
  transaction_id  BIGINT UNSIGNED NOT NULL,
  number          INT UNSIGNED NOT NULL COMMENT 'from 1, without gaps',
  type            ENUM('authorization','increment','advice','reversal','expiry','clearing','release','refund','force_post') NOT NULL,
  amount_cents    BIGINT NOT NULL COMMENT 'what was asked for, approved, cleared, given back',
  hold_cents      BIGINT NOT NULL COMMENT 'what it did to the hold',
  approved        BOOLEAN NOT NULL,
  final           BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'of a clearing: no more will come',
  response_code   CHAR(2) CHARACTER SET ascii NOT NULL,
  decline_reason  VARCHAR(40) CHARACTER SET ascii NULL,
  decline_reasons LONGTEXT NOT NULL DEFAULT '[]',
  message_ref     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  journal_id      BIGINT UNSIGNED NULL,
  balance_after_cents BIGINT NOT NULL COMMENT 'of what pays',
  created_at      DATETIME NOT NULL,
  PRIMARY KEY (transaction_id, number),
  UNIQUE (transaction_id, type, message_ref),
  KEY (journal_id),
  FOREIGN KEY (transaction_id) REFERENCES transactions (id),
  FOREIGN KEY (journal_id) REFERENCES ledger_journals (id),
  CHECK (JSON_VALID(decline_reasons))
) ENGINE=InnoDB COMMENT 'append-only';

CREATE TABLE network_refs (
  scope          BIGINT UNSIGNED NOT NULL COMMENT '0: the network; else the wallet whose sandbox it is',
  network_ref    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  answered       BOOLEAN NOT NULL DEFAULT FALSE,
  transaction_id BIGINT UNSIGNED NULL COMMENT 'NULL when answered: no such card',
  reversal_waiting BOOLEAN NOT NULL DEFAULT FALSE COMMENT 'a reversal came before its authorization',
  reversal_cents BIGINT NULL COMMENT 'NULL: of all',
  created_at     DATETIME NOT NULL,
  PRIMARY KEY (scope, network_ref),
  KEY (transaction_id)
) ENGINE=InnoDB COMMENT 'who comes second with a reference waits here for the first';

CREATE TABLE card_usage (
  card_id  BIGINT UNSIGNED NOT NULL,
  level    TINYINT UNSIGNED NOT NULL COMMENT '0 second, 1 minute, 2 hour, 3 day',
  start    DATETIME NOT NULL,
  cents    BIGINT NOT NULL,
  PRIMARY KEY (card_id, level, start),
  KEY (level, start),
  CHECK (level <= 3)
) ENGINE=InnoDB COMMENT 'what was used when, so that a window''s sum costs the same with any history; re-proved by the audit';

CREATE TABLE transaction_counts (
  wallet_id    BIGINT UNSIGNED NOT NULL,
  card_id      BIGINT UNSIGNED NOT NULL,
  type         ENUM('authorization','settlement','refund','decline') NOT NULL,
  transactions BIGINT NOT NULL,
  PRIMARY KEY (card_id, type),
  KEY (wallet_id, type, transactions),
  CHECK (transactions >= 0)
) ENGINE=InnoDB COMMENT 'so that a list''s total costs the same with any history; re-proved by the audit';

CREATE TABLE challenges (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  wallet_id     BIGINT UNSIGNED NOT NULL,
  card_id       BIGINT UNSIGNED NOT NULL,
  merchant      VARCHAR(128) NOT NULL,
  amount_cents  BIGINT NOT NULL,
  otp_sealed    VARBINARY(64) NOT NULL COMMENT 'AES-256-GCM, associated data: public_id',
  tries         TINYINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'wrong ones',
  status        ENUM('pending','completed','failed','expired') NOT NULL DEFAULT 'pending',
  expires_at    DATETIME NOT NULL,
  completed_at  DATETIME NULL COMMENT 'when it was completed or failed',
  created_at    DATETIME NOT NULL,
  KEY (wallet_id, id),
  KEY (wallet_id, status, expires_at),
  KEY (card_id, id),
  KEY (status, expires_at),
  FOREIGN KEY (card_id) REFERENCES cards (id),
  CHECK (tries <= 3),
  CHECK ((status IN ('completed', 'failed')) = (completed_at IS NOT NULL))
) ENGINE=InnoDB COMMENT '3-D Secure';

CREATE TABLE hold_windows (
  mcc_first  SMALLINT UNSIGNED NOT NULL PRIMARY KEY,
  mcc_last   SMALLINT UNSIGNED NOT NULL,
  days       SMALLINT UNSIGNED NOT NULL,
  CHECK (mcc_first <= mcc_last AND mcc_last <= 9999),
  CHECK (days BETWEEN 1 AND 365)
) ENGINE=InnoDB COMMENT 'how long a hold lasts; every code is in one row';

-- Seven days; thirty where the bill is written when the guest leaves: car
-- rental, lodging, cruise lines.
INSERT INTO hold_windows (mcc_first, mcc_last, days) VALUES
  (0, 3350, 7),
  (3351, 3999, 30),
  (4000, 4410, 7),
  (4411, 4411, 30),
  (4412, 7010, 7),
  (7011, 7011, 30),
  (7012, 7511, 7),
  (7512, 7513, 30),
  (7514, 7518, 7),
  (7519, 7519, 30),
  (7520, 9999, 7);

CREATE TABLE blocked_countries (
  country     CHAR(2) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  reason      VARCHAR(500) NOT NULL,
  created_at  DATETIME NOT NULL,
  CHECK (country REGEXP '^[A-Z]{2}$')
) ENGINE=InnoDB COMMENT 'where merchants are declined';

-- A row's slot spreads one BIN's authorizations of a day over 16 rows, so that
-- cards of one BIN do not wait for each other.
CREATE TABLE bin_authorizations (
  bin_id    VARCHAR(8) CHARACTER SET ascii NOT NULL,
  mode      ENUM('live','test') NOT NULL,
  day       DATE NOT NULL,
  slot      TINYINT UNSIGNED NOT NULL,
  approved  BIGINT UNSIGNED NOT NULL,
  declined  BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (bin_id, mode, day, slot)
) ENGINE=InnoDB COMMENT 'what acceptance_rate is computed from';
