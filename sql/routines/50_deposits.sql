-- SPDX-License-Identifier: Apache-2.0
-- Deposits: what a coin is worth, crediting, expiring, and the sandbox that
-- drives the same code as the chains' watcher.

DELIMITER //

-- 10^n, exactly.
CREATE OR REPLACE FUNCTION power_of_ten(p_exponent INT)
RETURNS DECIMAL(65,0) DETERMINISTIC NO SQL
RETURN CAST(CONCAT('1', REPEAT('0', p_exponent)) AS DECIMAL(65,0))//

-- Base units of a coin in whole cents, rounded down. The division has no
-- remainder, since DECIMAL division rounds.
CREATE OR REPLACE FUNCTION units_to_cents(
  p_units DECIMAL(38,0), p_rate_micros BIGINT UNSIGNED, p_decimals INT)
RETURNS DECIMAL(65,0) DETERMINISTIC NO SQL
BEGIN
  DECLARE v_worth, v_cent DECIMAL(65,0);

  SET v_worth = p_units * p_rate_micros;
  SET v_cent = power_of_ten(p_decimals + 4);
  RETURN (v_worth - v_worth MOD v_cent) / v_cent;
END//

-- The fewest base units that are worth as many cents.
CREATE OR REPLACE FUNCTION cents_to_units(
  p_cents BIGINT, p_rate_micros BIGINT UNSIGNED, p_decimals INT)
RETURNS DECIMAL(65,0) DETERMINISTIC NO SQL
BEGIN
  DECLARE v_worth, v_rest DECIMAL(65,0);

  SET v_worth = p_cents * power_of_ten(p_decimals + 4);
  SET v_rest = v_worth MOD p_rate_micros;
  RETURN (v_worth - v_rest) / p_rate_micros + (v_rest > 0);
END//

-- The operator's share, rounded up, never more than there is.
CREATE OR REPLACE FUNCTION deposit_fee_cents(
  p_cents BIGINT, p_basis_points INT, p_minimum_cents BIGINT)
RETURNS BIGINT DETERMINISTIC NO SQL
RETURN LEAST(p_cents,
             GREATEST(p_minimum_cents,
                      (p_cents * p_basis_points + 9999) DIV 10000))//

