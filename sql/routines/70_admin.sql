-- SPDX-License-Identifier: Apache-2.0
-- What an operator does. Each procedure is a transaction of its own, leaves an
-- audit row with the database user who called it, and answers one row; what is
-- wrong is an error whose sentence names the parameter.

DELIMITER //

CREATE OR REPLACE PROCEDURE admin_refuse(IN p_sentence VARCHAR(200))
NO SQL
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = p_sentence//

-- USER() is who is connected, whoever defined the routine. In a JSON_OBJECT a
-- variable stands as text; "+ 0" keeps a number a number.
CREATE OR REPLACE PROCEDURE admin_audit_add(
  IN p_action VARCHAR(40) CHARACTER SET ascii,
  IN p_subject VARCHAR(64) CHARACTER SET ascii, IN p_detail LONGTEXT)
MODIFIES SQL DATA
INSERT INTO audit_log (at, actor, action, subject, detail)
VALUES (UTC_TIMESTAMP(6), LEFT(USER(), 128), p_action, p_subject, p_detail)//

CREATE OR REPLACE PROCEDURE admin_account_find(
  IN p_account VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_id BIGINT UNSIGNED, OUT p_status VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  SET p_id = NULL;
  SELECT id, status INTO p_id, p_status
    FROM accounts WHERE public_id = p_account FOR UPDATE;
  IF p_id IS NULL THEN
    CALL admin_refuse('account: there is no account of this id (acct_...).');
  END IF;
END//

CREATE OR REPLACE PROCEDURE admin_wallet_find(
  IN p_account VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_mode VARCHAR(16) CHARACTER SET ascii,
  OUT p_wallet_id BIGINT UNSIGNED)
READS SQL DATA
BEGIN
  SET p_wallet_id = NULL;
  IF p_mode IS NULL OR p_mode NOT IN ('live', 'test') THEN
    CALL admin_refuse('mode: must be live or test.');
  END IF;
  SELECT w.id INTO p_wallet_id
    FROM accounts AS a JOIN wallets AS w ON w.account_id = a.id
   WHERE a.public_id = p_account AND w.mode = p_mode;
  IF p_wallet_id IS NULL THEN
    CALL admin_refuse('account: there is no account of this id (acct_...).');
  END IF;
END//

-- An account with both its wallets.
CREATE OR REPLACE PROCEDURE admin_account_create(IN p_name VARCHAR(128))
MODIFIES SQL DATA
BEGIN
  DECLARE v_public VARCHAR(32) CHARACTER SET ascii
    DEFAULT CONCAT('acct_', random_base62(20));
  DECLARE v_account, v_wallet BIGINT UNSIGNED;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  IF COALESCE(TRIM(p_name), '') = '' THEN
    CALL admin_refuse('name: an account needs a name.');
  END IF;
  INSERT INTO accounts (public_id, name, created_at)
  VALUES (v_public, TRIM(p_name), UTC_TIMESTAMP());
  SET v_account = LAST_INSERT_ID();
  FOR world IN (SELECT 'live' AS mode UNION ALL SELECT 'test') DO
    INSERT INTO wallets (public_id, account_id, mode, created_at)
    VALUES (CONCAT('wal_', random_base62(20)), v_account, world.mode,
            UTC_TIMESTAMP());
    SET v_wallet = LAST_INSERT_ID();
    INSERT INTO ledger_accounts (kind, mode, wallet_id)
    VALUES ('wallet', world.mode, v_wallet);
    UPDATE wallets SET ledger_account_id = LAST_INSERT_ID()
     WHERE id = v_wallet;
  END FOR;
  CALL admin_audit_add('account_create', v_public,
                       JSON_OBJECT('name', TRIM(p_name)));
  COMMIT;
  SELECT v_public AS account_id;
END//

CREATE OR REPLACE PROCEDURE admin_account_status_set(
  IN p_account VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_action VARCHAR(40) CHARACTER SET ascii,
  IN p_status VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;

  CALL admin_account_find(p_account, v_id, v_status);
  IF v_status = 'closed' AND p_status <> 'closed' THEN
    CALL admin_refuse('account: it is closed, and that is final.');
  END IF;
  IF v_status <> p_status THEN
    UPDATE accounts SET status = p_status WHERE id = v_id;
    CALL admin_audit_add(p_action, p_account,
                         JSON_OBJECT('from', v_status, 'to', p_status));
  END IF;
END//

CREATE OR REPLACE PROCEDURE admin_account_suspend(
  IN p_account VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_account_status_set(p_account, 'account_suspend', 'suspended');
  COMMIT;
  SELECT p_account AS account_id, 'suspended' AS status;
END//

CREATE OR REPLACE PROCEDURE admin_account_reactivate(
  IN p_account VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_account_status_set(p_account, 'account_reactivate', 'active');
  COMMIT;
  SELECT p_account AS account_id, 'active' AS status;
END//

-- Refused while live money is left in the wallet, on a card or in a hold.
-- Its keys are revoked, its webhooks disabled.
CREATE OR REPLACE PROCEDURE admin_account_close(
  IN p_account VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_left BIGINT UNSIGNED;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  CALL admin_wallet_find(p_account, 'live', v_wallet);
  -- Nothing moves in the wallet while its row is held.
  SELECT id INTO v_wallet FROM wallets WHERE id = v_wallet FOR UPDATE;
  SELECT COUNT(*) INTO v_left FROM ledger_accounts
   WHERE wallet_id = v_wallet AND balance_cents <> 0;
  IF v_left > 0 THEN
    CALL admin_refuse('account: live money is left in its wallet, on cards or in holds; pay it out first.');
  END IF;
  CALL admin_account_status_set(p_account, 'account_close', 'closed');
  UPDATE api_keys AS k
    JOIN wallets AS w ON w.id = k.wallet_id
    JOIN accounts AS a ON a.id = w.account_id
     SET k.revoked_at = UTC_TIMESTAMP(), k.key_sealed = NULL
   WHERE a.public_id = p_account AND k.revoked_at IS NULL;
  UPDATE webhooks AS h
    JOIN wallets AS w ON w.id = h.wallet_id
    JOIN accounts AS a ON a.id = w.account_id
     SET h.disabled_at = wallet_now(w.clock_offset_s),
         h.disabled_reason = 'operator'
   WHERE a.public_id = p_account AND h.deleted_at IS NULL
     AND NOT h.disabled_reason <=> 'operator';
  COMMIT;
  SELECT p_account AS account_id, 'closed' AS status;
END//

-- "", or networks as 192.0.2.0/24 or 2001:db8::/32 or single addresses,
-- separated by one space each.
CREATE OR REPLACE FUNCTION networks_valid(
  p_networks VARCHAR(1024) CHARACTER SET ascii)
RETURNS BOOLEAN DETERMINISTIC NO SQL
BEGIN
  DECLARE v_rest VARCHAR(1026) CHARACTER SET ascii
    DEFAULT CONCAT(p_networks, ' ');
  DECLARE v_one, v_address VARCHAR(1026) CHARACTER SET ascii;
  DECLARE v_bits INT;

  IF p_networks = '' THEN
    RETURN TRUE;
  END IF;
  WHILE v_rest <> '' DO
    SET v_one = SUBSTRING_INDEX(v_rest, ' ', 1);
    SET v_rest = SUBSTRING(v_rest, LENGTH(v_one) + 2);
    IF v_one NOT REGEXP '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$' THEN
      RETURN FALSE;
    END IF;
    SET v_address = SUBSTRING_INDEX(v_one, '/', 1);
    SET v_bits = IF(v_one LIKE '%/%', SUBSTRING_INDEX(v_one, '/', -1), 0);
    IF NOT (IS_IPV4(v_address) AND v_bits <= 32
            OR IS_IPV6(v_address) AND v_bits <= 128) THEN
      RETURN FALSE;
    END IF;
  END WHILE;
  RETURN TRUE;
END//

CREATE OR REPLACE PROCEDURE admin_scopes_check(
  IN p_scopes VARCHAR(100) CHARACTER SET ascii)
NO SQL
IF p_scopes IS NULL OR p_scopes NOT REGEXP
   '^(read|write|cards:details)(,(read|write|cards:details))*$' THEN
  CALL admin_refuse('scopes: a comma-separated list of read, write and cards:details.');
END IF//

CREATE OR REPLACE PROCEDURE admin_networks_check(
  IN p_networks VARCHAR(1024) CHARACTER SET ascii)
NO SQL
IF NOT networks_valid(p_networks) THEN
  CALL admin_refuse('networks: CIDR blocks or addresses, one space between them; empty allows any.');
END IF//

-- A key, in clear in this answer only. NULLs: native, no label, no end, any
-- network.
CREATE OR REPLACE PROCEDURE admin_key_issue(
  IN p_account VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_mode VARCHAR(16) CHARACTER SET ascii,
  IN p_dialect VARCHAR(16) CHARACTER SET ascii,
  IN p_scopes VARCHAR(100) CHARACTER SET ascii, IN p_label VARCHAR(64),
  IN p_expires_at DATETIME, IN p_networks VARCHAR(1024) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_public VARCHAR(32) CHARACTER SET ascii
    DEFAULT CONCAT('key_', random_base62(20));
  DECLARE v_wallet, v_account BIGINT UNSIGNED;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_dialect VARCHAR(16) CHARACTER SET ascii
    DEFAULT COALESCE(p_dialect, 'native');
  DECLARE v_key VARCHAR(64) CHARACTER SET ascii;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  CALL admin_wallet_find(p_account, p_mode, v_wallet);
  CALL admin_account_find(p_account, v_account, v_status);
  IF v_status = 'closed' THEN
    CALL admin_refuse('account: it is closed.');
  END IF;
  IF v_dialect NOT IN ('native', 'privacy') THEN
    CALL admin_refuse('dialect: must be native or privacy.');
  END IF;
  CALL admin_scopes_check(p_scopes);
  CALL admin_networks_check(COALESCE(p_networks, ''));
  IF p_expires_at <= UTC_TIMESTAMP() THEN
    CALL admin_refuse('expires_at: lies in the past (times are UTC).');
  END IF;
  -- A privacy key is a random UUID (RFC 9562, version 4), as that API's are.
  SET v_key = IF(v_dialect = 'native',
                 CONCAT('sk_', p_mode, '_', random_base62(32)),
                 LOWER(HEX(RANDOM_BYTES(16))));
  IF v_dialect = 'privacy' THEN
    SET v_key = CONCAT_WS('-', LEFT(v_key, 8), SUBSTRING(v_key, 9, 4),
                          CONCAT('4', SUBSTRING(v_key, 14, 3)),
                          CONCAT(SUBSTRING('89ab', 1 + CONV(SUBSTRING(v_key, 17, 1), 16, 10) MOD 4, 1),
                                 SUBSTRING(v_key, 18, 3)),
                          SUBSTRING(v_key, 21));
  END IF;
  INSERT INTO api_keys (public_id, wallet_id, dialect, key_hash, prefix,
                        label, scopes, networks, expires_at, created_at)
  VALUES (v_public, v_wallet, v_dialect, UNHEX(SHA2(v_key, 256)),
          LEFT(v_key, 12), COALESCE(p_label, ''), p_scopes,
          COALESCE(p_networks, ''), p_expires_at, UTC_TIMESTAMP());
  CALL admin_audit_add('key_issue', v_public,
    JSON_OBJECT('account', p_account, 'mode', p_mode, 'dialect', v_dialect,
                'scopes', p_scopes, 'label', COALESCE(p_label, ''),
                'expires_at', p_expires_at,
                'networks', COALESCE(p_networks, '')));
  COMMIT;
  SELECT v_public AS key_id, v_key AS api_key;
END//

CREATE OR REPLACE PROCEDURE admin_key_find(
  IN p_key VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  SET p_id = NULL;
  SELECT id INTO p_id FROM api_keys WHERE public_id = p_key FOR UPDATE;
  IF p_id IS NULL THEN
    CALL admin_refuse('key: there is no key of this id (key_...).');
  END IF;
END//

CREATE OR REPLACE PROCEDURE admin_key_scope(
  IN p_key VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_scopes VARCHAR(100) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_key_find(p_key, v_id);
  CALL admin_scopes_check(p_scopes);
  UPDATE api_keys SET scopes = p_scopes WHERE id = v_id;
  CALL admin_audit_add('key_scope', p_key, JSON_OBJECT('scopes', p_scopes));
  COMMIT;
  SELECT p_key AS key_id, p_scopes AS scopes;
END//

-- NULL: no end.
CREATE OR REPLACE PROCEDURE admin_key_expire(
  IN p_key VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_expires_at DATETIME)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_key_find(p_key, v_id);
  UPDATE api_keys SET expires_at = p_expires_at WHERE id = v_id;
  CALL admin_audit_add('key_expire', p_key,
                       JSON_OBJECT('expires_at', p_expires_at));
  COMMIT;
  SELECT p_key AS key_id, p_expires_at AS expires_at;
END//

-- For ever. A second time changes nothing.
CREATE OR REPLACE PROCEDURE admin_key_revoke(
  IN p_key VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_revoked_at DATETIME;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_key_find(p_key, v_id);
  SELECT revoked_at INTO v_revoked_at FROM api_keys WHERE id = v_id;
  IF v_revoked_at IS NULL THEN
    SET v_revoked_at = UTC_TIMESTAMP();
    UPDATE api_keys SET revoked_at = v_revoked_at, key_sealed = NULL
     WHERE id = v_id;
    CALL admin_audit_add('key_revoke', p_key, '{}');
  END IF;
  COMMIT;
  SELECT p_key AS key_id, v_revoked_at AS revoked_at;
END//

-- '' allows any address.
CREATE OR REPLACE PROCEDURE admin_key_networks(
  IN p_key VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_networks VARCHAR(1024) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_key_find(p_key, v_id);
  CALL admin_networks_check(COALESCE(p_networks, ''));
  UPDATE api_keys SET networks = COALESCE(p_networks, '') WHERE id = v_id;
  CALL admin_audit_add('key_networks', p_key,
                       JSON_OBJECT('networks', COALESCE(p_networks, '')));
  COMMIT;
  SELECT p_key AS key_id, COALESCE(p_networks, '') AS networks;
END//

-- Adds a BIN, or changes all its columns; issuing is stopped and started apart.
CREATE OR REPLACE PROCEDURE admin_bin_put(
  IN p_bin VARCHAR(16) CHARACTER SET ascii,
  IN p_network VARCHAR(16) CHARACTER SET ascii, IN p_type VARCHAR(32),
  IN p_issuer_country VARCHAR(8) CHARACTER SET ascii, IN p_three_ds BOOLEAN,
  IN p_apple_pay BOOLEAN, IN p_google_pay BOOLEAN,
  IN p_max_transaction_cents BIGINT, IN p_max_monthly_cents BIGINT,
  IN p_acceptance_tenths INT, IN p_best_for LONGTEXT)
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  IF COALESCE(p_bin NOT REGEXP '^[0-9]{6,8}$', TRUE) THEN
    CALL admin_refuse('bin: must be 6 to 8 digits.');
  END IF;
  IF COALESCE(NOT (p_network = 'visa' AND p_bin LIKE '4%'
       OR p_network = 'mastercard'
          AND (LEFT(p_bin, 4) BETWEEN '2221' AND '2720'
               OR LEFT(p_bin, 2) BETWEEN '51' AND '55')), TRUE) THEN
    CALL admin_refuse('network: visa (4...) or mastercard (2221-2720, 51-55), as the BIN begins.');
  END IF;
  IF COALESCE(p_type, '') = '' THEN
    CALL admin_refuse('type: must not be empty.');
  END IF;
  IF COALESCE(p_issuer_country NOT REGEXP BINARY '^[A-Z]{2}$', TRUE) THEN
    CALL admin_refuse('issuer_country: must be two capital letters (ISO 3166-1).');
  END IF;
  IF p_three_ds IS NULL OR p_apple_pay IS NULL OR p_google_pay IS NULL THEN
    CALL admin_refuse('three_ds, apple_pay, google_pay: must be TRUE or FALSE.');
  END IF;
  IF COALESCE(p_max_transaction_cents < 1, TRUE) THEN
    CALL admin_refuse('max_transaction_cents: must be positive.');
  END IF;
  IF COALESCE(p_max_monthly_cents < 1, TRUE) THEN
    CALL admin_refuse('max_monthly_cents: must be positive.');
  END IF;
  IF COALESCE(p_acceptance_tenths NOT BETWEEN 0 AND 1000, TRUE) THEN
    CALL admin_refuse('acceptance_tenths: must be 0 to 1000 (972 is 97.2 %).');
  END IF;
  IF COALESCE(JSON_TYPE(p_best_for) <> 'ARRAY', TRUE) THEN
    CALL admin_refuse('best_for: must be a JSON array of words.');
  END IF;
  INSERT INTO bins
    (id, network, type, issuer_country, three_ds, apple_pay, google_pay,
     max_transaction_cents, max_monthly_cents, acceptance_tenths, best_for,
     created_at)
  VALUES
    (p_bin, p_network, p_type, p_issuer_country, p_three_ds, p_apple_pay,
     p_google_pay, p_max_transaction_cents, p_max_monthly_cents,
     p_acceptance_tenths, p_best_for, UTC_TIMESTAMP())
  ON DUPLICATE KEY UPDATE
    network = p_network, type = p_type, issuer_country = p_issuer_country,
    three_ds = p_three_ds, apple_pay = p_apple_pay,
    google_pay = p_google_pay,
    max_transaction_cents = p_max_transaction_cents,
    max_monthly_cents = p_max_monthly_cents,
    acceptance_tenths = p_acceptance_tenths, best_for = p_best_for;
  CALL admin_audit_add('bin_put', p_bin,
    JSON_OBJECT('network', p_network, 'type', p_type,
                'issuer_country', p_issuer_country, 'three_ds', p_three_ds + 0,
                'apple_pay', p_apple_pay + 0, 'google_pay', p_google_pay + 0,
                'max_transaction_cents', p_max_transaction_cents + 0,
                'max_monthly_cents', p_max_monthly_cents + 0,
                'acceptance_tenths', p_acceptance_tenths + 0,
                'best_for', JSON_EXTRACT(p_best_for, '$')));
  COMMIT;
  SELECT * FROM bins WHERE id = p_bin;
END//

CREATE OR REPLACE PROCEDURE admin_bin_issuing_set(
  IN p_bin VARCHAR(16) CHARACTER SET ascii, IN p_issuing BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_issuing BOOLEAN;
  SELECT issuing INTO v_issuing FROM bins WHERE id = p_bin FOR UPDATE;
  IF v_issuing IS NULL THEN
    CALL admin_refuse('bin: there is no such BIN.');
  END IF;
  IF v_issuing <> p_issuing THEN
    UPDATE bins SET issuing = p_issuing WHERE id = p_bin;
    CALL admin_audit_add(IF(p_issuing, 'bin_start', 'bin_stop'), p_bin, '{}');
  END IF;
END//

-- No new cards; those that exist go on.
CREATE OR REPLACE PROCEDURE admin_bin_stop(
  IN p_bin VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_bin_issuing_set(p_bin, FALSE);
  COMMIT;
  SELECT p_bin AS bin_id, FALSE AS issuing;
END//

CREATE OR REPLACE PROCEDURE admin_bin_start(
  IN p_bin VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_bin_issuing_set(p_bin, TRUE);
  COMMIT;
  SELECT p_bin AS bin_id, TRUE AS issuing;
END//

-- NULL leaves a figure as it is. What pending deposits would bring is
-- estimated anew; confirmed ones keep their rate.
CREATE OR REPLACE PROCEDURE admin_currency_set(
  IN p_code VARCHAR(16) CHARACTER SET ascii, IN p_rate_micros BIGINT,
  IN p_fee_basis_points INT, IN p_fee_min_cents BIGINT,
  IN p_min_deposit VARCHAR(40) CHARACTER SET ascii, IN p_confirmations INT,
  IN p_enabled BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_code VARCHAR(16) CHARACTER SET ascii;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  SELECT code INTO v_code FROM currencies WHERE code = p_code FOR UPDATE;
  IF v_code IS NULL THEN
    CALL admin_refuse('code: there is no such currency.');
  END IF;
  IF p_rate_micros < 1 THEN
    CALL admin_refuse('rate_micros: millionths of a dollar per coin, above 0.');
  END IF;
  IF p_fee_basis_points NOT BETWEEN 0 AND 9999 THEN
    CALL admin_refuse('fee_basis_points: must be 0 to 9999 (200 is 2 %).');
  END IF;
  IF p_fee_min_cents < 0 THEN
    CALL admin_refuse('fee_min_cents: must not be negative.');
  END IF;
  IF p_min_deposit NOT REGEXP '^[0-9]{1,18}(\\.[0-9]{1,18})?$' THEN
    CALL admin_refuse('min_deposit: must be a decimal number of coins.');
  END IF;
  IF p_confirmations NOT BETWEEN 0 AND 65535 THEN
    CALL admin_refuse('confirmations: must be 0 to 65535.');
  END IF;
  UPDATE currencies
     SET rate_micros = COALESCE(p_rate_micros, rate_micros),
         fee_basis_points = COALESCE(p_fee_basis_points, fee_basis_points),
         fee_min_cents = COALESCE(p_fee_min_cents, fee_min_cents),
         min_deposit = COALESCE(p_min_deposit, min_deposit),
         confirmations = COALESCE(p_confirmations, confirmations),
         enabled = COALESCE(p_enabled, enabled)
   WHERE code = p_code;
  UPDATE deposits AS d JOIN currencies AS c ON c.code = d.currency
     SET d.rate_micros = c.rate_micros,
         d.amount_usd_cents =
           units_to_cents(d.amount_units, c.rate_micros, c.decimals),
         d.fee_usd_cents = deposit_fee_cents(
           units_to_cents(d.amount_units, c.rate_micros, c.decimals),
           c.fee_basis_points, c.fee_min_cents),
         d.credited_usd_cents =
           units_to_cents(d.amount_units, c.rate_micros, c.decimals)
           - deposit_fee_cents(
               units_to_cents(d.amount_units, c.rate_micros, c.decimals),
               c.fee_basis_points, c.fee_min_cents)
   WHERE d.currency = p_code AND d.status = 'pending';
  CALL admin_audit_add('currency_set', p_code,
    JSON_OBJECT('rate_micros', p_rate_micros + 0,
                'fee_basis_points', p_fee_basis_points + 0,
                'fee_min_cents', p_fee_min_cents + 0,
                'min_deposit', p_min_deposit,
                'confirmations', p_confirmations + 0, 'enabled', p_enabled + 0));
  COMMIT;
  SELECT * FROM currencies WHERE code = p_code;
END//

-- Puts a range of merchant category codes into a category; what stood there is
-- cut, so that every code stays in exactly one row.
CREATE OR REPLACE PROCEDURE admin_category_set(
  IN p_first INT, IN p_last INT,
  IN p_category VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_rows INT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  IF COALESCE(p_first NOT BETWEEN 0 AND 9999, TRUE) THEN
    CALL admin_refuse('first: must be 0 to 9999.');
  END IF;
  IF COALESCE(p_last NOT BETWEEN p_first AND 9999, TRUE) THEN
    CALL admin_refuse('last: must be first to 9999.');
  END IF;
  IF COALESCE(p_category NOT REGEXP '^[a-z][a-z0-9_]{0,39}$', TRUE) THEN
    CALL admin_refuse('category: small letters, digits and _, at most 40.');
  END IF;
  -- One change at a time.
  SELECT COUNT(*) INTO v_rows FROM mcc_categories FOR UPDATE;
  -- The end of the range that last lies in.
  INSERT INTO mcc_categories (mcc_first, mcc_last, category)
  SELECT p_last + 1, mcc_last, category FROM mcc_categories
   WHERE mcc_first < p_first AND mcc_last > p_last;
  UPDATE mcc_categories SET mcc_last = p_first - 1
   WHERE mcc_first < p_first AND mcc_last >= p_first;
  DELETE FROM mcc_categories
   WHERE mcc_first >= p_first AND mcc_last <= p_last;
  UPDATE mcc_categories SET mcc_first = p_last + 1
   WHERE mcc_first BETWEEN p_first AND p_last AND mcc_last > p_last;
  INSERT INTO mcc_categories (mcc_first, mcc_last, category)
  VALUES (p_first, p_last, p_category);
  CALL admin_audit_add('category_set', CONCAT(p_first, '-', p_last),
                       JSON_OBJECT('category', p_category));
  COMMIT;
  SELECT p_first AS mcc_first, p_last AS mcc_last, p_category AS category;
END//

-- How many days a hold lasts at the merchants of a range of codes; what stood
-- there is cut, as admin_category_set does. Holds that are open keep their end.
CREATE OR REPLACE PROCEDURE admin_hold_window_set(
  IN p_first INT, IN p_last INT, IN p_days INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_rows INT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  IF COALESCE(p_first NOT BETWEEN 0 AND 9999, TRUE) THEN
    CALL admin_refuse('first: must be 0 to 9999.');
  END IF;
  IF COALESCE(p_last NOT BETWEEN p_first AND 9999, TRUE) THEN
    CALL admin_refuse('last: must be first to 9999.');
  END IF;
  IF COALESCE(p_days NOT BETWEEN 1 AND 365, TRUE) THEN
    CALL admin_refuse('days: must be 1 to 365.');
  END IF;
  -- One change at a time.
  SELECT COUNT(*) INTO v_rows FROM hold_windows FOR UPDATE;
  INSERT INTO hold_windows (mcc_first, mcc_last, days)
  SELECT p_last + 1, mcc_last, days FROM hold_windows
   WHERE mcc_first < p_first AND mcc_last > p_last;
  UPDATE hold_windows SET mcc_last = p_first - 1
   WHERE mcc_first < p_first AND mcc_last >= p_first;
  DELETE FROM hold_windows
   WHERE mcc_first >= p_first AND mcc_last <= p_last;
  UPDATE hold_windows SET mcc_first = p_last + 1
   WHERE mcc_first BETWEEN p_first AND p_last AND mcc_last > p_last;
  INSERT INTO hold_windows (mcc_first, mcc_last, days)
  VALUES (p_first, p_last, p_days);
  CALL admin_audit_add('hold_window_set', CONCAT(p_first, '-', p_last),
                       JSON_OBJECT('days', p_days + 0));
  COMMIT;
  SELECT p_first AS mcc_first, p_last AS mcc_last, p_days AS days;
END//

CREATE OR REPLACE PROCEDURE admin_country_check(
  IN p_country VARCHAR(8) CHARACTER SET ascii)
NO SQL
IF COALESCE(p_country NOT REGEXP BINARY '^[A-Z]{2}$', TRUE) THEN
  CALL admin_refuse('country: must be two capital letters (ISO 3166-1).');
END IF//

-- No card is accepted at this country's merchants from now on.
CREATE OR REPLACE PROCEDURE admin_country_block(
  IN p_country VARCHAR(8) CHARACTER SET ascii, IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_country_check(p_country);
  CALL admin_reason_check(p_reason);
  INSERT INTO blocked_countries (country, reason, created_at)
  VALUES (p_country, p_reason, UTC_TIMESTAMP())
  ON DUPLICATE KEY UPDATE reason = p_reason;
  CALL admin_audit_add('country_block', p_country,
                       JSON_OBJECT('reason', p_reason));
  COMMIT;
  SELECT p_country AS country, TRUE AS blocked;
END//

-- A second time changes nothing.
CREATE OR REPLACE PROCEDURE admin_country_unblock(
  IN p_country VARCHAR(8) CHARACTER SET ascii, IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_country_check(p_country);
  CALL admin_reason_check(p_reason);
  DELETE FROM blocked_countries WHERE country = p_country;
  IF ROW_COUNT() > 0 THEN
    CALL admin_audit_add('country_unblock', p_country,
                         JSON_OBJECT('reason', p_reason));
  END IF;
  COMMIT;
  SELECT p_country AS country, FALSE AS blocked;
END//

-- Turns a routine's outcome into a sentence.
CREATE OR REPLACE PROCEDURE admin_card_outcome(
  IN p_outcome VARCHAR(40) CHARACTER SET ascii)
NO SQL
CASE p_outcome
  WHEN 'ok' THEN BEGIN END;
  WHEN 'card_terminated' THEN
    CALL admin_refuse('card: it is terminated.');
  WHEN 'card_not_active' THEN
    CALL admin_refuse('card: it waits for its first funding.');
  WHEN 'card_overdrawn' THEN
    CALL admin_refuse('card: it is in debt; funding it unfreezes it.');
  ELSE
    CALL admin_refuse('card: there is no card of this id (card_...).');
END CASE//

CREATE OR REPLACE PROCEDURE admin_reason_check(IN p_reason VARCHAR(500))
NO SQL
IF COALESCE(TRIM(p_reason), '') = '' THEN
  CALL admin_refuse('reason: say why; it goes into the audit log.');
END IF//

CREATE OR REPLACE PROCEDURE admin_card_freeze(
  IN p_card VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_card BIGINT UNSIGNED;
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_reason_check(p_reason);
  SELECT wallet_id INTO v_wallet FROM cards WHERE public_id = p_card;
  CALL card_freeze_apply(v_wallet, p_card, 'operator', v_outcome, v_card);
  CALL admin_card_outcome(v_outcome);
  CALL admin_audit_add('card_freeze', p_card,
                       JSON_OBJECT('reason', p_reason));
  COMMIT;
  SELECT * FROM admin_cards WHERE card_id = p_card;
END//

CREATE OR REPLACE PROCEDURE admin_card_unfreeze(
  IN p_card VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_card BIGINT UNSIGNED;
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_reason_check(p_reason);
  SELECT wallet_id INTO v_wallet FROM cards WHERE public_id = p_card;
  CALL card_unfreeze_apply(v_wallet, p_card, TRUE, v_outcome, v_card);
  CALL admin_card_outcome(v_outcome);
  CALL admin_audit_add('card_unfreeze', p_card,
                       JSON_OBJECT('reason', p_reason));
  COMMIT;
  SELECT * FROM admin_cards WHERE card_id = p_card;
END//

CREATE OR REPLACE PROCEDURE admin_card_terminate(
  IN p_card VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_card BIGINT UNSIGNED;
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_refunded BIGINT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_reason_check(p_reason);
  SELECT wallet_id INTO v_wallet FROM cards WHERE public_id = p_card;
  CALL card_terminate_apply(v_wallet, p_card, v_outcome, v_card, v_refunded);
  CALL admin_card_outcome(v_outcome);
  CALL admin_audit_add('card_terminate', p_card,
    JSON_OBJECT('reason', p_reason, 'refunded_cents', v_refunded + 0));
  COMMIT;
  SELECT * FROM admin_cards WHERE card_id = p_card;
END//

-- What a card may be used for. NULL leaves a field as it is; 0 takes a limit
-- away. A card of another type than merchant_locked forgets its merchant.
CREATE OR REPLACE PROCEDURE admin_card_limits_set(
  IN p_card VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_type VARCHAR(20) CHARACTER SET ascii,
  IN p_limit_window VARCHAR(20) CHARACTER SET ascii,
  IN p_spending_limit_cents BIGINT, IN p_count_limit BIGINT,
  IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE v_card BIGINT UNSIGNED;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  CALL admin_reason_check(p_reason);
  SELECT id, status INTO v_card, v_status
    FROM cards WHERE public_id = p_card FOR UPDATE;
  CALL admin_card_outcome(CASE WHEN v_card IS NULL THEN 'not_found'
                               WHEN v_status = 'terminated'
                               THEN 'card_terminated' ELSE 'ok' END);
  IF p_type NOT IN ('unlocked', 'single_use', 'merchant_locked',
                    'digital_wallet') THEN
    CALL admin_refuse('type: unlocked, single_use, merchant_locked or digital_wallet.');
  END IF;
  IF p_limit_window NOT IN ('transaction', 'daily', 'weekly', 'monthly',
                            'yearly', 'forever') THEN
    CALL admin_refuse('limit_window: transaction, daily, weekly, monthly, yearly or forever.');
  END IF;
  IF p_spending_limit_cents NOT BETWEEN 0 AND 99999999999999 THEN
    CALL admin_refuse('spending_limit_cents: must not be negative.');
  END IF;
  IF p_count_limit NOT BETWEEN 0 AND 4294967295 THEN
    CALL admin_refuse('count_limit: must be 0 to 4294967295.');
  END IF;
  UPDATE cards
     SET type = COALESCE(p_type, type),
         limit_window = COALESCE(p_limit_window, limit_window),
         spending_limit_cents =
           COALESCE(p_spending_limit_cents, spending_limit_cents),
         count_limit = COALESCE(p_count_limit, count_limit),
         locked_merchant_name = IF(type = 'merchant_locked',
                                   locked_merchant_name, NULL),
         locked_merchant = IF(type = 'merchant_locked', locked_merchant,
                              NULL)
   WHERE id = v_card;
  CALL card_event(v_card, 'card.updated', NULL);
  CALL admin_audit_add('card_limits_set', p_card,
    JSON_OBJECT('type', p_type, 'limit_window', p_limit_window,
                'spending_limit_cents', p_spending_limit_cents + 0,
                'count_limit', p_count_limit + 0, 'reason', p_reason));
  COMMIT;
  SELECT * FROM admin_cards WHERE card_id = p_card;
END//

-- Credits (or, with negative cents, debits) a wallet against the operator's
-- adjustment account. Never takes a wallet below zero.
CREATE OR REPLACE PROCEDURE admin_wallet_adjust(
  IN p_account VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_mode VARCHAR(16) CHARACTER SET ascii, IN p_cents BIGINT,
  IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_wallet_account, v_adjustment, v_journal
    BIGINT UNSIGNED;
  DECLARE v_balance BIGINT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  CALL admin_reason_check(p_reason);
  IF COALESCE(p_cents, 0) = 0 OR ABS(p_cents) > 99999999999999 THEN
    CALL admin_refuse('cents: must be a number of cents other than 0.');
  END IF;
  CALL admin_wallet_find(p_account, p_mode, v_wallet);
  SELECT wl.id, wl.balance_cents INTO v_wallet_account, v_balance
    FROM wallets AS w
    STRAIGHT_JOIN ledger_accounts AS wl ON wl.id = w.ledger_account_id
   WHERE w.id = v_wallet FOR UPDATE;
  IF p_cents < 0 AND v_balance + p_cents < 0 THEN
    CALL admin_refuse('cents: the wallet holds less than that.');
  END IF;
  SELECT operator_account('adjustment', v_wallet) INTO v_adjustment;
  IF p_cents > 0 THEN
    CALL ledger_post('adjustment', NULL, v_adjustment, v_wallet_account,
                     p_cents, FALSE, v_journal);
  ELSE
    CALL ledger_post('adjustment', NULL, v_wallet_account, v_adjustment,
                     -p_cents, TRUE, v_journal);
  END IF;
  UPDATE wallets SET total_deposited_cents = total_deposited_cents + p_cents
   WHERE id = v_wallet;
  CALL wallet_cards_cure(v_wallet);
  CALL admin_audit_add('wallet_adjust', p_account,
    JSON_OBJECT('mode', p_mode, 'cents', p_cents + 0, 'reason', p_reason,
                'journal_id', v_journal + 0));
  COMMIT;
  SELECT p_account AS account_id, p_mode AS mode,
         v_balance + p_cents AS balance_cents;
END//

-- An address for the pool, made elsewhere.
CREATE OR REPLACE PROCEDURE admin_address_import(
  IN p_mode VARCHAR(16) CHARACTER SET ascii,
  IN p_network VARCHAR(16) CHARACTER SET ascii, IN p_idx BIGINT UNSIGNED,
  IN p_address VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  IF p_mode IS NULL OR p_mode NOT IN ('live', 'test') THEN
    CALL admin_refuse('mode: must be live or test.');
  END IF;
  IF NOT EXISTS (SELECT 1 FROM currencies
                  WHERE address_network = p_network) THEN
    CALL admin_refuse('network: no currency takes addresses of this network.');
  END IF;
  IF p_idx IS NULL THEN
    CALL admin_refuse('idx: the derivation index, from 0.');
  END IF;
  IF COALESCE(p_address NOT REGEXP '^[0-9A-Za-z]{20,128}$', TRUE) THEN
    CALL admin_refuse('address: 20 to 128 letters and digits.');
  END IF;
  IF EXISTS (SELECT 1 FROM deposit_addresses
              WHERE network = p_network AND address = p_address
                 OR mode = p_mode AND network = p_network AND idx = p_idx)
  THEN
    CALL admin_refuse('address: this address or index is in the pool already.');
  END IF;
  INSERT INTO deposit_addresses (mode, network, idx, address)
  VALUES (p_mode, p_network, p_idx, p_address);
  CALL admin_audit_add('address_import', LEFT(p_address, 64),
    JSON_OBJECT('mode', p_mode, 'network', p_network, 'idx', p_idx + 0));
  COMMIT;
  SELECT p_network AS network, p_idx AS idx, p_address AS address;
END//

-- Locks an endpoint of either dialect that is not deleted.
CREATE OR REPLACE PROCEDURE admin_webhook_find(
  IN p_webhook VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_id BIGINT UNSIGNED, OUT p_disabled VARCHAR(16) CHARACTER SET ascii,
  OUT p_now DATETIME)
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet BIGINT UNSIGNED;

  SET p_id = NULL, p_disabled = NULL;
  SELECT id, wallet_id, disabled_reason INTO p_id, v_wallet, p_disabled
    FROM webhooks
   WHERE public_id = p_webhook AND deleted_at IS NULL
     FOR UPDATE;
  IF p_id IS NULL THEN
    CALL admin_refuse('webhook: there is no webhook of this id (wh_...).');
  END IF;
  SELECT wallet_now(clock_offset_s) INTO p_now
    FROM wallets WHERE id = v_wallet;
END//

-- Nothing is sent to it any more, and its owner cannot enable it. What waits
-- for it fails; what is on its way arrives.
CREATE OR REPLACE PROCEDURE admin_webhook_disable(
  IN p_webhook VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_disabled VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_reason_check(p_reason);
  CALL admin_webhook_find(p_webhook, v_id, v_disabled, v_now);
  IF NOT v_disabled <=> 'operator' THEN
    UPDATE webhooks SET disabled_at = v_now, disabled_reason = 'operator'
     WHERE id = v_id;
    CALL admin_audit_add('webhook_disable', p_webhook,
                         JSON_OBJECT('reason', p_reason));
  END IF;
  COMMIT;
  SELECT * FROM admin_webhooks WHERE webhook_id = p_webhook;
END//

-- Whoever or whatever disabled it.
CREATE OR REPLACE PROCEDURE admin_webhook_enable(
  IN p_webhook VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_reason VARCHAR(500))
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_disabled VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_reason_check(p_reason);
  CALL admin_webhook_find(p_webhook, v_id, v_disabled, v_now);
  IF v_disabled IS NOT NULL THEN
    UPDATE webhooks
       SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL,
           held_until = NULL
     WHERE id = v_id;
    CALL admin_audit_add('webhook_enable', p_webhook,
      JSON_OBJECT('reason', p_reason, 'disabled', v_disabled));
  END IF;
  COMMIT;
  SELECT * FROM admin_webhooks WHERE webhook_id = p_webhook;
END//

-- Sends again what failed at an endpoint.
CREATE OR REPLACE PROCEDURE admin_delivery_retry(
  IN p_webhook VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_disabled VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_events INT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
  START TRANSACTION;
  CALL admin_webhook_find(p_webhook, v_id, v_disabled, v_now);
  IF v_disabled IS NOT NULL THEN
    CALL admin_refuse('webhook: it is disabled; enable it first.');
  END IF;
  CALL webhook_replay_apply(v_id, NULL, NULL, TRUE, 100000, v_outcome,
                            v_events);
  IF v_outcome <> 'ok' THEN
    CALL admin_refuse('webhook: over 100,000 deliveries failed; replay them in parts through the API.');
  END IF;
  CALL admin_audit_add('delivery_retry', p_webhook,
                       JSON_OBJECT('deliveries', v_events + 0));
  COMMIT;
  SELECT p_webhook AS webhook_id, v_events AS deliveries;
END//

DELIMITER ;
