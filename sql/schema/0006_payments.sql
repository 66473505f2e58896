-- SPDX-License-Identifier: Apache-2.0
-- Reversals that came before their authorization, each with its reference.

CREATE TABLE early_reversals (
  scope        BIGINT UNSIGNED NOT NULL,
  network_ref  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  number       INT UNSIGNED NOT NULL COMMENT 'from 1, in the order in which they came',
  message_ref  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  amount_cents BIGINT NULL COMMENT 'NULL: of all',
  event_number INT UNSIGNED NULL COMMENT 'of the event that released; NULL while waiting, and where nothing was held',
  created_at   DATETIME NOT NULL,
  PRIMARY KEY (scope, network_ref, number),
  UNIQUE (scope, network_ref, message_ref),
  FOREIGN KEY (scope, network_ref) REFERENCES network_refs (scope, network_ref),
  CHECK (amount_cents > 0)
) ENGINE=InnoDB COMMENT 'the reversals of a reference that came before its authorization';

INSERT INTO early_reversals (scope, network_ref, number, amount_cents, created_at)
SELECT scope, network_ref, 1, reversal_cents, created_at
  FROM network_refs WHERE reversal_waiting;

ALTER TABLE network_refs DROP COLUMN reversal_cents;
