-- SPDX-License-Identifier: Apache-2.0
-- Accounts, keys, BINs, wallets, cards and the ledger under them.
-- Times are DATETIME in UTC; amounts are integer cents of US dollars.

-- Routines' parameters and tables' texts take it from here, so that it is the
-- same on every release of the server.
ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;

CREATE TABLE accounts (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  name          VARCHAR(128) NOT NULL,
  status        ENUM('active','suspended','closed') NOT NULL DEFAULT 'active',
  created_at    DATETIME NOT NULL,
  CHECK (name <> '')
) ENGINE=InnoDB COMMENT 'customers of the platform';

-- An account has two worlds, live and test; a wallet row is the world: cards,
-- deposits, events and idempotency records belong to it, and a key opens one.
CREATE TABLE wallets (
  id              BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  account_id      BIGINT UNSIGNED NOT NULL,
  mode            ENUM('live','test') NOT NULL,
  ledger_account_id BIGINT UNSIGNED NULL UNIQUE COMMENT 'set when the wallet is made, for ever',
  clock_offset_s  BIGINT NOT NULL DEFAULT 0 COMMENT 'how far test time runs ahead',
  card_count      BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'number of the newest card',
  event_sequence  BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'of events that belong to no card',
  total_deposited_cents BIGINT NOT NULL DEFAULT 0 COMMENT 'credited by deposits and adjustments',
  total_spent_cents     BIGINT NOT NULL DEFAULT 0 COMMENT 'net flow to cards',
  created_at      DATETIME NOT NULL,
  UNIQUE (account_id, mode),
  FOREIGN KEY (account_id) REFERENCES accounts (id),
  CHECK (clock_offset_s >= 0),
  CHECK (mode = 'test' OR clock_offset_s = 0)
) ENGINE=InnoDB COMMENT 'one per account and mode';

CREATE TABLE api_keys (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id     VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  wallet_id     BIGINT UNSIGNED NOT NULL,
  dialect       ENUM('native','privacy') NOT NULL DEFAULT 'native',
  key_hash      BINARY(32) NOT NULL UNIQUE COMMENT 'SHA-256 of the key, which holds 190 random bits',
  prefix        VARCHAR(16) CHARACTER SET ascii NOT NULL COMMENT 'for display',
  label         VARCHAR(64) NOT NULL DEFAULT '',
  scopes        SET('read','write','cards:details') NOT NULL,
  networks      VARCHAR(1024) CHARACTER SET ascii NOT NULL DEFAULT '' COMMENT 'CIDR list, space separated; empty: any',
  expires_at    DATETIME NULL,
  revoked_at    DATETIME NULL,
  last_used_at  DATETIME NULL,
  created_at    DATETIME NOT NULL,
  FOREIGN KEY (wallet_id) REFERENCES wallets (id)
) ENGINE=InnoDB;

CREATE TABLE bins (
  id                 VARCHAR(8) CHARACTER SET ascii NOT NULL PRIMARY KEY,
  network            ENUM('visa','mastercard') NOT NULL,
  type               VARCHAR(32) NOT NULL,
  issuer_country     CHAR(2) CHARACTER SET ascii NOT NULL,
  three_ds           BOOLEAN NOT NULL DEFAULT TRUE,
  apple_pay          BOOLEAN NOT NULL DEFAULT FALSE,
  google_pay         BOOLEAN NOT NULL DEFAULT FALSE,
  max_transaction_cents BIGINT NOT NULL,
  max_monthly_cents  BIGINT NOT NULL,
  acceptance_tenths  SMALLINT UNSIGNED NOT NULL COMMENT 'operator''s figure, 972 is 97.2 %',
  best_for           LONGTEXT NOT NULL DEFAULT '[]',
  issuing            BOOLEAN NOT NULL DEFAULT TRUE COMMENT 'whether new cards may be made',
  created_at         DATETIME NOT NULL,
  CHECK (id REGEXP '^[0-9]{6,8}$'),
  CHECK ((network = 'visa' AND id LIKE '4%') OR (network = 'mastercard' AND (LEFT(id, 4) BETWEEN '2221' AND '2720' OR LEFT(id, 2) BETWEEN '51' AND '55'))),
  CHECK (issuer_country REGEXP '^[A-Z]{2}$'),
  CHECK (max_transaction_cents > 0 AND max_monthly_cents > 0),
  CHECK (acceptance_tenths <= 1000),
  CHECK (JSON_VALID(best_for))
) ENGINE=InnoDB COMMENT 'the operator''s BIN ranges';

