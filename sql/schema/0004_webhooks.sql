-- SPDX-License-Identifier: Apache-2.0
-- Webhooks: endpoints, what is to be sent to them, what they answered.
-- Due times are in wallet time, so that a test wallet's clock moves them;
-- leases are in real time.

CREATE TABLE webhooks (
  id              BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  public_id       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  wallet_id       BIGINT UNSIGNED NOT NULL,
  dialect         ENUM('native','privacy') NOT NULL DEFAULT 'native',
  api_key_id      BIGINT UNSIGNED NULL COMMENT 'privacy: the key that signs',
  url             VARCHAR(2048) NOT NULL,
  description     VARCHAR(255) NOT NULL DEFAULT '',
  event_types     VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin NOT NULL COMMENT 'comma list, or *',
  secret_sealed   VARBINARY(512) NOT NULL COMMENT 'AES-256-GCM, associated data: public_id; empty: deleted',
  previous_secret_sealed VARBINARY(512) NULL,
  previous_until  DATETIME NULL COMMENT 'until then both sign',
  disabled_at     DATETIME NULL,
  disabled_reason ENUM('customer','gone','failing','operator') NULL,
  failing_since   DATETIME NULL COMMENT 'nothing has succeeded since',
  held_until      DATETIME NULL COMMENT 'it asked us to wait',
  last_success_at DATETIME NULL,
  last_failure_at DATETIME NULL,
  last_error      VARCHAR(64) CHARACTER SET ascii NULL,
  leased_by       CHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL COMMENT 'the courier that sends to it',
  leased_until    DATETIME(6) NULL,
  deleted_at      DATETIME NULL,
  created_at      DATETIME NOT NULL,
  KEY (wallet_id, deleted_at, id),
  KEY (deleted_at),
  CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
  CHECK ((previous_secret_sealed IS NULL) = (previous_until IS NULL))
) ENGINE=InnoDB COMMENT 'where an account wants its events';

-- Removed with the row that they belong to. No foreign key to webhooks or
-- wallets: a payment would wait for whoever changes one of those.
CREATE TABLE deliveries (
  id               BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  webhook_id       BIGINT UNSIGNED NOT NULL,
  event_id         BIGINT UNSIGNED NOT NULL,
  wallet_id        BIGINT UNSIGNED NOT NULL,
  card_id          BIGINT UNSIGNED NULL,
  status           ENUM('pending','delivered','failed') NOT NULL DEFAULT 'pending',
  attempts         SMALLINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'all that were ever made',
  tries            TINYINT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'since it was last queued',
  claim            INT UNSIGNED NOT NULL DEFAULT 0 COMMENT 'fence: number of the newest lease',
  queue_webhook_id BIGINT UNSIGNED NULL COMMENT 'webhook_id while pending',
  due_at           DATETIME(6) NULL COMMENT 'while pending; 1970: at once, in order of id',
  leased_until     DATETIME(6) NULL COMMENT 'while a courier has it',
  last_error       VARCHAR(64) CHARACTER SET ascii NULL,
  created_at       DATETIME(6) NOT NULL,
  finished_at      DATETIME(6) NULL,
  UNIQUE (event_id, webhook_id),
  KEY queue (queue_webhook_id, due_at, id),
  KEY (webhook_id, id),
  KEY (webhook_id, status, id),
  FOREIGN KEY (event_id) REFERENCES events (id) ON DELETE CASCADE,
  CHECK ((status = 'pending') = (queue_webhook_id IS NOT NULL)),
  CHECK ((status = 'pending') = (due_at IS NOT NULL)),
  CHECK ((status = 'pending') = (finished_at IS NULL)),
  CHECK (queue_webhook_id = webhook_id)
) ENGINE=InnoDB COMMENT 'one event to one endpoint; the queue, while pending';

CREATE TABLE delivery_attempts (
  delivery_id   BIGINT UNSIGNED NOT NULL,
  number        SMALLINT UNSIGNED NOT NULL COMMENT 'from 1, without gaps',
  started_at    DATETIME(6) NOT NULL,
  duration_ms   INT UNSIGNED NOT NULL,
  status        SMALLINT UNSIGNED NULL COMMENT 'HTTP',
  error         VARCHAR(64) CHARACTER SET ascii NULL,
  answer_sealed BLOB NULL COMMENT 'AES-256-GCM, associated data: the event''s public_id; a receiver may echo a code',
  PRIMARY KEY (delivery_id, number),
  FOREIGN KEY (delivery_id) REFERENCES deliveries (id) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE event_bodies (
  event_id     BIGINT UNSIGNED NOT NULL,
  dialect      ENUM('native','privacy') NOT NULL,
  body_sealed  MEDIUMBLOB NOT NULL COMMENT 'AES-256-GCM, associated data: the event''s public_id',
  PRIMARY KEY (event_id, dialect),
  FOREIGN KEY (event_id) REFERENCES events (id) ON DELETE CASCADE
) ENGINE=InnoDB COMMENT 'what is sent, the same bytes at every attempt';

-- The keeper removes from the front of each sequence; what is missing above
-- these numbers, the audit tells.
CREATE TABLE event_floors (
  wallet_id   BIGINT UNSIGNED NOT NULL,
  card_id     BIGINT UNSIGNED NOT NULL COMMENT '0: the wallet''s own',
  sequence    BIGINT UNSIGNED NOT NULL COMMENT 'of the newest event that was removed',
  journal_id  BIGINT UNSIGNED NOT NULL COMMENT 'newest that a removed event told of',
  PRIMARY KEY (wallet_id, card_id)
) ENGINE=InnoDB COMMENT 'up to where events are removed';

CREATE TABLE courier_counters (
  outcome      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  slot         TINYINT UNSIGNED NOT NULL COMMENT 'spread over 16 rows, so that none is hot',
  attempts     BIGINT UNSIGNED NOT NULL,
  duration_ms  BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (outcome, slot)
) ENGINE=InnoDB COMMENT 'for /metrics';

ALTER TABLE events DROP COLUMN body;

ALTER TABLE events ADD KEY (created_at, wallet_id);
