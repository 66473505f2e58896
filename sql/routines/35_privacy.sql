-- SPDX-License-Identifier: Apache-2.0
-- What the Privacy dialect asks for: ids as UUIDs, the keys themselves, the
-- wallet as a funding source.

DELIMITER //

-- An id's 20 random characters are two halves of 10, each below 62^10.
CREATE OR REPLACE FUNCTION base62_read(
  p_digits VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin)
RETURNS BIGINT UNSIGNED DETERMINISTIC NO SQL
BEGIN
  DECLARE v_half BIGINT UNSIGNED DEFAULT 0;
  FOR i IN 1 .. 10 DO
    SET v_half = v_half * 62 + LOCATE(BINARY SUBSTRING(p_digits, i, 1),
      BINARY '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
      - 1;
  END FOR;
  RETURN v_half;
END//

CREATE OR REPLACE FUNCTION base62_print(p_half BIGINT UNSIGNED)
RETURNS CHAR(10) CHARACTER SET ascii COLLATE ascii_bin DETERMINISTIC NO SQL
BEGIN
  DECLARE v_digits VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin
    DEFAULT '';
  FOR i IN 1 .. 10 DO
    SET v_digits = CONCAT(SUBSTRING(
      '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
      1 + p_half MOD 62, 1), v_digits);
    SET p_half = p_half DIV 62;
  END FOR;
  RETURN v_digits;
END//

-- One round of the spreading: the first 61 bits of SHA-256 of its number (a
-- byte) and the half (8, big endian).
CREATE OR REPLACE FUNCTION uuid_spread(p_round INT, p_half BIGINT UNSIGNED)
RETURNS BIGINT UNSIGNED DETERMINISTIC NO SQL
RETURN CAST(CONV(LEFT(SHA2(UNHEX(CONCAT('0', p_round,
                                        LPAD(HEX(p_half), 16, '0'))), 256),
                      16), 16, 10) AS UNSIGNED) >> 3//

-- The token of an id in the Privacy dialect, as src/base/token.h has it. NULL
-- for what is no id.
CREATE OR REPLACE FUNCTION uuid_of_id(
  p_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
RETURNS CHAR(36) CHARACTER SET ascii DETERMINISTIC NO SQL
BEGIN
  DECLARE v_digits VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin
    DEFAULT SUBSTRING(p_id, LOCATE('_', p_id) + 1);
  DECLARE v_left, v_right, v_next BIGINT UNSIGNED;
  DECLARE v_hex CHAR(32) CHARACTER SET ascii;

  IF p_id NOT REGEXP '^[^_]*_[0-9A-Za-z]{20}$' OR p_id IS NULL THEN
    RETURN NULL;
  END IF;
  SET v_left = base62_read(LEFT(v_digits, 10));
  SET v_right = base62_read(RIGHT(v_digits, 10));
  FOR i IN 0 .. 3 DO
    SET v_next = v_left ^ uuid_spread(i, v_right);
    SET v_left = v_right;
    SET v_right = v_next;
  END FOR;
  -- 60 bits before the variant, 62 behind it.
  SET v_hex = LOWER(CONCAT(LPAD(HEX(v_left >> 1), 15, '0'),
    LPAD(HEX((1 << 63) | ((v_left & 1) << 61) | v_right), 16, '0'), '0'));
  RETURN CONCAT_WS('-', LEFT(v_hex, 8), SUBSTRING(v_hex, 9, 4),
                   CONCAT('4', SUBSTRING(v_hex, 13, 3)),
                   SUBSTRING(v_hex, 16, 4), SUBSTRING(v_hex, 20, 12));
END//

-- The id behind a token; NULL when there is none. The prefix is the caller's:
-- 'card_', 'txn_', 'acct_', 'wal_'.
CREATE OR REPLACE FUNCTION id_of_uuid(
  p_uuid VARCHAR(64) CHARACTER SET ascii,
  p_prefix VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin)
RETURNS VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin DETERMINISTIC NO SQL
BEGIN
  DECLARE v_hex VARCHAR(64) CHARACTER SET ascii DEFAULT REPLACE(p_uuid, '-', '');
  DECLARE v_left, v_right, v_last BIGINT UNSIGNED;

  IF p_uuid IS NULL OR LOWER(p_uuid) NOT REGEXP
     '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
  THEN
    RETURN NULL;
  END IF;
  SET v_right = CAST(CONV(SUBSTRING(v_hex, 17), 16, 10) AS UNSIGNED);
  SET v_left = CAST(CONV(CONCAT(LEFT(v_hex, 12), SUBSTRING(v_hex, 14, 3)),
                         16, 10) AS UNSIGNED) << 1 | ((v_right >> 61) & 1);
  SET v_right = v_right & ((1 << 61) - 1);
  FOR i IN REVERSE 0 .. 3 DO
    SET v_last = v_right ^ uuid_spread(i, v_left);
    SET v_right = v_left;
    SET v_left = v_last;
  END FOR;
  IF v_left >= 839299365868340224 OR v_right >= 839299365868340224 THEN
    RETURN NULL;
  END IF;
  RETURN CONCAT(p_prefix, base62_print(v_left), base62_print(v_right));
END//

-- The key itself, sealed by the worker that first saw it. Once; no row.
CREATE OR REPLACE PROCEDURE key_keep(IN p_key_id BIGINT UNSIGNED,
                                     IN p_sealed VARBINARY(128))
MODIFIES SQL DATA
UPDATE api_keys SET key_sealed = p_sealed
 WHERE id = p_key_id AND dialect = 'privacy' AND key_sealed IS NULL
   AND revoked_at IS NULL//

CREATE OR REPLACE ALGORITHM = MERGE VIEW funding_rows AS
SELECT w.id AS wallet_id, w.public_id, w.nickname, w.mode, w.created_at,
       a.public_id AS account_public_id, a.name AS account_name,
       a.status AS account_status, a.created_at AS account_created_at
  FROM wallets AS w
  LEFT JOIN accounts AS a ON a.id = w.account_id//

-- Runs in the caller's transaction.
CREATE OR REPLACE PROCEDURE funding_rename(IN p_wallet_id BIGINT UNSIGNED,
                                           IN p_nickname VARCHAR(64))
MODIFIES SQL DATA
BEGIN
  UPDATE wallets SET nickname = p_nickname WHERE id = p_wallet_id;
  SELECT 'ok' AS outcome, public_id, nickname, mode, created_at,
         account_public_id, account_name, account_status, account_created_at
    FROM funding_rows WHERE wallet_id = p_wallet_id;
END//

DELIMITER ;