CREATE TABLE mcc_categories (
  mcc_first  SMALLINT UNSIGNED NOT NULL PRIMARY KEY,
  mcc_last   SMALLINT UNSIGNED NOT NULL,
  category   VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  KEY (category),
  CHECK (mcc_first <= mcc_last AND mcc_last <= 9999)
) ENGINE=InnoDB COMMENT 'ISO 18245 codes in groups; every code is in one row';

CREATE TABLE ledger_accounts (
  id             BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  kind           ENUM('wallet','card','hold','crypto_clearing','network_settlement','fee_income','adjustment') NOT NULL,
  mode           ENUM('live','test') NOT NULL,
  wallet_id      BIGINT UNSIGNED NULL COMMENT 'wallet, card and hold',
  card_id        BIGINT UNSIGNED NULL COMMENT 'card and hold',
  slot           TINYINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'the operator''s accounts are spread over 16 rows, so that none is hot',
  balance_cents  BIGINT NOT NULL DEFAULT 0 COMMENT 'credits less debits',
  entry_count    BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'number of the newest entry',
  owner_key      VARCHAR(48) CHARACTER SET ascii AS (CONCAT_WS(':', kind, mode, COALESCE(card_id, wallet_id, CONCAT('s', slot)))) PERSISTENT UNIQUE,
  KEY (wallet_id, kind, balance_cents, card_id),
  KEY (card_id, kind),
  FOREIGN KEY (wallet_id) REFERENCES wallets (id),
  CHECK ((kind IN ('card','hold') AND wallet_id IS NOT NULL AND card_id IS NOT NULL)
      OR (kind = 'wallet' AND wallet_id IS NOT NULL AND card_id IS NULL)
      OR (kind NOT IN ('wallet','card','hold') AND wallet_id IS NULL AND card_id IS NULL))
) ENGINE=InnoDB;

ALTER TABLE wallets ADD FOREIGN KEY (ledger_account_id) REFERENCES ledger_accounts (id);

CREATE TABLE ledger_journals (
  id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  kind        ENUM('deposit','deposit_reversal','card_created','card_funded','card_withdrawn','card_terminated',
                   'authorization','increment','advice','reversal','expiry','release','clearing','force_post','refund','refund_reversal',
                   'adjustment') NOT NULL,
  reference   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'what must be posted once only',
  created_at  DATETIME(6) NOT NULL,
  UNIQUE (kind, reference)
) ENGINE=InnoDB COMMENT 'append-only: one balanced movement of money';

CREATE TABLE ledger_entries (
  ledger_account_id  BIGINT UNSIGNED NOT NULL,
  number             BIGINT UNSIGNED NOT NULL COMMENT 'without gaps per ledger account',
  journal_id         BIGINT UNSIGNED NOT NULL,
  amount_cents       BIGINT NOT NULL COMMENT 'credit positive, debit negative',
  balance_cents      BIGINT NOT NULL COMMENT 'of the ledger account after this entry',
  PRIMARY KEY (ledger_account_id, number),
  KEY (journal_id),
  FOREIGN KEY (ledger_account_id) REFERENCES ledger_accounts (id),
  FOREIGN KEY (journal_id) REFERENCES ledger_journals (id),
  CHECK (amount_cents <> 0)
) ENGINE=InnoDB COMMENT 'append-only';

