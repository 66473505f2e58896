-- SPDX-License-Identifier: Apache-2.0
-- Cards: everything that changes one. Whoever calls these owns the transaction
-- and rolls it back on an outcome other than ok; nothing is written before the
-- last check has passed.

DELIMITER //

-- Numbers an event of the card and writes it with the card as it is now.
-- The caller holds the card's row.
CREATE OR REPLACE PROCEDURE card_event(
  IN p_card_id BIGINT UNSIGNED, IN p_type VARCHAR(32) CHARACTER SET ascii,
  IN p_journal_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  UPDATE cards SET event_sequence = (@card_sequence := event_sequence + 1)
   WHERE id = p_card_id;
  INSERT INTO events (public_id, wallet_id, card_id, sequence, type, snapshot,
                      journal_id, created_at)
  -- random_base62(20), without the call.
  SELECT CONCAT('evt_', LEFT(REPLACE(REPLACE(TO_BASE64(RANDOM_BYTES(57)),
                                             '+', ''), '/', ''), 20)),
         wallet_id, id, @card_sequence, p_type, snapshot, p_journal_id,
         UTC_TIMESTAMP(6) + INTERVAL clock_offset_s SECOND
    FROM card_snapshots WHERE id = p_card_id;
END//

-- Counts a card from one state to another; NULL is where new ones come from.
CREATE OR REPLACE PROCEDURE card_count_move(
  IN p_wallet_id BIGINT UNSIGNED, IN p_bin_id VARCHAR(8) CHARACTER SET ascii,
  IN p_from VARCHAR(16) CHARACTER SET ascii,
  IN p_to VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  IF p_from IS NOT NULL THEN
    UPDATE card_counts SET cards = cards - 1
     WHERE wallet_id = p_wallet_id AND status = p_from AND bin_id = p_bin_id;
  END IF;
  INSERT INTO card_counts (wallet_id, bin_id, status, cards)
  VALUES (p_wallet_id, p_bin_id, p_to, 1)
  ON DUPLICATE KEY UPDATE cards = cards + 1;
END//

-- Locks the wallet, its ledger account, the card and its ledger account, and
-- tells what they hold. p_card_id is NULL where the wallet has no such card.
CREATE OR REPLACE PROCEDURE card_lock(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_card_id BIGINT UNSIGNED, OUT p_bin_id VARCHAR(8) CHARACTER SET ascii,
  OUT p_status VARCHAR(16) CHARACTER SET ascii,
  OUT p_reason VARCHAR(20) CHARACTER SET ascii, OUT p_balance BIGINT,
  OUT p_wallet_account BIGINT UNSIGNED, OUT p_card_account BIGINT UNSIGNED,
  OUT p_now DATETIME)
MODIFIES SQL DATA
BEGIN
  SET p_card_id = NULL;
  SELECT c.id, c.bin_id, c.status, c.frozen_reason, cl.balance_cents, wl.id,
         cl.id, wallet_now(w.clock_offset_s)
    INTO p_card_id, p_bin_id, p_status, p_reason, p_balance, p_wallet_account,
         p_card_account, p_now
    FROM wallets AS w
    STRAIGHT_JOIN ledger_accounts AS wl ON wl.id = w.ledger_account_id
    STRAIGHT_JOIN cards AS c ON c.public_id = p_public_id
                            AND c.wallet_id = w.id
    LEFT JOIN ledger_accounts AS cl ON cl.id = c.ledger_account_id
   WHERE w.id = p_wallet_id
     FOR UPDATE;
END//

-- The last step of those that answer a card; p_card_id NULL: columns NULL.
CREATE OR REPLACE PROCEDURE card_answer(
  IN p_outcome VARCHAR(40) CHARACTER SET ascii, IN p_card_id BIGINT UNSIGNED)
READS SQL DATA
SELECT p_outcome AS outcome, c.id, c.public_id, c.wallet_id, c.number,
       c.bin_id, c.network, c.last4, c.status, c.frozen_reason, c.label,
       c.balance_cents, c.pending_cents, c.spending_limit_cents,
       c.allowed_categories, c.auto_freeze_at_cents, c.metadata,
       c.total_spent_cents, c.transaction_count, c.last_used_at, c.frozen_at,
       c.terminated_at, c.created_at, c.expires_at, c.mode, c.clock_offset_s,
       c.type, c.funding, c.limit_window, c.locked_merchant_name,
       c.ledger_balance_cents, c.single_use_spent, c.bin_max_monthly_cents
  FROM (SELECT 1) AS one
  LEFT JOIN card_rows AS c
    ON c.id = IF(p_outcome = 'ok', p_card_id, NULL)//

CREATE OR REPLACE PROCEDURE card_state_answer(
  IN p_outcome VARCHAR(40) CHARACTER SET ascii, IN p_card_id BIGINT UNSIGNED,
  IN p_refunded_cents BIGINT)
READS SQL DATA
SELECT p_outcome AS outcome,
       IF(p_outcome = 'ok', p_refunded_cents, NULL) AS refunded_cents,
       c.id, c.public_id, c.wallet_id, c.number, c.bin_id, c.network, c.last4,
       c.status, c.frozen_reason, c.label, c.balance_cents, c.pending_cents,
       c.spending_limit_cents, c.allowed_categories, c.auto_freeze_at_cents,
       c.metadata, c.total_spent_cents, c.transaction_count, c.last_used_at,
       c.frozen_at, c.terminated_at, c.created_at, c.expires_at, c.mode,
       c.clock_offset_s, c.type, c.funding, c.limit_window,
       c.locked_merchant_name, c.ledger_balance_cents, c.single_use_spent,
       c.bin_max_monthly_cents
  FROM (SELECT 1) AS one
  LEFT JOIN card_rows AS c
    ON c.id = IF(p_outcome = 'ok', p_card_id, NULL)//

-- How many of the names in a JSON list are in no row of the category table.
CREATE OR REPLACE FUNCTION categories_unknown(p_categories LONGTEXT)
RETURNS INT READS SQL DATA
RETURN (SELECT COUNT(*)
          FROM JSON_TABLE(p_categories, '$[*]'
                 COLUMNS (name VARCHAR(1000) PATH '$')) AS wanted
         WHERE wanted.name IS NULL
            OR NOT EXISTS (SELECT 1 FROM mcc_categories AS m
                            WHERE m.category = wanted.name
                                               COLLATE utf8mb4_bin))//

-- Issues a card. A prepaid one has p_amount_cents from the wallet on it; with
-- none it waits for its first funding. One that draws on the wallet takes none,
-- and can be used at once. p_spending_limit_cents NULL: as much as there can be
-- (0 is none); p_expires_at NULL: in three years. A number that exists already
-- is error 1062, and the caller draws another.
CREATE OR REPLACE PROCEDURE card_create(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_bin_id VARCHAR(8) CHARACTER SET ascii, IN p_label VARCHAR(255),
  IN p_pan_sealed VARBINARY(64), IN p_pan_key_id SMALLINT UNSIGNED,
  IN p_pan_hash BINARY(32), IN p_last4 CHAR(4) CHARACTER SET ascii,
  IN p_amount_cents BIGINT, IN p_spending_limit_cents BIGINT,
  IN p_allowed_categories LONGTEXT, IN p_auto_freeze_at_cents BIGINT,
  IN p_metadata LONGTEXT, IN p_type VARCHAR(16) CHARACTER SET ascii,
  IN p_funding VARCHAR(8) CHARACTER SET ascii,
  IN p_limit_window VARCHAR(16) CHARACTER SET ascii, IN p_frozen BOOLEAN,
  IN p_expires_at DATETIME)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_mode VARCHAR(4) CHARACTER SET ascii;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_issuing BOOLEAN;
  DECLARE v_maximum, v_balance BIGINT;
  DECLARE v_number, v_wallet_account, v_card, v_card_account, v_hold_account,
          v_journal BIGINT UNSIGNED;
  DECLARE v_now DATETIME;

  SELECT w.mode, w.card_count + 1, wl.id, wl.balance_cents,
         wallet_now(w.clock_offset_s)
    INTO v_mode, v_number, v_wallet_account, v_balance, v_now
    FROM wallets AS w
    STRAIGHT_JOIN ledger_accounts AS wl ON wl.id = w.ledger_account_id
   WHERE w.id = p_wallet_id FOR UPDATE;
  SELECT issuing, max_monthly_cents INTO v_issuing, v_maximum
    FROM bins WHERE id = p_bin_id;
  SET v_outcome = CASE
    WHEN v_wallet_account IS NULL THEN 'not_found'
    WHEN p_amount_cents < 0 THEN 'amount_too_small'
    WHEN p_funding = 'wallet' AND p_amount_cents > 0
    THEN 'card_draws_on_wallet'
    WHEN p_expires_at NOT BETWEEN v_now AND v_now + INTERVAL 20 YEAR
    THEN 'invalid_parameter'
    WHEN v_issuing IS NULL THEN 'bin_not_found'
    WHEN NOT v_issuing THEN 'bin_not_available'
    WHEN p_allowed_categories <> '[]'
         AND categories_unknown(p_allowed_categories) > 0
    THEN 'unknown_category'
    WHEN p_funding = 'prepaid' AND p_spending_limit_cents > v_maximum
    THEN 'limit_exceeds_bin'
    WHEN v_balance < p_amount_cents THEN 'insufficient_funds'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    -- Nothing may be refused any more; a number taken is an error, and comes
    -- before anything else is written.
    SET v_status = CASE
      WHEN p_funding = 'prepaid' AND p_amount_cents = 0 THEN 'pending_top_up'
      WHEN p_frozen THEN 'frozen'
      ELSE 'active' END;
    INSERT INTO cards
      (public_id, wallet_id, number, bin_id, type, funding, status,
       frozen_reason, frozen_at, label, last4, pan_sealed, pan_key_id,
       pan_hash, expires_at, spending_limit_cents, limit_window,
       allowed_categories, auto_freeze_at_cents, metadata, created_at)
    VALUES
      (p_public_id, p_wallet_id, v_number, p_bin_id, p_type, p_funding,
       v_status, IF(v_status = 'frozen', 'customer', NULL),
       IF(v_status = 'frozen', v_now, NULL), p_label, p_last4, p_pan_sealed,
       p_pan_key_id, p_pan_hash,
       COALESCE(p_expires_at,
                TIMESTAMP(DATE(v_now) + INTERVAL 3 YEAR, '23:59:59')),
       COALESCE(p_spending_limit_cents,
                IF(p_funding = 'wallet', 0, v_maximum)), p_limit_window,
       p_allowed_categories, p_auto_freeze_at_cents, p_metadata, v_now);
    SET v_card = LAST_INSERT_ID();
    INSERT INTO ledger_accounts (kind, mode, wallet_id, card_id)
    VALUES ('card', v_mode, p_wallet_id, v_card);
    SET v_card_account = LAST_INSERT_ID();
    INSERT INTO ledger_accounts (kind, mode, wallet_id, card_id)
    VALUES ('hold', v_mode, p_wallet_id, v_card);
    SET v_hold_account = LAST_INSERT_ID();
    UPDATE cards SET ledger_account_id = v_card_account,
                     hold_account_id = v_hold_account
     WHERE id = v_card;
    UPDATE wallets SET card_count = v_number,
                       total_spent_cents = total_spent_cents + p_amount_cents
     WHERE id = p_wallet_id;
    CALL card_count_move(p_wallet_id, p_bin_id, NULL, v_status);
    IF p_amount_cents > 0 THEN
      CALL ledger_post('card_created', p_public_id, v_wallet_account,
                       v_card_account, p_amount_cents, TRUE, v_journal);
    END IF;
    CALL card_event(v_card, 'card.created', v_journal);
  END IF;
  CALL card_answer(v_outcome, v_card);
END//

-- NULL leaves as it is; the metadata patch is merged, its nulls delete. A limit
-- beyond what the BIN takes in a month is refused where p_bin_bounds.
CREATE OR REPLACE PROCEDURE card_update_apply(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_label VARCHAR(255), IN p_spending_limit_cents BIGINT,
  IN p_limit_window VARCHAR(16) CHARACTER SET ascii, IN p_bin_bounds BOOLEAN,
  IN p_allowed_categories LONGTEXT, IN p_auto_freeze_at_cents BIGINT,
  IN p_metadata_patch LONGTEXT,
  OUT p_outcome VARCHAR(40) CHARACTER SET ascii,
  OUT p_card_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_status, v_window VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_label VARCHAR(255);
  DECLARE v_limit, v_freeze_at, v_maximum BIGINT;
  DECLARE v_categories, v_metadata, v_merged LONGTEXT;

  SET p_card_id = NULL;
  SELECT c.id, c.status, c.label, c.spending_limit_cents, c.limit_window,
         c.auto_freeze_at_cents, c.allowed_categories, c.metadata,
         (SELECT max_monthly_cents FROM bins WHERE id = c.bin_id)
    INTO p_card_id, v_status, v_label, v_limit, v_window, v_freeze_at,
         v_categories, v_metadata, v_maximum
    FROM cards AS c
   WHERE c.public_id = p_public_id AND c.wallet_id = p_wallet_id FOR UPDATE;
  SET v_merged = IF(p_metadata_patch IS NULL, v_metadata,
                    JSON_MERGE_PATCH(v_metadata, p_metadata_patch));
  SET p_outcome = CASE
    WHEN p_card_id IS NULL THEN 'not_found'
    WHEN v_status = 'terminated' THEN 'card_terminated'
    WHEN p_bin_bounds AND p_spending_limit_cents > v_maximum
    THEN 'limit_exceeds_bin'
    WHEN p_allowed_categories <> '[]'
         AND categories_unknown(p_allowed_categories) > 0
    THEN 'unknown_category'
    WHEN p_metadata_patch IS NOT NULL AND JSON_LENGTH(v_merged) > 20
    THEN 'metadata_too_large'
    ELSE 'ok' END;

  -- Compared as bytes: a change of case is a change.
  IF p_outcome = 'ok'
     AND NOT (COALESCE(p_label, v_label) = BINARY v_label
              AND COALESCE(p_spending_limit_cents, v_limit) = v_limit
              AND COALESCE(p_limit_window, v_window) = v_window
              AND COALESCE(p_auto_freeze_at_cents, v_freeze_at) = v_freeze_at
              AND JSON_COMPACT(COALESCE(p_allowed_categories, v_categories))
                  = BINARY JSON_COMPACT(v_categories)
              AND JSON_COMPACT(v_merged) = BINARY JSON_COMPACT(v_metadata))
  THEN
    UPDATE cards
       SET label = COALESCE(p_label, label),
           spending_limit_cents =
             COALESCE(p_spending_limit_cents, spending_limit_cents),
           limit_window = COALESCE(p_limit_window, limit_window),
           allowed_categories =
             COALESCE(p_allowed_categories, allowed_categories),
           auto_freeze_at_cents =
             COALESCE(p_auto_freeze_at_cents, auto_freeze_at_cents),
           metadata = v_merged
     WHERE id = p_card_id;
    CALL card_event(p_card_id, 'card.updated', NULL);
  END IF;
END//

-- Freezes; a card that is frozen already stays as it is, unless the operator
-- freezes it: then the customer cannot undo it.
CREATE OR REPLACE PROCEDURE card_freeze_apply(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_reason VARCHAR(20) CHARACTER SET ascii,
  OUT p_outcome VARCHAR(40) CHARACTER SET ascii,
  OUT p_card_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_bin VARCHAR(8) CHARACTER SET ascii;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_reason VARCHAR(20) CHARACTER SET ascii;
  DECLARE v_balance BIGINT;
  DECLARE v_wallet_account, v_card_account BIGINT UNSIGNED;
  DECLARE v_now DATETIME;

  CALL card_lock(p_wallet_id, p_public_id, p_card_id, v_bin, v_status,
                 v_reason, v_balance, v_wallet_account, v_card_account,
                 v_now);
  SET p_outcome = CASE
    WHEN p_card_id IS NULL THEN 'not_found'
    WHEN v_status = 'terminated' THEN 'card_terminated'
    WHEN v_status = 'pending_top_up' THEN 'card_not_active'
    ELSE 'ok' END;

  IF p_outcome = 'ok' AND v_status = 'active' THEN
    UPDATE cards SET status = 'frozen', frozen_reason = p_reason,
                     frozen_at = v_now
     WHERE id = p_card_id;
    CALL card_count_move(p_wallet_id, v_bin, 'active', 'frozen');
    CALL card_event(p_card_id, 'card.frozen', NULL);
  ELSEIF p_outcome = 'ok' AND p_reason = 'operator'
         AND v_reason <> 'operator' THEN
    UPDATE cards SET frozen_reason = 'operator' WHERE id = p_card_id;
    CALL card_event(p_card_id, 'card.updated', NULL);
  END IF;
END//

-- What the operator, the ledger or a fallen deposit froze is not the
-- customer's to unfreeze; a card in debt, or that draws on a wallet in debt,
-- stays frozen, whoever asks.
CREATE OR REPLACE PROCEDURE card_unfreeze_apply(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_by_operator BOOLEAN,
  OUT p_outcome VARCHAR(40) CHARACTER SET ascii,
  OUT p_card_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_bin VARCHAR(8) CHARACTER SET ascii;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_reason VARCHAR(20) CHARACTER SET ascii;
  DECLARE v_balance BIGINT;
  DECLARE v_wallet_account, v_card_account BIGINT UNSIGNED;
  DECLARE v_now DATETIME;

  CALL card_lock(p_wallet_id, p_public_id, p_card_id, v_bin, v_status,
                 v_reason, v_balance, v_wallet_account, v_card_account,
                 v_now);
  SELECT l.balance_cents INTO v_balance
    FROM cards AS c JOIN ledger_accounts AS l ON l.id = v_wallet_account
   WHERE c.id = p_card_id AND c.funding = 'wallet';
  SET p_outcome = CASE
    WHEN p_card_id IS NULL THEN 'not_found'
    WHEN v_status = 'terminated' THEN 'card_terminated'
    WHEN v_status = 'pending_top_up' THEN 'card_not_active'
    WHEN v_status = 'frozen' AND NOT p_by_operator
         AND (v_reason IN ('operator', 'overdrawn', 'deposit_reversed')
              OR v_balance < 0)
    THEN 'card_not_active'
    WHEN v_status = 'frozen' AND v_balance < 0 THEN 'card_overdrawn'
    ELSE 'ok' END;

  IF p_outcome = 'ok' AND v_status = 'frozen' THEN
    UPDATE cards SET status = 'active', frozen_reason = NULL,
                     frozen_at = NULL
     WHERE id = p_card_id;
    CALL card_count_move(p_wallet_id, v_bin, 'frozen', 'active');
    CALL card_event(p_card_id, 'card.unfrozen', NULL);
  END IF;
END//

-- What is on the card goes back to the wallet; what is held stays held.
CREATE OR REPLACE PROCEDURE card_terminate_apply(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_outcome VARCHAR(40) CHARACTER SET ascii,
  OUT p_card_id BIGINT UNSIGNED, OUT p_refunded_cents BIGINT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_bin VARCHAR(8) CHARACTER SET ascii;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_reason VARCHAR(20) CHARACTER SET ascii;
  DECLARE v_balance BIGINT;
  DECLARE v_wallet_account, v_card_account, v_journal BIGINT UNSIGNED;
  DECLARE v_now DATETIME;

  CALL card_lock(p_wallet_id, p_public_id, p_card_id, v_bin, v_status,
                 v_reason, v_balance, v_wallet_account, v_card_account,
                 v_now);
  SET p_outcome = IF(p_card_id IS NULL, 'not_found', 'ok');
  SET p_refunded_cents = 0;

  IF p_outcome = 'ok' AND v_status <> 'terminated' THEN
    IF v_balance > 0 THEN
      SET p_refunded_cents = v_balance;
      CALL ledger_post('card_terminated', p_public_id, v_card_account,
                       v_wallet_account, v_balance, TRUE, v_journal);
      UPDATE wallets SET total_spent_cents = total_spent_cents - v_balance
       WHERE id = p_wallet_id;
    END IF;
    UPDATE cards SET status = 'terminated', frozen_reason = NULL,
                     frozen_at = NULL, terminated_at = v_now
     WHERE id = p_card_id;
    CALL card_count_move(p_wallet_id, v_bin, v_status, 'terminated');
    CALL card_event(p_card_id, 'card.terminated', v_journal);
    IF p_refunded_cents > 0 THEN
      CALL wallet_cards_cure(p_wallet_id);
    END IF;
  END IF;
END//

-- Unfreezes a card that was frozen for a debt, which is paid now. It does not
-- freeze it for being below auto_freeze_at: the next event does.
CREATE OR REPLACE PROCEDURE card_cure(
  IN p_card_id BIGINT UNSIGNED, IN p_wallet_id BIGINT UNSIGNED,
  IN p_bin_id VARCHAR(8) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  UPDATE cards SET status = 'active', frozen_reason = NULL, frozen_at = NULL
   WHERE id = p_card_id AND status = 'frozen' AND frozen_reason = 'overdrawn';
  IF ROW_COUNT() > 0 THEN
    CALL card_count_move(p_wallet_id, p_bin_id, 'frozen', 'active');
    CALL card_event(p_card_id, 'card.unfrozen', NULL);
  END IF;
END//

-- Unfreezes the cards whose debt was their wallet's, where it is paid. The
-- caller holds the wallet's row.
CREATE OR REPLACE PROCEDURE wallet_cards_cure(IN p_wallet_id BIGINT UNSIGNED)
MODIFIES SQL DATA
FOR cured IN (SELECT c.id, c.bin_id
                FROM wallets AS w
                JOIN ledger_accounts AS l ON l.id = w.ledger_account_id
                                         AND l.balance_cents >= 0
                JOIN cards AS c ON c.wallet_id = w.id AND c.status = 'frozen'
                               AND c.frozen_reason = 'overdrawn'
                               AND c.funding = 'wallet'
               WHERE w.id = p_wallet_id ORDER BY c.id)
DO
  CALL card_cure(cured.id, p_wallet_id, cured.bin_id);
END FOR//

CREATE OR REPLACE PROCEDURE card_update(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_label VARCHAR(255), IN p_spending_limit_cents BIGINT,
  IN p_allowed_categories LONGTEXT, IN p_auto_freeze_at_cents BIGINT,
  IN p_metadata_patch LONGTEXT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_card BIGINT UNSIGNED;

  CALL card_update_apply(p_wallet_id, p_public_id, p_label,
                         p_spending_limit_cents, NULL, TRUE,
                         p_allowed_categories, p_auto_freeze_at_cents,
                         p_metadata_patch, v_outcome, v_card);
  CALL card_answer(v_outcome, v_card);
END//

CREATE OR REPLACE PROCEDURE card_freeze(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_reason VARCHAR(20) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_card BIGINT UNSIGNED;

  CALL card_freeze_apply(p_wallet_id, p_public_id, p_reason, v_outcome,
                         v_card);
  CALL card_state_answer(v_outcome, v_card, 0);
END//

CREATE OR REPLACE PROCEDURE card_unfreeze(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_card BIGINT UNSIGNED;

  CALL card_unfreeze_apply(p_wallet_id, p_public_id, FALSE, v_outcome,
                           v_card);
  CALL card_state_answer(v_outcome, v_card, 0);
END//

CREATE OR REPLACE PROCEDURE card_terminate(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_card BIGINT UNSIGNED;
  DECLARE v_refunded BIGINT;

  CALL card_terminate_apply(p_wallet_id, p_public_id, v_outcome, v_card,
                            v_refunded);
  CALL card_state_answer(v_outcome, v_card, v_refunded);
END//

-- From the wallet to the card. The first funding makes a waiting card active;
-- one that lifts an overdrawn card out of its debt unfreezes it.
CREATE OR REPLACE PROCEDURE card_fund(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_amount_cents BIGINT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_status, v_funding VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_reason VARCHAR(20) CHARACTER SET ascii;
  DECLARE v_bin VARCHAR(8) CHARACTER SET ascii;
  DECLARE v_card, v_wallet_account, v_card_account, v_journal BIGINT UNSIGNED;
  DECLARE v_wallet_balance, v_balance BIGINT;

  SELECT c.id, c.status, c.funding, c.frozen_reason, c.bin_id, wl.id,
         wl.balance_cents, cl.id, cl.balance_cents
    INTO v_card, v_status, v_funding, v_reason, v_bin, v_wallet_account,
         v_wallet_balance, v_card_account, v_balance
    FROM wallets AS w
    STRAIGHT_JOIN ledger_accounts AS wl ON wl.id = w.ledger_account_id
    STRAIGHT_JOIN cards AS c ON c.public_id = p_public_id
                            AND c.wallet_id = w.id
    STRAIGHT_JOIN ledger_accounts AS cl ON cl.id = c.ledger_account_id
   WHERE w.id = p_wallet_id
     FOR UPDATE;
  SET v_outcome = CASE
    WHEN v_card IS NULL THEN 'not_found'
    WHEN v_status = 'terminated' THEN 'card_terminated'
    WHEN v_funding = 'wallet' THEN 'card_draws_on_wallet'
    WHEN p_amount_cents < 1 THEN 'amount_too_small'
    WHEN v_wallet_balance < p_amount_cents THEN 'insufficient_funds'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    CALL ledger_post('card_funded', NULL, v_wallet_account, v_card_account,
                     p_amount_cents, TRUE, v_journal);
    UPDATE wallets SET total_spent_cents = total_spent_cents + p_amount_cents
     WHERE id = p_wallet_id;
    IF v_status = 'pending_top_up' THEN
      UPDATE cards SET status = 'active' WHERE id = v_card;
      CALL card_count_move(p_wallet_id, v_bin, 'pending_top_up', 'active');
      CALL card_event(v_card, 'card.activated', NULL);
    END IF;
    CALL card_event(v_card, 'card.funded', v_journal);
    IF v_reason = 'overdrawn' AND v_balance + p_amount_cents >= 0 THEN
      CALL card_cure(v_card, p_wallet_id, v_bin);
    ELSEIF v_status = 'pending_top_up' AND v_balance + p_amount_cents < 0 THEN
      -- The network was there before the first funding.
      CALL payment_freeze(v_card, v_balance + p_amount_cents, TRUE);
    END IF;
    SELECT v_outcome AS outcome, p_public_id AS public_id,
           v_balance AS previous_balance_cents,
           p_amount_cents AS amount_cents,
           v_balance + p_amount_cents AS new_balance_cents,
           v_wallet_balance - p_amount_cents AS wallet_balance_cents;
  ELSE
    SELECT v_outcome AS outcome, NULL AS public_id,
           NULL AS previous_balance_cents, NULL AS amount_cents,
           NULL AS new_balance_cents, NULL AS wallet_balance_cents;
  END IF;
END//

-- From the card to the wallet. Where that leaves less than auto_freeze_at, the
-- card is frozen.
CREATE OR REPLACE PROCEDURE card_withdraw(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_amount_cents BIGINT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_status, v_funding VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_bin VARCHAR(8) CHARACTER SET ascii;
  DECLARE v_card, v_wallet_account, v_card_account, v_journal BIGINT UNSIGNED;
  DECLARE v_wallet_balance, v_balance, v_freeze_at BIGINT;
  DECLARE v_now DATETIME;

  SELECT c.id, c.status, c.funding, c.bin_id, c.auto_freeze_at_cents, wl.id,
         wl.balance_cents, cl.id, cl.balance_cents,
         UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND
    INTO v_card, v_status, v_funding, v_bin, v_freeze_at, v_wallet_account,
         v_wallet_balance, v_card_account, v_balance, v_now
    FROM wallets AS w
    STRAIGHT_JOIN ledger_accounts AS wl ON wl.id = w.ledger_account_id
    STRAIGHT_JOIN cards AS c ON c.public_id = p_public_id
                            AND c.wallet_id = w.id
    STRAIGHT_JOIN ledger_accounts AS cl ON cl.id = c.ledger_account_id
   WHERE w.id = p_wallet_id
     FOR UPDATE;
  SET v_outcome = CASE
    WHEN v_card IS NULL THEN 'not_found'
    WHEN v_status = 'terminated' THEN 'card_terminated'
    WHEN v_funding = 'wallet' THEN 'card_draws_on_wallet'
    WHEN v_status = 'pending_top_up' THEN 'card_not_active'
    WHEN p_amount_cents < 1 THEN 'amount_too_small'
    WHEN v_balance < p_amount_cents THEN 'insufficient_card_balance'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    CALL ledger_post('card_withdrawn', NULL, v_card_account, v_wallet_account,
                     p_amount_cents, TRUE, v_journal);
    UPDATE wallets SET total_spent_cents = total_spent_cents - p_amount_cents
     WHERE id = p_wallet_id;
    CALL card_event(v_card, 'card.withdrawn', v_journal);
    IF v_status = 'active' AND v_balance - p_amount_cents < v_freeze_at THEN
      UPDATE cards SET status = 'frozen', frozen_reason = 'auto_freeze',
                       frozen_at = v_now
       WHERE id = v_card;
      CALL card_count_move(p_wallet_id, v_bin, 'active', 'frozen');
      CALL card_event(v_card, 'card.frozen', NULL);
    END IF;
    CALL wallet_cards_cure(p_wallet_id);
    SELECT v_outcome AS outcome, p_public_id AS public_id,
           v_balance AS previous_balance_cents,
           p_amount_cents AS amount_cents,
           v_balance - p_amount_cents AS new_balance_cents,
           v_wallet_balance + p_amount_cents AS wallet_balance_cents;
  ELSE
    SELECT v_outcome AS outcome, NULL AS public_id,
           NULL AS previous_balance_cents, NULL AS amount_cents,
           NULL AS new_balance_cents, NULL AS wallet_balance_cents;
  END IF;
END//

-- Hands out the sealed card number, and notes who asked.
CREATE OR REPLACE PROCEDURE card_details_read(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_key_public_id VARCHAR(32) CHARACTER SET ascii,
  IN p_address VARCHAR(45) CHARACTER SET ascii,
  IN p_request_id VARCHAR(17) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_sealed VARBINARY(64);
  DECLARE v_expires_at DATETIME;

  SELECT pan_sealed, expires_at INTO v_sealed, v_expires_at
    FROM cards WHERE public_id = p_public_id AND wallet_id = p_wallet_id;
  IF v_sealed IS NOT NULL THEN
    INSERT INTO audit_log (at, actor, action, subject, address, request_id)
    VALUES (UTC_TIMESTAMP(6), p_key_public_id, 'card_details_read',
            p_public_id, p_address, p_request_id);
  END IF;
  SELECT IF(v_sealed IS NULL, 'not_found', 'ok') AS outcome,
         IF(v_sealed IS NULL, NULL, p_public_id) AS public_id,
         v_sealed AS pan_sealed, v_expires_at AS expires_at;
END//

DELIMITER ;