-- Numbers an event of the wallet and writes it with the deposit as it is now.
-- The caller holds the wallet's row.
CREATE OR REPLACE PROCEDURE deposit_event(
  IN p_deposit_id BIGINT UNSIGNED, IN p_type VARCHAR(32) CHARACTER SET ascii,
  IN p_journal_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  UPDATE wallets AS w JOIN deposits AS d ON d.wallet_id = w.id
     SET w.event_sequence = w.event_sequence + 1
   WHERE d.id = p_deposit_id;
  INSERT INTO events (public_id, wallet_id, card_id, sequence, type, snapshot,
                      journal_id, created_at)
  SELECT CONCAT('evt_', random_base62(20)), w.id, NULL, w.event_sequence,
         p_type, s.snapshot, p_journal_id,
         UTC_TIMESTAMP(6) + INTERVAL w.clock_offset_s SECOND
    FROM deposit_snapshots AS s JOIN wallets AS w ON w.id = s.wallet_id
   WHERE s.id = p_deposit_id;
END//

-- Credits a deposit, once: pending, or expired and mined after all. The
-- dollars are fixed now, at the present rate. Outcome ok, not_found or
-- deposit_not_pending.
CREATE OR REPLACE PROCEDURE deposit_confirm(
  IN p_deposit_id BIGINT UNSIGNED,
  OUT p_outcome VARCHAR(40) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_wallet_account, v_clearing, v_income, v_journal
    BIGINT UNSIGNED;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_reference VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin;
  DECLARE v_currency VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_units DECIMAL(38,0);
  DECLARE v_rate BIGINT UNSIGNED;
  DECLARE v_cents, v_fee BIGINT;
  DECLARE v_now DATETIME;

  SELECT wallet_id INTO v_wallet FROM deposits WHERE id = p_deposit_id;
  SELECT w.ledger_account_id, wallet_now(w.clock_offset_s)
    INTO v_wallet_account, v_now
    FROM wallets AS w
    STRAIGHT_JOIN ledger_accounts AS wl ON wl.id = w.ledger_account_id
   WHERE w.id = v_wallet FOR UPDATE;
  SELECT public_id, status, currency, amount_units
    INTO v_reference, v_status, v_currency, v_units
    FROM deposits WHERE id = p_deposit_id FOR UPDATE;
  SET p_outcome = CASE
    WHEN v_status IS NULL THEN 'not_found'
    WHEN v_status = 'confirmed' THEN 'deposit_not_pending'
    ELSE 'ok' END;

  IF p_outcome = 'ok' THEN
    SELECT rate_micros, units_to_cents(v_units, rate_micros, decimals)
      INTO v_rate, v_cents FROM currencies WHERE code = v_currency;
    SELECT deposit_fee_cents(v_cents, fee_basis_points, fee_min_cents)
      INTO v_fee FROM currencies WHERE code = v_currency;
    IF v_cents > 0 THEN
      SELECT operator_account('crypto_clearing', v_wallet),
             operator_account('fee_income', v_wallet)
        INTO v_clearing, v_income;
      CALL ledger_post_with_fee('deposit', v_reference, v_clearing,
                                v_wallet_account, v_cents - v_fee, v_income,
                                v_fee, v_journal);
    END IF;
    UPDATE wallets
       SET total_deposited_cents = total_deposited_cents + v_cents - v_fee
     WHERE id = v_wallet;
    UPDATE deposits
       SET status = 'confirmed', hold_reason = NULL, rate_micros = v_rate,
           amount_usd_cents = v_cents, fee_usd_cents = v_fee,
           credited_usd_cents = v_cents - v_fee,
           confirmations = GREATEST(confirmations, required_confirmations),
           confirmed_at = v_now, expired_at = NULL
     WHERE id = p_deposit_id;
    CALL deposit_event(p_deposit_id, 'deposit.confirmed', v_journal);
    CALL wallet_cards_cure(v_wallet);
  END IF;
END//

-- Gives up on a pending deposit.
CREATE OR REPLACE PROCEDURE deposit_expire(
  IN p_deposit_id BIGINT UNSIGNED,
  OUT p_outcome VARCHAR(40) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet BIGINT UNSIGNED;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  SELECT wallet_id INTO v_wallet FROM deposits WHERE id = p_deposit_id;
  SELECT wallet_now(clock_offset_s) INTO v_now
    FROM wallets WHERE id = v_wallet FOR UPDATE;
  SELECT status INTO v_status
    FROM deposits WHERE id = p_deposit_id FOR UPDATE;
  SET p_outcome = CASE
    WHEN v_status IS NULL THEN 'not_found'
    WHEN v_status <> 'pending' THEN 'deposit_not_pending'
    ELSE 'ok' END;

  IF p_outcome = 'ok' THEN
    UPDATE deposits SET status = 'expired', expired_at = v_now
     WHERE id = p_deposit_id;
    CALL deposit_event(p_deposit_id, 'deposit.expired', NULL);
  END IF;
END//

CREATE OR REPLACE PROCEDURE deposit_answer(
  IN p_outcome VARCHAR(40) CHARACTER SET ascii,
  IN p_deposit_id BIGINT UNSIGNED)
READS SQL DATA
SELECT p_outcome AS outcome, d.id, d.public_id, d.currency, d.network,
       d.address, d.tx_hash, d.amount_units, d.decimals, d.rate_micros,
       d.amount_usd_cents, d.fee_usd_cents, d.credited_usd_cents, d.status,
       d.hold_reason, d.confirmations, d.required_confirmations,
       d.created_at, d.confirmed_at
  FROM (SELECT 1) AS one
  LEFT JOIN deposit_rows AS d
    ON d.id = IF(p_outcome = 'ok', p_deposit_id, NULL)//

-- The wallet's present address; where it has none, the lowest free one of the
-- pool becomes it, and is never anyone else's.
CREATE OR REPLACE PROCEDURE deposit_address_take(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_currency VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_network VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_mode VARCHAR(4) CHARACTER SET ascii;
  DECLARE v_address VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin;
  DECLARE v_id BIGINT UNSIGNED;

  SELECT address_network INTO v_network
    FROM currencies WHERE code = p_currency AND enabled;
  IF v_network IS NULL THEN
    SET v_outcome = 'invalid_parameter';
  ELSE
    SELECT address INTO v_address FROM deposit_addresses
     WHERE current_for = p_wallet_id AND network = v_network;
    IF v_address IS NULL THEN
      -- Two requests of one wallet must not take two.
      SELECT mode INTO v_mode FROM wallets WHERE id = p_wallet_id FOR UPDATE;
      SELECT address INTO v_address FROM deposit_addresses
       WHERE current_for = p_wallet_id AND network = v_network
         FOR UPDATE;
    END IF;
    IF v_address IS NULL THEN
      SELECT id, address INTO v_id, v_address FROM deposit_addresses
       WHERE mode = v_mode AND network = v_network AND wallet_id IS NULL
       ORDER BY idx LIMIT 1 FOR UPDATE SKIP LOCKED;
      UPDATE deposit_addresses AS a JOIN wallets AS w ON w.id = p_wallet_id
         SET a.wallet_id = w.id, a.current_for = w.id,
             a.assigned_at = wallet_now(w.clock_offset_s)
       WHERE a.id = v_id AND a.wallet_id IS NULL;
      IF v_id IS NULL OR ROW_COUNT() = 0 THEN
        SET v_outcome = 'address_pool_empty', v_address = NULL;
      END IF;
    END IF;
  END IF;
  SELECT v_outcome AS outcome, v_address AS address;
END//

-- A payment that the sandbox's chain has seen; one of the two amounts gives
-- the other.
CREATE OR REPLACE PROCEDURE simulate_deposit(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_currency VARCHAR(16) CHARACTER SET ascii,
  IN p_amount_units VARCHAR(64) CHARACTER SET ascii,
  IN p_amount_usd_cents BIGINT,
  IN p_tx_hash VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_confirm BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_mode VARCHAR(4) CHARACTER SET ascii;
  DECLARE v_network, v_address_network VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_decimals, v_basis_points, v_confirmations INT;
  DECLARE v_rate, v_id BIGINT UNSIGNED;
  DECLARE v_fee_min, v_fee BIGINT;
  DECLARE v_units, v_cents DECIMAL(65,0);
  DECLARE v_now DATETIME;

  SELECT w.mode, wallet_now(w.clock_offset_s) INTO v_mode, v_now
    FROM wallets AS w
    STRAIGHT_JOIN ledger_accounts AS wl ON wl.id = w.ledger_account_id
   WHERE w.id = p_wallet_id FOR UPDATE;
  SELECT network, address_network, decimals, rate_micros, fee_basis_points,
         fee_min_cents, confirmations
    INTO v_network, v_address_network, v_decimals, v_rate, v_basis_points,
         v_fee_min, v_confirmations
    FROM currencies
   WHERE code = p_currency AND BINARY code = p_currency AND enabled;
  -- 38 digits is what a deposit's row holds.
  IF v_rate IS NOT NULL AND p_amount_units REGEXP '^[0-9]{1,38}$' THEN
    SET v_units = CAST(p_amount_units AS DECIMAL(65,0));
    SET v_cents = units_to_cents(v_units, v_rate, v_decimals);
  ELSEIF v_rate IS NOT NULL AND p_amount_units IS NULL THEN
    SET v_cents = p_amount_usd_cents;
    SET v_units = cents_to_units(p_amount_usd_cents, v_rate, v_decimals);
  END IF;
  SET v_outcome = CASE
    WHEN v_mode IS NULL THEN 'not_found'
    WHEN v_mode <> 'test' THEN 'test_mode_only'
    WHEN v_rate IS NULL OR v_units IS NULL THEN 'invalid_parameter'
    WHEN v_cents < 1 OR v_units < 1 THEN 'amount_too_small'
    WHEN v_cents > 99999999999999 OR LENGTH(v_units) > 38
    THEN 'amount_too_large'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    SET v_fee = deposit_fee_cents(v_cents, v_basis_points, v_fee_min);
    INSERT INTO deposits
      (public_id, wallet_id, currency, network, address, tx_hash,
       amount_units, rate_micros, amount_usd_cents, fee_usd_cents,
       credited_usd_cents, status, required_confirmations, created_at)
    VALUES
      (p_public_id, p_wallet_id, p_currency, v_network,
       (SELECT address FROM deposit_addresses
         WHERE current_for = p_wallet_id AND network = v_address_network),
       p_tx_hash, v_units, v_rate, v_cents, v_fee, v_cents - v_fee,
       'pending', v_confirmations, v_now);
    SET v_id = LAST_INSERT_ID();
    CALL deposit_event(v_id, 'deposit.pending', NULL);
    IF p_confirm THEN
      CALL deposit_confirm(v_id, v_outcome);
    END IF;
  END IF;
  CALL deposit_answer(v_outcome, v_id);
END//

-- p_action: confirm, or expire.
CREATE OR REPLACE PROCEDURE simulate_deposit_change(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_action VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_mode VARCHAR(4) CHARACTER SET ascii;
  DECLARE v_id BIGINT UNSIGNED;

  SELECT mode INTO v_mode FROM wallets WHERE id = p_wallet_id;
  SELECT id INTO v_id
    FROM deposits WHERE public_id = p_public_id AND wallet_id = p_wallet_id;
  IF v_mode <> 'test' THEN
    SET v_outcome = 'test_mode_only';
  ELSEIF v_id IS NULL THEN
    SET v_outcome = 'not_found';
  ELSEIF p_action = 'confirm' THEN
    CALL deposit_confirm(v_id, v_outcome);
  ELSEIF p_action = 'expire' THEN
    CALL deposit_expire(v_id, v_outcome);
  ELSE
    SET v_outcome = 'invalid_parameter';
  END IF;
  CALL deposit_answer(v_outcome, v_id);
END//

-- Expires what has been pending for over 72 hours of the wallet's time. What
-- is held for a reason of ours waits for us.
CREATE OR REPLACE PROCEDURE wallet_deposits_expire(
  IN p_wallet_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;

  FOR due IN (SELECT d.id
                FROM deposits AS d JOIN wallets AS w ON w.id = d.wallet_id
               WHERE d.wallet_id = p_wallet_id AND d.status = 'pending'
                 AND d.hold_reason IS NULL
                 AND d.created_at
                     < wallet_now(w.clock_offset_s) - INTERVAL 72 HOUR
               ORDER BY d.id)
  DO
    CALL deposit_expire(due.id, v_outcome);
  END FOR;
END//

-- Moves a test wallet's time on; when it answers, what has become due has
-- happened.
CREATE OR REPLACE PROCEDURE simulate_clock(
  IN p_wallet_id BIGINT UNSIGNED, IN p_advance_seconds BIGINT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_mode VARCHAR(4) CHARACTER SET ascii;
  DECLARE v_offset BIGINT;
  DECLARE v_room BIGINT DEFAULT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(),
                                              '9000-01-01 00:00:00');

  SELECT mode, clock_offset_s INTO v_mode, v_offset
    FROM wallets WHERE id = p_wallet_id FOR UPDATE;
  SET v_outcome = CASE
    WHEN v_mode IS NULL THEN 'not_found'
    WHEN v_mode <> 'test' THEN 'test_mode_only'
    WHEN p_advance_seconds < 0 OR p_advance_seconds >= v_room - v_offset
    THEN 'invalid_parameter'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    SET v_offset = v_offset + p_advance_seconds;
    UPDATE wallets SET clock_offset_s = v_offset WHERE id = p_wallet_id;
    CALL wallet_due(p_wallet_id);
  END IF;
  SELECT v_outcome AS outcome,
         IF(v_outcome = 'ok', wallet_now(v_offset), NULL) AS now,
         IF(v_outcome = 'ok', v_offset, NULL) AS offset_seconds;
END//

DELIMITER ;