CREATE TABLE cards (
  id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  wallet_id        BIGINT UNSIGNED NOT NULL,
  number           BIGINT UNSIGNED NOT NULL COMMENT 'of the card in its wallet, from 1, without gaps: pages by number need no scan',
  bin_id           VARCHAR(8) CHARACTER SET ascii NOT NULL,
  funding          ENUM('prepaid','wallet') NOT NULL DEFAULT 'prepaid',
  status           ENUM('pending_top_up','active','frozen','terminated') NOT NULL,
  frozen_reason    ENUM('customer','operator','auto_freeze','overdrawn','deposit_reversed') NULL,
  label            VARCHAR(64) NOT NULL DEFAULT '',
  last4            CHAR(4) CHARACTER SET ascii NOT NULL,
  pan_sealed       VARBINARY(64) NOT NULL COMMENT 'AES-256-GCM, associated data: public_id',
  pan_key_id       SMALLINT UNSIGNED NOT NULL,
  pan_hash         BINARY(32) NOT NULL UNIQUE COMMENT 'HMAC-SHA256 under the look-up key',
  expires_at       DATETIME NOT NULL,
  spending_limit_cents    BIGINT NOT NULL,
  allowed_categories      LONGTEXT NOT NULL DEFAULT '[]' COMMENT 'empty: all',
  auto_freeze_at_cents    BIGINT NOT NULL DEFAULT 0 COMMENT '0: off',
  metadata                LONGTEXT NOT NULL DEFAULT '{}',
  ledger_account_id  BIGINT UNSIGNED NULL UNIQUE,
  hold_account_id    BIGINT UNSIGNED NULL UNIQUE,
  total_spent_cents  BIGINT NOT NULL DEFAULT 0 COMMENT 'settled less refunded',
  transaction_count  BIGINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'declines not counted',
  event_sequence     BIGINT UNSIGNED NOT NULL DEFAULT 0,
  last_used_at     DATETIME NOT NULL DEFAULT '1970-01-01 00:00:00' COMMENT '1970: never; not NULL, so that pages can be walked by it',
  frozen_at        DATETIME NULL,
  terminated_at    DATETIME NULL,
  created_at       DATETIME NOT NULL,
  UNIQUE (wallet_id, number),
  KEY (wallet_id, status, number),
  KEY (wallet_id, last_used_at, number),
  KEY (wallet_id, bin_id, number),
  KEY (pan_key_id),
  KEY (last4),
  FOREIGN KEY (wallet_id) REFERENCES wallets (id),
  FOREIGN KEY (bin_id) REFERENCES bins (id),
  FOREIGN KEY (ledger_account_id) REFERENCES ledger_accounts (id),
  FOREIGN KEY (hold_account_id) REFERENCES ledger_accounts (id),
  CHECK (spending_limit_cents >= 0),
  CHECK (auto_freeze_at_cents >= 0),
  CHECK (JSON_VALID(metadata)),
  CHECK (JSON_VALID(allowed_categories)),
  CHECK ((status = 'frozen') = (frozen_reason IS NOT NULL)),
  CHECK ((status = 'terminated') = (terminated_at IS NOT NULL))
) ENGINE=InnoDB;

CREATE TABLE card_counts (
  wallet_id  BIGINT UNSIGNED NOT NULL,
  bin_id     VARCHAR(8) CHARACTER SET ascii NOT NULL,
  status     ENUM('pending_top_up','active','frozen','terminated') NOT NULL,
  cards      BIGINT NOT NULL,
  PRIMARY KEY (wallet_id, status, bin_id),
  FOREIGN KEY (wallet_id) REFERENCES wallets (id),
  CHECK (cards >= 0)
) ENGINE=InnoDB COMMENT 'so that a list''s total costs the same with a million cards; re-proved by the audit';

CREATE TABLE currencies (
  code             VARCHAR(16) CHARACTER SET ascii NOT NULL PRIMARY KEY COMMENT 'btc, eth, sol, usdt, usdt-sol, xmr',
  network          VARCHAR(16) CHARACTER SET ascii NOT NULL COMMENT 'as deposit-address shows it',
  address_network  VARCHAR(16) CHARACTER SET ascii NOT NULL COMMENT 'whose addresses it shares: usdt takes eth''s',
  decimals         TINYINT UNSIGNED NOT NULL COMMENT 'base units per coin: 10^decimals',
  min_deposit      VARCHAR(40) CHARACTER SET ascii NOT NULL COMMENT 'decimal, in coins',
  rate_micros      BIGINT UNSIGNED NOT NULL COMMENT 'millionths of a dollar per coin: the operator''s figure',
  fee_basis_points SMALLINT UNSIGNED NOT NULL DEFAULT 200,
  fee_min_cents    BIGINT NOT NULL DEFAULT 0,
  confirmations    SMALLINT UNSIGNED NOT NULL COMMENT 'required before crediting',
  enabled          BOOLEAN NOT NULL DEFAULT TRUE,
  CHECK (fee_basis_points < 10000 AND fee_min_cents >= 0 AND rate_micros > 0),
  CHECK (decimals BETWEEN 2 AND 18)
) ENGINE=InnoDB COMMENT 'what can be deposited, and at what price';

CREATE TABLE deposit_addresses (
  id           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  mode         ENUM('live','test') NOT NULL,
  network      VARCHAR(16) CHARACTER SET ascii NOT NULL COMMENT 'currencies.address_network',
  idx          BIGINT UNSIGNED NOT NULL COMMENT 'derivation index',
  address      VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  wallet_id    BIGINT UNSIGNED NULL COMMENT 'for ever, once set',
  current_for  BIGINT UNSIGNED NULL COMMENT 'the wallet whose present address this is',
  assigned_at  DATETIME NULL,
  UNIQUE (network, address),
  UNIQUE (mode, network, idx),
  UNIQUE (current_for, network),
  KEY (mode, network, wallet_id, idx),
  FOREIGN KEY (wallet_id) REFERENCES wallets (id),
  CHECK (current_for IS NULL OR current_for = wallet_id)
) ENGINE=InnoDB COMMENT 'the pool, and whose each address is';

CREATE TABLE deposits (
  id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  wallet_id        BIGINT UNSIGNED NOT NULL,
  currency         VARCHAR(16) CHARACTER SET ascii NOT NULL,
  network          VARCHAR(16) CHARACTER SET ascii NOT NULL,
  address          VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NULL,
  tx_hash          VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  output           VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '' COMMENT 'what tells payments of one transaction apart',
  amount_units     DECIMAL(38,0) NOT NULL COMMENT 'base units of the coin',
  rate_micros      BIGINT UNSIGNED NOT NULL,
  amount_usd_cents BIGINT NOT NULL,
  fee_usd_cents    BIGINT NOT NULL,
  credited_usd_cents BIGINT NOT NULL,
  status           ENUM('pending','confirmed','expired') NOT NULL,
  hold_reason      VARCHAR(40) CHARACTER SET ascii NULL,
  confirmations    INT UNSIGNED NOT NULL DEFAULT 0,
  required_confirmations INT UNSIGNED NOT NULL,
  created_at       DATETIME NOT NULL,
  confirmed_at     DATETIME NULL,
  expired_at       DATETIME NULL,
  UNIQUE (network, tx_hash, output),
  KEY (wallet_id, id),
  KEY (wallet_id, status, id),
  KEY (status, created_at),
  FOREIGN KEY (wallet_id) REFERENCES wallets (id),
  FOREIGN KEY (currency) REFERENCES currencies (code),
  CHECK (credited_usd_cents = amount_usd_cents - fee_usd_cents),
  CHECK (amount_units > 0 AND fee_usd_cents >= 0 AND credited_usd_cents >= 0),
  CHECK ((status = 'confirmed') = (confirmed_at IS NOT NULL))
) ENGINE=InnoDB;

CREATE TABLE events (
  id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id   VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  wallet_id   BIGINT UNSIGNED NOT NULL,
  card_id     BIGINT UNSIGNED NULL,
  sequence    BIGINT UNSIGNED NOT NULL COMMENT 'per card, or per wallet where card_id is NULL; without gaps',
  type        VARCHAR(32) CHARACTER SET ascii NOT NULL,
  snapshot    LONGTEXT NOT NULL COMMENT 'the object''s columns at that moment, amounts in cents',
  body        MEDIUMBLOB NULL COMMENT 'what is sent, rendered when first picked up',
  journal_id  BIGINT UNSIGNED NULL COMMENT 'the movement of money it tells of',
  created_at  DATETIME(6) NOT NULL,
  UNIQUE (card_id, sequence),
  KEY (wallet_id, id),
  KEY (journal_id),
  CHECK (JSON_VALID(snapshot))
) ENGINE=InnoDB COMMENT 'outbox: written in the transaction of the change';

-- No foreign key to wallets here and in events: each would lock the wallet's row
-- shared, and two requests of one wallet that then change it would deadlock.
CREATE TABLE idempotency_keys (
  wallet_id    BIGINT UNSIGNED NOT NULL,
  idem_key     VARBINARY(255) NOT NULL,
  fingerprint  BINARY(32) NOT NULL COMMENT 'SHA-256 of method, path and body',
  status       SMALLINT UNSIGNED NULL,
  reply_sealed MEDIUMBLOB NULL COMMENT 'AES-256-GCM: an answer may hold secrets',
  created_at   DATETIME NOT NULL,
  PRIMARY KEY (wallet_id, idem_key),
  KEY (created_at)
) ENGINE=InnoDB;

CREATE TABLE audit_log (
  id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  at          DATETIME(6) NOT NULL,
  actor       VARCHAR(128) NOT NULL COMMENT 'database user, or key_... of the API key',
  action      VARCHAR(40) CHARACTER SET ascii NOT NULL,
  subject     VARCHAR(64) CHARACTER SET ascii NOT NULL COMMENT 'public id of what was changed or read',
  detail      LONGTEXT NOT NULL DEFAULT '{}',
  address     VARCHAR(45) CHARACTER SET ascii NULL,
  request_id  VARCHAR(17) CHARACTER SET ascii NULL,
  KEY (subject, id),
  KEY (at),
  CHECK (JSON_VALID(detail))
) ENGINE=InnoDB COMMENT 'append-only: operators'' changes and reads of card numbers';

CREATE TABLE ledger_seals (
  id            BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  first_journal BIGINT UNSIGNED NOT NULL,
  last_journal  BIGINT UNSIGNED NOT NULL UNIQUE,
  digest        BINARY(32) NOT NULL COMMENT 'HMAC over the rows of the range and the seal before',
  created_at    DATETIME NOT NULL,
  CHECK (first_journal <= last_journal)
) ENGINE=InnoDB COMMENT 'written by cardstock-audit: history that even the owner cannot rewrite unseen';
