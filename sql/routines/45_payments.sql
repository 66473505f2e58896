-- SPDX-License-Identifier: Apache-2.0
-- Payments: what an authorization's decision is made from, and everything that
-- posts one. Callers own the transaction and roll it back on an outcome other
-- than ok and replay; one exception stands at transaction_reverse.
--
-- Locks are taken in this order: the network reference, the wallet (only where
-- its money moves: cards that draw on it, and terminated ones), the card, the
-- transaction, the ledger accounts. Whoever holds the card's row alone moves
-- its money, its holds and its transactions.
--
-- What is read is read by SELECT: a SET, an IF or a CALL that reads a table
-- locks the rows that it reads, shared, and two that then change them deadlock.

DELIMITER //

CREATE OR REPLACE TRIGGER transaction_events_no_update
BEFORE UPDATE ON transaction_events FOR EACH ROW
SIGNAL SQLSTATE '45000'
  SET MESSAGE_TEXT = 'transaction_events is append-only'//
CREATE OR REPLACE TRIGGER transaction_events_no_delete
BEFORE DELETE ON transaction_events FOR EACH ROW
SIGNAL SQLSTATE '45000'
  SET MESSAGE_TEXT = 'transaction_events is append-only'//

-- One row of a table that says it for ranges of codes.
CREATE OR REPLACE FUNCTION mcc_category(p_mcc CHAR(4) CHARACTER SET ascii)
RETURNS VARCHAR(40) CHARACTER SET ascii READS SQL DATA
RETURN (SELECT category FROM mcc_categories
         WHERE mcc_first <= CAST(p_mcc AS UNSIGNED)
         ORDER BY mcc_first DESC LIMIT 1)//

CREATE OR REPLACE FUNCTION hold_days(p_mcc CHAR(4) CHARACTER SET ascii)
RETURNS INT READS SQL DATA
RETURN COALESCE((SELECT days FROM hold_windows
                  WHERE mcc_first <= CAST(p_mcc AS UNSIGNED)
                  ORDER BY mcc_first DESC LIMIT 1), 7)//

-- The row of the network's account that a card's clearings use: by the card,
-- so that one wallet's cards do not queue for one row. For SELECT, as
-- operator_account.
CREATE OR REPLACE FUNCTION network_account(p_card_id BIGINT UNSIGNED)
RETURNS BIGINT UNSIGNED READS SQL DATA
RETURN (SELECT l.id
          FROM cards AS c
          JOIN wallets AS w ON w.id = c.wallet_id
          JOIN ledger_accounts AS l
            ON l.owner_key = CONVERT(CONCAT('network_settlement:', w.mode,
                                            ':s', c.id MOD 16) USING ascii)
         WHERE c.id = p_card_id)//

-- Counts (or with negative cents, takes back) a use at the moment it was made.
CREATE OR REPLACE PROCEDURE card_use(
  IN p_card_id BIGINT UNSIGNED, IN p_at DATETIME, IN p_cents BIGINT)
MODIFIES SQL DATA
INSERT INTO card_usage (card_id, level, start, cents)
VALUES (p_card_id, 0, p_at, p_cents),
       (p_card_id, 1, p_at - INTERVAL SECOND(p_at) SECOND, p_cents),
       (p_card_id, 2, p_at - INTERVAL TIME_TO_SEC(p_at) MOD 3600 SECOND,
        p_cents),
       (p_card_id, 3, DATE(p_at), p_cents)
ON DUPLICATE KEY UPDATE cents = cents + VALUES(cents)//

-- Locks the card, and the wallet before it where its money moves. p_source is
-- the ledger account that pays, p_back the one that gets what is released or
-- given back: the wallet's once the card is terminated, when the source's debt
-- is paid.
CREATE OR REPLACE PROCEDURE payment_lock(
  IN p_card_id BIGINT UNSIGNED, OUT p_wallet_id BIGINT UNSIGNED,
  OUT p_source BIGINT UNSIGNED, OUT p_back BIGINT UNSIGNED,
  OUT p_hold BIGINT UNSIGNED, OUT p_now DATETIME)
MODIFIES SQL DATA
BEGIN
  DECLARE v_draws, v_terminated BOOLEAN;
  DECLARE v_locked BIGINT UNSIGNED;

  SELECT wallet_id, funding = 'wallet' OR status = 'terminated'
    INTO p_wallet_id, v_draws FROM cards WHERE id = p_card_id;
  IF v_draws THEN
    SELECT id INTO v_locked FROM wallets WHERE id = p_wallet_id FOR UPDATE;
  END IF;
  SELECT status = 'terminated' INTO v_terminated
    FROM cards WHERE id = p_card_id FOR UPDATE;
  IF v_terminated AND NOT v_draws THEN
    -- Terminated in this very moment: the one case out of order.
    SELECT id INTO v_locked FROM wallets WHERE id = p_wallet_id FOR UPDATE;
  END IF;
  SELECT IF(c.funding = 'wallet', w.ledger_account_id, c.ledger_account_id),
         IF(c.funding = 'wallet' OR v_terminated, w.ledger_account_id,
            c.ledger_account_id),
         c.hold_account_id, UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND
    INTO p_source, p_back, p_hold, p_now
    FROM cards AS c JOIN wallets AS w ON w.id = c.wallet_id
   WHERE c.id = p_card_id;
END//

-- Counts what cards took of a wallet, or with negative cents brought back.
-- p_balance is the wallet's since: out of its debt with this, payment_freeze
-- finds it in the session.
CREATE OR REPLACE PROCEDURE wallet_spend(
  IN p_wallet_id BIGINT UNSIGNED, IN p_cents BIGINT, IN p_balance BIGINT)
MODIFIES SQL DATA
BEGIN
  UPDATE wallets SET total_spent_cents = total_spent_cents + p_cents
   WHERE id = p_wallet_id;
  IF p_cents < 0 AND p_balance >= 0 AND p_balance + p_cents < 0 THEN
    SET @wallet_lifted = p_wallet_id;
  END IF;
END//

-- ledger_post; where one side is a wallet, its total of what cards took.
CREATE OR REPLACE PROCEDURE payment_post(
  IN p_kind VARCHAR(20) CHARACTER SET ascii, IN p_wallet_id BIGINT UNSIGNED,
  IN p_debit BIGINT UNSIGNED, IN p_credit BIGINT UNSIGNED, IN p_cents BIGINT,
  IN p_guarded BOOLEAN, OUT p_journal_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_account BIGINT UNSIGNED;

  CALL ledger_post(p_kind, NULL, p_debit, p_credit, p_cents, p_guarded,
                   p_journal_id);
  IF p_journal_id IS NULL THEN
    SIGNAL SQLSTATE '45000'
      SET MESSAGE_TEXT = 'payment_post: less than was decided on';
  END IF;
  SELECT ledger_account_id INTO v_account
    FROM wallets WHERE id = p_wallet_id;
  IF v_account = p_debit THEN
    CALL wallet_spend(p_wallet_id, p_cents, @ledger_debit_balance);
  ELSEIF v_account = p_credit THEN
    CALL wallet_spend(p_wallet_id, -p_cents, @ledger_credit_balance);
  END IF;
END//

-- How much of what comes back pays a terminated card's debt.
CREATE OR REPLACE FUNCTION payment_debt(
  p_source BIGINT UNSIGNED, p_back BIGINT UNSIGNED, p_cents BIGINT)
RETURNS BIGINT READS SQL DATA
RETURN IF(p_source = p_back, 0,
          LEAST(p_cents, (SELECT GREATEST(0, -balance_cents)
                            FROM ledger_accounts WHERE id = p_source)))//

-- payment_post of what comes back from p_from.
CREATE OR REPLACE PROCEDURE payment_post_back(
  IN p_kind VARCHAR(20) CHARACTER SET ascii, IN p_wallet_id BIGINT UNSIGNED,
  IN p_from BIGINT UNSIGNED, IN p_source BIGINT UNSIGNED,
  IN p_back BIGINT UNSIGNED, IN p_cents BIGINT, IN p_guarded BOOLEAN,
  OUT p_journal_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_debt BIGINT;

  SELECT payment_debt(p_source, p_back, p_cents) INTO v_debt;
  IF v_debt IN (0, p_cents) THEN
    CALL payment_post(p_kind, p_wallet_id, p_from,
                      IF(v_debt = 0, p_back, p_source), p_cents, p_guarded,
                      p_journal_id);
  ELSE
    INSERT INTO ledger_journals (kind, created_at)
    VALUES (p_kind, UTC_TIMESTAMP(6));
    SET p_journal_id = LAST_INSERT_ID();
    CALL ledger_leg(p_journal_id, p_source, v_debt);
    CALL ledger_leg(p_journal_id, p_back, p_cents - v_debt);
    CALL wallet_spend(p_wallet_id, v_debt - p_cents, @ledger_balance);
    CALL ledger_leg(p_journal_id, p_from, -p_cents);
    IF p_guarded AND @ledger_balance < 0 THEN
      SIGNAL SQLSTATE '45000'
        SET MESSAGE_TEXT = 'payment_post_back: less than was decided on';
    END IF;
  END IF;
END//

-- Numbers an event of the transaction's card and writes it with the
-- transaction's row, as transaction_rows has it, and what happened to it. The
-- caller holds the card's row. Of tables, not views: a view would be parsed
-- again at every call.
CREATE OR REPLACE PROCEDURE transaction_event(
  IN p_transaction_id BIGINT UNSIGNED, IN p_card_id BIGINT UNSIGNED,
  IN p_type VARCHAR(32) CHARACTER SET ascii, IN p_journal_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  UPDATE cards SET event_sequence = (@card_sequence := event_sequence + 1)
   WHERE id = p_card_id;
  INSERT INTO events (public_id, wallet_id, card_id, sequence, type, snapshot,
                      journal_id, created_at)
  SELECT CONCAT('evt_', random_base62(20)), t.wallet_id, t.card_id,
         @card_sequence, p_type,
         JSON_OBJECT(
           'id', t.id, 'public_id', t.public_id, 'wallet_id', t.wallet_id,
           'card_id', t.card_id, 'card_public_id', c.public_id,
           'card_last4', c.last4, 'network_ref', t.network_ref,
           'kind', t.kind, 'type', t.type, 'status', t.status,
           'requested_cents', t.requested_cents,
           'authorized_cents', t.authorized_cents,
           'reversed_cents', t.reversed_cents,
           'cleared_cents', t.cleared_cents,
           'expired_cents', t.expired_cents,
           'refunded_cents', t.refunded_cents,
           'hold_cents',
           GREATEST(0, t.authorized_cents - t.reversed_cents - t.cleared_cents
                       - t.expired_cents),
           'amount_cents',
           CASE WHEN t.status = 'declined' THEN -t.requested_cents
                WHEN t.kind = 'refund'
                THEN t.requested_cents
                     - IF(t.status = 'voided', 0, t.reversed_cents)
                WHEN t.status = 'pending'
                THEN t.reversed_cents - t.authorized_cents
                WHEN t.status IN ('settled', 'refunded')
                THEN -t.cleared_cents
                ELSE -t.authorized_cents END,
           'balance_after_cents', t.balance_after_cents,
           'merchant_name', t.merchant_name, 'merchant_mcc', t.merchant_mcc,
           'merchant_country', t.merchant_country,
           'merchant_city', t.merchant_city, 'merchant_id', t.merchant_id,
           'category', t.category,
           'merchant_amount_cents', t.merchant_amount_cents,
           'merchant_currency', t.merchant_currency,
           'response_code', t.response_code,
           'authorization_code', t.authorization_code,
           'decline_reason', t.decline_reason,
           'decline_reasons', t.decline_reasons, 'three_ds', t.three_ds,
           'original_public_id', o.public_id,
           'hold_expires_at', t.hold_expires_at, 'created_at', t.created_at,
           'updated_at', t.updated_at,
           'merchant_authorized_cents', t.merchant_authorized_cents,
           'card_created_at', c.created_at,
           'card_expires_at', c.expires_at, 'card_type', c.type,
           'card_label', c.label, 'card_status', c.status,
           'card_limit_cents', c.spending_limit_cents,
           'card_limit_window', c.limit_window,
           'card_merchant_name', c.locked_merchant_name,
           'card_single_use_spent',
           c.type = 'single_use' AND c.approval_count > 0,
           'timeline',
           (SELECT JSON_ARRAYAGG(JSON_OBJECT(
                     'number', e.number, 'type', e.type,
                     'amount_cents', e.amount_cents, 'approved', e.approved,
                     'response_code', e.response_code,
                     'balance_after_cents', e.balance_after_cents,
                     'decline_reason', e.decline_reason,
                     'created_at', e.created_at) ORDER BY e.number)
              FROM transaction_events AS e WHERE e.transaction_id = t.id)),
         p_journal_id, UTC_TIMESTAMP(6) + INTERVAL w.clock_offset_s SECOND
    FROM transactions AS t
    JOIN wallets AS w ON w.id = t.wallet_id
    JOIN cards AS c ON c.id = t.card_id
    LEFT JOIN transactions AS o ON o.id = t.original_transaction_id
   WHERE t.id = p_transaction_id;
END//

-- Freezes an active card that is in debt by what nobody could refuse, or whose
-- balance has fallen below auto_freeze_at; unfreezes one whose debt is paid,
-- and the others of the wallet when this event paid the wallet's. Other cards'
-- rows are locked last, by who holds their wallet's.
CREATE OR REPLACE PROCEDURE payment_freeze(
  IN p_card_id BIGINT UNSIGNED, IN p_balance BIGINT, IN p_forced BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_reason VARCHAR(20) CHARACTER SET ascii;
  DECLARE v_cured BOOLEAN;
  DECLARE v_wallet BIGINT UNSIGNED;
  DECLARE v_bin VARCHAR(8) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  SELECT CASE WHEN c.status <> 'active' THEN NULL
              WHEN p_forced AND p_balance < 0 THEN 'overdrawn'
              WHEN c.auto_freeze_at_cents > 0
                   AND p_balance < c.auto_freeze_at_cents
              THEN 'auto_freeze' END,
         c.frozen_reason = 'overdrawn' AND p_balance >= 0,
         c.wallet_id, c.bin_id, wallet_now(w.clock_offset_s)
    INTO v_reason, v_cured, v_wallet, v_bin, v_now
    FROM cards AS c JOIN wallets AS w ON w.id = c.wallet_id
   WHERE c.id = p_card_id;
  IF v_cured THEN
    CALL card_cure(p_card_id, v_wallet, v_bin);
  ELSEIF v_reason IS NOT NULL THEN
    UPDATE cards SET status = 'frozen', frozen_reason = v_reason,
                     frozen_at = v_now
     WHERE id = p_card_id;
    CALL card_count_move(v_wallet, v_bin, 'active', 'frozen');
    CALL card_event(p_card_id, 'card.frozen', NULL);
  END IF;
  IF @wallet_lifted = v_wallet THEN
    SET @wallet_lifted = NULL;
    CALL wallet_cards_cure(v_wallet);
  END IF;
END//

CREATE OR REPLACE PROCEDURE transaction_count_add(
  IN p_wallet_id BIGINT UNSIGNED, IN p_card_id BIGINT UNSIGNED,
  IN p_type VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
INSERT INTO transaction_counts (wallet_id, card_id, type, transactions)
VALUES (p_wallet_id, p_card_id, p_type, 1)
ON DUPLICATE KEY UPDATE transactions = transactions + 1//

-- Claims a reference. While another transaction holds the same claim this
-- waits for it. p_answered: it has been answered before, with p_transaction_id
-- or, where that is NULL, for a card that there is not. network_ref_answer
-- finds in the session what was claimed.
CREATE OR REPLACE PROCEDURE network_ref_claim(
  IN p_scope BIGINT UNSIGNED,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_answered BOOLEAN, OUT p_transaction_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  SET p_answered = FALSE, p_transaction_id = NULL;
  IF p_network_ref IS NOT NULL THEN
    SET @network_ref_scope = p_scope, @network_ref_answered = FALSE,
        @network_ref_transaction = NULL, @network_ref_waiting = FALSE;
    -- Takes the row exclusively when it is there, as in tx_begin.
    INSERT INTO network_refs (scope, network_ref, created_at)
    VALUES (p_scope, p_network_ref, UTC_TIMESTAMP())
    ON DUPLICATE KEY UPDATE
      answered = (@network_ref_answered := answered),
      transaction_id = (@network_ref_transaction := transaction_id),
      reversal_waiting = (@network_ref_waiting := reversal_waiting);
    SET p_answered = @network_ref_answered,
        p_transaction_id = @network_ref_transaction;
  END IF;
END//

-- Notes the answer at the reference that was claimed.
CREATE OR REPLACE PROCEDURE network_ref_answer(
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_transaction_id BIGINT UNSIGNED)
MODIFIES SQL DATA
IF p_network_ref IS NOT NULL THEN
  UPDATE network_refs
     SET answered = TRUE, transaction_id = p_transaction_id,
         reversal_waiting = FALSE
   WHERE scope = @network_ref_scope AND network_ref = p_network_ref
     AND NOT answered;
  IF ROW_COUNT() = 0 THEN
    SIGNAL SQLSTATE '45000'
      SET MESSAGE_TEXT = 'network_ref_answer: the reference was not claimed';
  END IF;
END IF//

-- The card of an id or of a number's hash, in the wallet or anywhere.
CREATE OR REPLACE PROCEDURE payment_card(
  IN p_scope BIGINT UNSIGNED,
  IN p_card_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_pan_hash BINARY(32), OUT p_card_id BIGINT UNSIGNED)
READS SQL DATA
BEGIN
  SET p_card_id = NULL;
  IF p_card_public_id IS NOT NULL THEN
    SELECT id INTO p_card_id FROM cards
     WHERE public_id = p_card_public_id
       AND (p_scope = 0 OR wallet_id = p_scope);
  ELSE
    SELECT id INTO p_card_id FROM cards
     WHERE pan_hash = p_pan_hash AND (p_scope = 0 OR wallet_id = p_scope);
  END IF;
END//

-- What the card used in the window of its limit, and in the month of its BIN's.
CREATE OR REPLACE PROCEDURE card_usage_read(
  IN p_card_id BIGINT UNSIGNED, IN p_now DATETIME, OUT p_limit_used BIGINT,
  OUT p_month_used BIGINT)
READS SQL DATA
BEGIN
  DECLARE v_window VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_ever BIGINT;

  SELECT limit_window, used_cents,
         card_usage_since(id, limit_window_start('monthly', p_now))
    INTO v_window, v_ever, p_month_used
    FROM cards WHERE id = p_card_id;
  IF v_window IN ('daily', 'weekly', 'yearly') THEN
    SELECT card_usage_since(p_card_id, limit_window_start(v_window, p_now))
      INTO p_limit_used;
  ELSE
    SET p_limit_used = CASE v_window WHEN 'monthly' THEN p_month_used
                                     WHEN 'forever' THEN v_ever ELSE 0 END;
  END IF;
END//

-- Claims the reference, locks the card, and answers what a decision is made
-- from. outcome ok, or replay: answered before, by transaction_public_id or,
-- where that is NULL, with card_unknown; invalid_parameter: the reference is
-- that of a force post or a refund. card_id NULL: there is no such card.
CREATE OR REPLACE PROCEDURE authorization_read(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_card_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_pan_hash BINARY(32),
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_mcc CHAR(4) CHARACTER SET ascii,
  IN p_country CHAR(2) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_scope BIGINT UNSIGNED DEFAULT COALESCE(p_wallet_id, 0);
  DECLARE v_answered BOOLEAN;
  DECLARE v_transaction, v_card, v_wallet, v_source, v_back, v_hold
    BIGINT UNSIGNED;
  DECLARE v_kind VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_limit_used, v_month_used BIGINT;
  DECLARE v_now DATETIME;

  CALL network_ref_claim(v_scope, p_network_ref, v_answered, v_transaction);
  IF v_answered THEN
    SELECT card_id, kind INTO v_card, v_kind
      FROM transactions WHERE id = v_transaction;
  ELSE
    CALL payment_card(v_scope, p_card_public_id, p_pan_hash, v_card);
    IF v_card IS NOT NULL THEN
      CALL payment_lock(v_card, v_wallet, v_source, v_back, v_hold, v_now);
      CALL card_usage_read(v_card, v_now, v_limit_used, v_month_used);
    END IF;
  END IF;
  SELECT CASE WHEN v_kind IN ('force_post', 'refund')
              THEN 'invalid_parameter'
              WHEN v_answered THEN 'replay' ELSE 'ok' END AS outcome,
         c.id AS card_id,
         c.public_id AS card_public_id, c.wallet_id, w.mode,
         UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND AS now, c.status,
         c.expires_at, c.pan_sealed, a.status AS account_status, c.type,
         c.locked_merchant, c.allowed_categories,
         c.spending_limit_cents AS limit_cents, c.limit_window,
         v_limit_used AS limit_used_cents,
         b.max_transaction_cents AS bin_max_transaction_cents,
         b.max_monthly_cents AS bin_max_monthly_cents,
         v_month_used AS month_used_cents, c.count_limit, c.approval_count,
         c.type = 'single_use' AND c.approval_count > 0 AS single_use_spent,
         l.balance_cents, mcc_category(p_mcc) AS category,
         EXISTS (SELECT 1 FROM blocked_countries WHERE country = p_country)
           AS country_blocked,
         (SELECT public_id FROM transactions WHERE id = v_transaction)
           AS transaction_public_id,
         IF(v_answered, 1, NULL) AS event_number
    FROM (SELECT 1) AS one
    LEFT JOIN cards AS c ON c.id = v_card
    LEFT JOIN wallets AS w ON w.id = c.wallet_id
    LEFT JOIN accounts AS a ON a.id = w.account_id
    LEFT JOIN bins AS b ON b.id = c.bin_id
    LEFT JOIN ledger_accounts AS l
      ON l.id = IF(c.funding = 'wallet', w.ledger_account_id,
                   c.ledger_account_id);
END//

CREATE OR REPLACE PROCEDURE authorization_open(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_card_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_pan_hash BINARY(32),
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_mcc CHAR(4) CHARACTER SET ascii,
  IN p_country CHAR(2) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  START TRANSACTION;
  CALL authorization_read(p_wallet_id, p_card_public_id, p_pan_hash,
                          p_network_ref, p_mcc, p_country);
END//

-- Changes a transaction's figures by as much; its status and type, the counts
-- and the card's use follow from them. The caller writes the p_events events.
CREATE OR REPLACE PROCEDURE transaction_change(
  IN p_id BIGINT UNSIGNED, IN p_authorized BIGINT, IN p_reversed BIGINT,
  IN p_cleared BIGINT, IN p_expired BIGINT, IN p_balance BIGINT,
  IN p_events INT, IN p_now DATETIME)
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_card BIGINT UNSIGNED;
  DECLARE v_type VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_at DATETIME;
  DECLARE v_days INT;
  DECLARE v_use BIGINT DEFAULT p_authorized - p_reversed - p_expired;

  SELECT wallet_id, card_id, type, created_at, hold_days(merchant_mcc)
    INTO v_wallet, v_card, v_type, v_at, v_days
    FROM transactions WHERE id = p_id;
  -- Left to right: what follows a figure sees it changed.
  UPDATE transactions
     SET authorized_cents = authorized_cents + p_authorized,
         reversed_cents = reversed_cents + p_reversed,
         cleared_cents = cleared_cents + p_cleared,
         expired_cents = expired_cents + p_expired,
         type = IF(cleared_cents > 0, 'settlement', type),
         status = CASE
           WHEN authorized_cents > reversed_cents + cleared_cents
                                   + expired_cents THEN 'pending'
           WHEN cleared_cents > 0
           THEN IF(refunded_cents < cleared_cents, 'settled', 'refunded')
           WHEN expired_cents > 0 THEN 'expired'
           ELSE 'voided' END,
         hold_expires_at = IF(status <> 'pending', NULL,
           COALESCE(hold_expires_at, p_now + INTERVAL v_days DAY)),
         balance_after_cents = p_balance,
         event_count = event_count + p_events, updated_at = p_now
   WHERE id = p_id;
  IF v_type = 'authorization' AND p_cleared > 0 THEN
    UPDATE transaction_counts SET transactions = transactions - 1
     WHERE card_id = v_card AND type = 'authorization';
    CALL transaction_count_add(v_wallet, v_card, 'settlement');
  END IF;
  IF v_use <> 0 THEN
    CALL card_use(v_card, v_at, v_use);
  END IF;
  UPDATE cards SET used_cents = used_cents + v_use,
                   total_spent_cents = total_spent_cents + p_cleared
   WHERE id = v_card AND (v_use <> 0 OR p_cleared <> 0);
END//

-- Releases a part of the hold: a reversal, or what time has taken.
CREATE OR REPLACE PROCEDURE transaction_release(
  IN p_id BIGINT UNSIGNED, IN p_card_id BIGINT UNSIGNED,
  IN p_type VARCHAR(16) CHARACTER SET ascii, IN p_cents BIGINT,
  IN p_message_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_source BIGINT UNSIGNED, IN p_back BIGINT UNSIGNED,
  IN p_hold BIGINT UNSIGNED, IN p_now DATETIME)
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_journal BIGINT UNSIGNED;
  DECLARE v_balance BIGINT;

  SELECT wallet_id INTO v_wallet FROM transactions WHERE id = p_id;
  CALL payment_post_back(p_type, v_wallet, p_hold, p_source, p_back, p_cents,
                         TRUE, v_journal);
  SELECT balance_cents INTO v_balance
    FROM ledger_accounts WHERE id = p_source;
  CALL transaction_change(p_id, 0, IF(p_type = 'expiry', 0, p_cents), 0,
                          IF(p_type = 'expiry', p_cents, 0), v_balance, 1,
                          p_now);
  INSERT INTO transaction_events
    (transaction_id, number, type, amount_cents, hold_cents, approved,
     response_code, message_ref, journal_id, balance_after_cents, created_at)
  SELECT id, event_count, p_type, p_cents, -p_cents, TRUE, '00',
         p_message_ref, v_journal, v_balance, p_now
    FROM transactions WHERE id = p_id;
  CALL transaction_event(p_id, p_card_id,
    IF(p_type = 'expiry', 'transaction.expired', 'transaction.reversed'),
    v_journal);
  CALL payment_freeze(p_card_id, v_balance, FALSE);
END//

-- Keeps a decision under its reference: an approval with its hold, a decline
-- with its reasons. The card is locked by authorization_read in this database
-- transaction. With no card, only the reference is kept. Reversals that came
-- before their authorization take effect now, in order. No row.
CREATE OR REPLACE PROCEDURE authorization_post(
  IN p_card_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_kind VARCHAR(16) CHARACTER SET ascii, IN p_requested_cents BIGINT,
  IN p_approved_cents BIGINT, IN p_approved BOOLEAN,
  IN p_response_code CHAR(2) CHARACTER SET ascii,
  IN p_authorization_code CHAR(6) CHARACTER SET ascii,
  IN p_decline_reason VARCHAR(40) CHARACTER SET ascii,
  IN p_decline_reasons LONGTEXT, IN p_merchant_name VARCHAR(128),
  IN p_mcc CHAR(4) CHARACTER SET ascii,
  IN p_country CHAR(2) CHARACTER SET ascii, IN p_city VARCHAR(64),
  IN p_merchant_id VARCHAR(64),
  IN p_category VARCHAR(40) CHARACTER SET ascii,
  IN p_merchant_amount_cents BIGINT,
  IN p_merchant_currency CHAR(3) CHARACTER SET ascii,
  IN p_three_ds LONGTEXT, IN p_bind_merchant BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet, v_source, v_back, v_hold, v_id, v_journal
    BIGINT UNSIGNED;
  DECLARE v_balance BIGINT;
  DECLARE v_cents BIGINT DEFAULT IF(p_approved, p_approved_cents, 0);
  DECLARE v_part BIGINT;
  DECLARE v_number INT UNSIGNED DEFAULT 1;
  DECLARE v_days INT;
  DECLARE v_bin VARCHAR(8) CHARACTER SET ascii;
  DECLARE v_mode VARCHAR(4) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  IF COALESCE(p_card_id, 0) <> 0 THEN
    SELECT c.wallet_id, l.id,
           IF(c.funding = 'wallet' OR c.status = 'terminated',
              w.ledger_account_id, l.id),
           c.hold_account_id, l.balance_cents, hold_days(p_mcc), c.bin_id,
           w.mode, UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND
      INTO v_wallet, v_source, v_back, v_hold, v_balance, v_days, v_bin,
           v_mode, v_now
      FROM cards AS c
      JOIN wallets AS w ON w.id = c.wallet_id
      JOIN ledger_accounts AS l
        ON l.id = IF(c.funding = 'wallet', w.ledger_account_id,
                     c.ledger_account_id)
     WHERE c.id = p_card_id;
    IF v_cents > 0 THEN
      CALL payment_post('authorization', v_wallet, v_source, v_hold,
                        v_cents, TRUE, v_journal);
      SET v_balance = v_balance - v_cents;
      CALL card_use(p_card_id, v_now, v_cents);
    END IF;
    INSERT INTO transactions
      (public_id, wallet_id, card_id, network_ref, kind, type, status,
       requested_cents, authorized_cents, balance_after_cents, event_count,
       merchant_name, merchant_mcc, merchant_country, merchant_city,
       merchant_id, category, merchant_amount_cents,
       merchant_authorized_cents, merchant_currency, response_code,
       authorization_code, decline_reason, decline_reasons, three_ds,
       hold_expires_at, created_at, updated_at)
    VALUES
      (p_public_id, v_wallet, p_card_id, p_network_ref, p_kind,
       IF(p_approved, 'authorization', 'decline'),
       CASE WHEN NOT p_approved THEN 'declined'
            WHEN v_cents > 0 THEN 'pending' ELSE 'settled' END,
       p_requested_cents, v_cents, v_balance, 1, p_merchant_name, p_mcc,
       p_country, p_city, p_merchant_id, p_category, p_merchant_amount_cents,
       p_merchant_amount_cents, p_merchant_currency, p_response_code,
       IF(p_approved, p_authorization_code, NULL), p_decline_reason,
       COALESCE(p_decline_reasons, '[]'), p_three_ds,
       IF(v_cents > 0, v_now + INTERVAL v_days DAY, NULL), v_now, v_now);
    SET v_id = LAST_INSERT_ID();
    INSERT INTO transaction_events
      (transaction_id, number, type, amount_cents, hold_cents, approved,
       response_code, decline_reason, decline_reasons, journal_id,
       balance_after_cents, created_at)
    VALUES
      (v_id, 1, 'authorization', IF(p_approved, v_cents, p_requested_cents),
       v_cents, p_approved, p_response_code, p_decline_reason,
       COALESCE(p_decline_reasons, '[]'), v_journal, v_balance, v_now);
    CALL transaction_count_add(v_wallet, p_card_id,
                               IF(p_approved, 'authorization', 'decline'));
    IF p_approved THEN
      UPDATE cards
         SET transaction_count = transaction_count + 1,
             approval_count = approval_count + (v_cents > 0),
             used_cents = used_cents + v_cents, last_used_at = v_now,
             locked_merchant_name = IF(p_bind_merchant AND v_cents > 0
                                         AND locked_merchant IS NULL,
               p_merchant_name, locked_merchant_name),
             locked_merchant = IF(p_bind_merchant AND v_cents > 0,
               COALESCE(locked_merchant, p_merchant_id, p_merchant_name),
               locked_merchant)
       WHERE id = p_card_id;
    END IF;
    CALL transaction_event(v_id, p_card_id,
      IF(p_approved, 'transaction.authorized', 'transaction.declined'),
      v_journal);
    IF v_cents > 0 THEN
      CALL payment_freeze(p_card_id, v_balance, FALSE);
    END IF;
  END IF;

  CALL network_ref_answer(p_network_ref, v_id);
  -- Last, since cards of one BIN meet here.
  IF v_id IS NOT NULL THEN
    INSERT INTO bin_authorizations
      (bin_id, mode, day, slot, approved, declined)
    VALUES (v_bin, v_mode, UTC_DATE(), p_card_id MOD 16, p_approved,
            NOT p_approved)
    ON DUPLICATE KEY UPDATE approved = approved + VALUES(approved),
                            declined = declined + VALUES(declined);
  END IF;
  IF p_network_ref IS NOT NULL AND @network_ref_waiting THEN
    FOR kept IN (SELECT number, message_ref, amount_cents
                   FROM early_reversals
                  WHERE scope = @network_ref_scope
                    AND network_ref = p_network_ref ORDER BY number) DO
      IF v_cents > 0 THEN
        SET v_part = LEAST(v_cents, COALESCE(kept.amount_cents, v_cents)),
            v_cents = v_cents - v_part, v_number = v_number + 1;
        CALL transaction_release(v_id, p_card_id, 'reversal', v_part,
                                 kept.message_ref, v_source, v_back, v_hold,
                                 v_now);
        UPDATE early_reversals SET event_number = v_number
         WHERE scope = @network_ref_scope AND network_ref = p_network_ref
           AND number = kept.number;
      END IF;
    END FOR;
  END IF;
END//

CREATE OR REPLACE PROCEDURE authorization_close(
  IN p_card_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_kind VARCHAR(16) CHARACTER SET ascii, IN p_requested_cents BIGINT,
  IN p_approved_cents BIGINT, IN p_approved BOOLEAN,
  IN p_response_code CHAR(2) CHARACTER SET ascii,
  IN p_authorization_code CHAR(6) CHARACTER SET ascii,
  IN p_decline_reason VARCHAR(40) CHARACTER SET ascii,
  IN p_decline_reasons LONGTEXT, IN p_merchant_name VARCHAR(128),
  IN p_mcc CHAR(4) CHARACTER SET ascii,
  IN p_country CHAR(2) CHARACTER SET ascii, IN p_city VARCHAR(64),
  IN p_merchant_id VARCHAR(64),
  IN p_category VARCHAR(40) CHARACTER SET ascii,
  IN p_merchant_amount_cents BIGINT,
  IN p_merchant_currency CHAR(3) CHARACTER SET ascii,
  IN p_three_ds LONGTEXT, IN p_bind_merchant BOOLEAN)
MODIFIES SQL DATA
BEGIN
  CALL authorization_post(
    p_card_id, p_public_id, p_network_ref, p_kind, p_requested_cents,
    p_approved_cents, p_approved, p_response_code, p_authorization_code,
    p_decline_reason, p_decline_reasons, p_merchant_name, p_mcc, p_country,
    p_city, p_merchant_id, p_category, p_merchant_amount_cents,
    p_merchant_currency, p_three_ds, p_bind_merchant);
  COMMIT;
END//

-- Finds a transaction by its id or by the network's reference, and locks its
-- card and itself. p_id is NULL where the scope has no such transaction.
CREATE OR REPLACE PROCEDURE transaction_lock(
  IN p_scope BIGINT UNSIGNED,
  IN p_transaction VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_id BIGINT UNSIGNED, OUT p_card_id BIGINT UNSIGNED,
  OUT p_wallet_id BIGINT UNSIGNED, OUT p_source BIGINT UNSIGNED,
  OUT p_back BIGINT UNSIGNED, OUT p_hold BIGINT UNSIGNED, OUT p_now DATETIME)
MODIFIES SQL DATA
BEGIN
  DECLARE v_locked BIGINT UNSIGNED;

  SET p_id = NULL, p_card_id = NULL;
  IF p_transaction IS NOT NULL THEN
    SELECT id, card_id INTO p_id, p_card_id FROM transactions
     WHERE public_id = p_transaction
       AND (p_scope = 0 OR wallet_id = p_scope);
  ELSE
    SELECT transaction_id INTO p_id FROM network_refs
     WHERE scope = p_scope AND network_ref = p_network_ref FOR UPDATE;
    SELECT card_id INTO p_card_id FROM transactions WHERE id = p_id;
  END IF;
  IF p_id IS NOT NULL THEN
    CALL payment_lock(p_card_id, p_wallet_id, p_source, p_back, p_hold,
                      p_now);
    SELECT id INTO v_locked FROM transactions WHERE id = p_id FOR UPDATE;
  END IF;
END//

-- The last step of those that answer a transaction; with an outcome other than
-- ok and replay, columns NULL. event_number: of the event that the message
-- made, or made when it came first.
CREATE OR REPLACE PROCEDURE transaction_answer(
  IN p_outcome VARCHAR(40) CHARACTER SET ascii,
  IN p_transaction_id BIGINT UNSIGNED, IN p_event_number INT UNSIGNED)
READS SQL DATA
SELECT p_outcome AS outcome, t.id, t.public_id, t.wallet_id, t.card_id,
       t.card_public_id, t.card_last4, t.network_ref, t.kind, t.type,
       t.status, t.requested_cents, t.authorized_cents, t.reversed_cents,
       t.cleared_cents, t.expired_cents, t.refunded_cents, t.hold_cents,
       t.amount_cents, t.balance_after_cents, t.merchant_name,
       t.merchant_mcc, t.merchant_country, t.merchant_city, t.merchant_id,
       t.category, t.merchant_amount_cents, t.merchant_currency,
       t.response_code, t.authorization_code, t.decline_reason,
       t.decline_reasons, t.three_ds, t.original_public_id,
       t.hold_expires_at, t.created_at, t.updated_at,
       IF(t.id IS NULL, NULL, p_event_number) AS event_number,
       (SELECT e.amount_cents FROM transaction_events AS e
         WHERE e.transaction_id = t.id AND e.number = p_event_number)
         AS event_amount_cents
  FROM (SELECT 1) AS one
  LEFT JOIN transaction_rows AS t
    ON t.id = IF(p_outcome IN ('ok', 'replay'), p_transaction_id, NULL)//

-- As authorization_read, for what is to be added to a purchase: of that all
-- counts in each window, also where it was authorized before.
CREATE OR REPLACE PROCEDURE increment_read(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_transaction VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_message_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id, v_card, v_wallet, v_source, v_back, v_hold BIGINT UNSIGNED;
  DECLARE v_number INT UNSIGNED;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_limit_used, v_month_used BIGINT;
  DECLARE v_now DATETIME;

  CALL transaction_lock(COALESCE(p_wallet_id, 0), p_transaction,
                        p_network_ref, v_id, v_card, v_wallet, v_source,
                        v_back, v_hold, v_now);
  SELECT status INTO v_status FROM transactions WHERE id = v_id;
  SELECT number INTO v_number FROM transaction_events
   WHERE transaction_id = v_id AND type = 'increment'
     AND message_ref = p_message_ref;
  SET v_outcome = CASE
    WHEN v_id IS NULL THEN 'original_not_found'
    WHEN v_status = 'declined' THEN 'transaction_declined'
    WHEN v_number IS NOT NULL THEN 'replay'
    WHEN v_status <> 'pending' THEN 'transaction_not_pending'
    ELSE 'ok' END;
  IF v_outcome = 'ok' THEN
    CALL card_usage_read(v_card, v_now, v_limit_used, v_month_used);
    SELECT v_limit_used
           + IF(t.created_at <= limit_window_start(c.limit_window, v_now),
                t.authorized_cents - t.reversed_cents - t.expired_cents, 0),
           v_month_used
           + IF(t.created_at <= limit_window_start('monthly', v_now),
                t.authorized_cents - t.reversed_cents - t.expired_cents, 0)
      INTO v_limit_used, v_month_used
      FROM transactions AS t JOIN cards AS c ON c.id = t.card_id
     WHERE t.id = v_id;
  END IF;
  SELECT v_outcome AS outcome, c.id AS card_id,
         c.public_id AS card_public_id, c.wallet_id, w.mode,
         UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND AS now, c.status,
         c.expires_at, c.pan_sealed, a.status AS account_status, c.type,
         c.locked_merchant, c.allowed_categories,
         c.spending_limit_cents AS limit_cents, c.limit_window,
         v_limit_used AS limit_used_cents,
         b.max_transaction_cents AS bin_max_transaction_cents,
         b.max_monthly_cents AS bin_max_monthly_cents,
         v_month_used AS month_used_cents, c.count_limit, c.approval_count,
         FALSE AS single_use_spent,
         l.balance_cents, t.category,
         EXISTS (SELECT 1 FROM blocked_countries
                  WHERE country = t.merchant_country) AS country_blocked,
         t.public_id AS transaction_public_id, t.id AS transaction_id,
         t.authorized_cents - t.reversed_cents - t.expired_cents
           AS earlier_cents,
         t.status AS transaction_status, v_number AS event_number
    FROM (SELECT 1) AS one
    LEFT JOIN cards AS c ON c.id = v_card
    LEFT JOIN wallets AS w ON w.id = c.wallet_id
    LEFT JOIN accounts AS a ON a.id = w.account_id
    LEFT JOIN bins AS b ON b.id = c.bin_id
    LEFT JOIN ledger_accounts AS l
      ON l.id = IF(c.funding = 'wallet', w.ledger_account_id,
                   c.ledger_account_id)
    LEFT JOIN transactions AS t ON t.id = v_id;
END//

-- Keeps the decision on an increment; a declined one leaves the hold as it is.
-- The card is locked by increment_read in this database transaction. No row.
CREATE OR REPLACE PROCEDURE increment_post(
  IN p_transaction_id BIGINT UNSIGNED, IN p_amount_cents BIGINT,
  IN p_approved BOOLEAN, IN p_response_code CHAR(2) CHARACTER SET ascii,
  IN p_decline_reason VARCHAR(40) CHARACTER SET ascii,
  IN p_decline_reasons LONGTEXT,
  IN p_message_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_card, v_wallet, v_source, v_back, v_hold, v_journal
    BIGINT UNSIGNED;
  DECLARE v_balance BIGINT;
  DECLARE v_now DATETIME;

  SELECT card_id INTO v_card FROM transactions WHERE id = p_transaction_id;
  CALL payment_lock(v_card, v_wallet, v_source, v_back, v_hold, v_now);
  IF p_approved THEN
    CALL payment_post('increment', v_wallet, v_source, v_hold,
                      p_amount_cents, TRUE, v_journal);
    UPDATE cards SET last_used_at = v_now WHERE id = v_card;
  END IF;
  SELECT balance_cents INTO v_balance
    FROM ledger_accounts WHERE id = v_source;
  CALL transaction_change(p_transaction_id,
                          IF(p_approved, p_amount_cents, 0), 0, 0, 0,
                          v_balance, 1, v_now);
  INSERT INTO transaction_events
    (transaction_id, number, type, amount_cents, hold_cents, approved,
     response_code, decline_reason, decline_reasons, message_ref, journal_id,
     balance_after_cents, created_at)
  SELECT id, event_count, 'increment', p_amount_cents,
         IF(p_approved, p_amount_cents, 0), p_approved, p_response_code,
         p_decline_reason, COALESCE(p_decline_reasons, '[]'), p_message_ref,
         v_journal, v_balance, v_now
    FROM transactions WHERE id = p_transaction_id;
  CALL transaction_event(p_transaction_id, v_card,
    IF(p_approved, 'transaction.authorized', 'transaction.declined'),
    v_journal);
  IF p_approved THEN
    CALL payment_freeze(v_card, v_balance, FALSE);
  END IF;
END//

-- Replaces what is held by another amount. Nobody is asked: it may go beyond
-- the funds.
CREATE OR REPLACE PROCEDURE transaction_advice(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_transaction VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_message_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_amount_cents BIGINT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_id, v_card, v_wallet, v_source, v_back, v_hold, v_journal
    BIGINT UNSIGNED;
  DECLARE v_status, v_kind VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_number INT UNSIGNED;
  DECLARE v_held, v_authorized, v_change, v_balance BIGINT;
  DECLARE v_now DATETIME;

  CALL transaction_lock(COALESCE(p_wallet_id, 0), p_transaction,
                        p_network_ref, v_id, v_card, v_wallet, v_source,
                        v_back, v_hold, v_now);
  SELECT status, kind, hold_cents,
         reversed_cents + cleared_cents + expired_cents + p_amount_cents
         - authorized_cents
    INTO v_status, v_kind, v_held, v_authorized
    FROM transaction_rows WHERE id = v_id;
  SET v_change = p_amount_cents - v_held;
  SELECT MAX(number) INTO v_number FROM transaction_events
   WHERE transaction_id = v_id AND type = 'advice'
     AND IF(p_message_ref IS NULL,
            amount_cents = p_amount_cents AND v_change = 0,
            message_ref = p_message_ref);
  SET v_outcome = CASE
    WHEN v_id IS NULL THEN 'original_not_found'
    WHEN v_status = 'declined' THEN 'transaction_declined'
    WHEN v_number IS NOT NULL THEN 'replay'
    WHEN v_kind IN ('refund', 'force_post') THEN 'transaction_settled'
    WHEN p_amount_cents < 0 THEN 'amount_too_small'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    IF v_change > 0 THEN
      CALL payment_post('advice', v_wallet, v_source, v_hold, v_change,
                        FALSE, v_journal);
    ELSEIF v_change < 0 THEN
      CALL payment_post_back('advice', v_wallet, v_hold, v_source, v_back,
                             -v_change, TRUE, v_journal);
    END IF;
    SELECT balance_cents INTO v_balance
      FROM ledger_accounts WHERE id = v_source;
    CALL transaction_change(v_id, v_authorized, 0, 0, 0, v_balance, 1, v_now);
    SELECT event_count INTO v_number FROM transactions WHERE id = v_id;
    INSERT INTO transaction_events
      (transaction_id, number, type, amount_cents, hold_cents, approved,
       response_code, message_ref, journal_id, balance_after_cents,
       created_at)
    VALUES
      (v_id, v_number, 'advice', p_amount_cents, v_change, TRUE, '00',
       p_message_ref, v_journal, v_balance, v_now);
    CALL transaction_event(v_id, v_card, 'transaction.authorized', v_journal);
    CALL payment_freeze(v_card, v_balance, TRUE);
  END IF;
  CALL transaction_answer(v_outcome, v_id, v_number);
END//

-- Posts p_held of the hold and p_beyond of the source to the network, and
-- releases p_rest of the hold.
CREATE OR REPLACE PROCEDURE clearing_post(
  IN p_wallet_id BIGINT UNSIGNED, IN p_card_id BIGINT UNSIGNED,
  IN p_source BIGINT UNSIGNED, IN p_back BIGINT UNSIGNED,
  IN p_hold BIGINT UNSIGNED, IN p_held BIGINT, IN p_beyond BIGINT,
  IN p_rest BIGINT, OUT p_journal_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_network BIGINT UNSIGNED;
  DECLARE v_kind VARCHAR(20) CHARACTER SET ascii;
  DECLARE v_debt BIGINT;

  SELECT network_account(p_card_id) INTO v_network;
  IF p_beyond = 0 AND p_rest = 0 THEN
    CALL ledger_post('clearing', NULL, p_hold, v_network, p_held, TRUE,
                     p_journal_id);
    IF p_journal_id IS NULL THEN
      SIGNAL SQLSTATE '45000'
        SET MESSAGE_TEXT = 'clearing_post: less is held than should be';
    END IF;
  ELSE
    INSERT INTO ledger_journals (kind, created_at)
    VALUES ('clearing', UTC_TIMESTAMP(6));
    SET p_journal_id = LAST_INSERT_ID();
    SELECT payment_debt(p_source, p_back, p_rest) INTO v_debt;
    CALL ledger_leg(p_journal_id, p_source, v_debt - p_beyond);
    CALL ledger_leg(p_journal_id, p_back, p_rest - v_debt);
    SELECT kind INTO v_kind FROM ledger_accounts
     WHERE id = IF(p_beyond > 0, p_source, p_back);
    IF v_kind = 'wallet' THEN
      CALL wallet_spend(p_wallet_id, p_beyond + v_debt - p_rest,
                        @ledger_balance);
    END IF;
    CALL ledger_leg(p_journal_id, p_hold, -(p_held + p_rest));
    CALL ledger_leg(p_journal_id, v_network, p_held + p_beyond);
  END IF;
END//

-- Takes what the merchant claims, whatever is held. p_amount_cents NULL: what
-- is held; where nothing is, the last final clearing is repeated. What a final
-- clearing leaves of the hold is released.
CREATE OR REPLACE PROCEDURE transaction_clear(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_transaction VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_message_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_amount_cents BIGINT, IN p_final BOOLEAN,
  IN p_merchant_amount_cents BIGINT,
  IN p_merchant_currency CHAR(3) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_id, v_card, v_wallet, v_source, v_back, v_hold, v_journal
    BIGINT UNSIGNED;
  DECLARE v_status, v_kind VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_number INT UNSIGNED;
  DECLARE v_open, v_amount, v_held, v_rest, v_balance BIGINT;
  DECLARE v_now DATETIME;

  CALL transaction_lock(COALESCE(p_wallet_id, 0), p_transaction,
                        p_network_ref, v_id, v_card, v_wallet, v_source,
                        v_back, v_hold, v_now);
  SELECT status, kind, hold_cents INTO v_status, v_kind, v_open
    FROM transaction_rows WHERE id = v_id;
  SET v_amount = COALESCE(p_amount_cents, NULLIF(v_open, 0));
  SELECT IF(p_amount_cents IS NULL, MAX(number), MIN(number))
    INTO v_number FROM transaction_events
   WHERE transaction_id = v_id AND type = 'clearing'
     AND IF(p_message_ref IS NULL,
            final AND p_final
            AND IF(p_amount_cents IS NULL, v_open = 0,
                   amount_cents = p_amount_cents),
            message_ref = p_message_ref);
  SET v_outcome = CASE
    WHEN v_id IS NULL THEN 'original_not_found'
    WHEN v_status = 'declined' THEN 'transaction_declined'
    WHEN v_number IS NOT NULL THEN 'replay'
    WHEN v_kind = 'refund' THEN 'transaction_settled'
    WHEN v_amount IS NULL THEN 'missing_parameter'
    WHEN v_amount < 1 THEN 'amount_too_small'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    SET v_held = LEAST(v_open, v_amount);
    SET v_rest = IF(p_final, v_open - v_held, 0);
    CALL clearing_post(v_wallet, v_card, v_source, v_back, v_hold, v_held,
                       v_amount - v_held, v_rest, v_journal);
    SELECT balance_cents INTO v_balance
      FROM ledger_accounts WHERE id = v_source;
    CALL transaction_change(v_id, 0, v_rest, v_amount, 0, v_balance,
                            1 + (v_rest > 0), v_now);
    SELECT event_count - (v_rest > 0) INTO v_number
      FROM transactions WHERE id = v_id;
    INSERT INTO transaction_events
      (transaction_id, number, type, amount_cents, hold_cents, approved,
       final, response_code, message_ref, journal_id, balance_after_cents,
       created_at)
    VALUES
      (v_id, v_number, 'clearing', v_amount, -v_held, TRUE, p_final, '00',
       p_message_ref, v_journal, v_balance, v_now);
    IF v_rest > 0 THEN
      INSERT INTO transaction_events
        (transaction_id, number, type, amount_cents, hold_cents, approved,
         response_code, journal_id, balance_after_cents, created_at)
      VALUES
        (v_id, v_number + 1, 'release', v_rest, -v_rest, TRUE, '00',
         v_journal, v_balance, v_now);
    END IF;
    IF p_merchant_amount_cents IS NOT NULL THEN
      UPDATE transactions
         SET merchant_amount_cents = p_merchant_amount_cents,
             merchant_currency = p_merchant_currency
       WHERE id = v_id;
    END IF;
    CALL transaction_event(v_id, v_card, 'transaction.settled', v_journal);
    CALL payment_freeze(v_card, v_balance, TRUE);
  END IF;
  CALL transaction_answer(v_outcome, v_id, v_number);
END//

-- Takes back what is held, or a part of it. p_amount_cents NULL: all. On
-- original_not_found the network's caller commits: the reversal is kept, and
-- takes effect when its authorization comes. Repeated after that it is answered
-- by its event or, where nothing was held any more, by number 0.
CREATE OR REPLACE PROCEDURE transaction_reverse(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_transaction VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_message_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_amount_cents BIGINT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_scope BIGINT UNSIGNED DEFAULT COALESCE(p_wallet_id, 0);
  DECLARE v_id, v_card, v_wallet, v_source, v_back, v_hold BIGINT UNSIGNED;
  DECLARE v_answered BOOLEAN;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_number INT UNSIGNED;
  DECLARE v_open BIGINT;
  DECLARE v_now DATETIME;

  IF p_transaction IS NULL AND COALESCE(p_amount_cents, 1) > 0 THEN
    CALL network_ref_claim(v_scope, p_network_ref, v_answered, v_id);
    IF NOT v_answered THEN
      UPDATE network_refs SET reversal_waiting = TRUE
       WHERE scope = v_scope AND network_ref = p_network_ref;
      -- Unless it is a repetition, as below.
      INSERT INTO early_reversals
        (scope, network_ref, number, message_ref, amount_cents, created_at)
      SELECT v_scope, p_network_ref, COUNT(*) + 1, p_message_ref,
             p_amount_cents, UTC_TIMESTAMP()
        FROM early_reversals
       WHERE scope = v_scope AND network_ref = p_network_ref
      HAVING COALESCE(MAX(IF(p_message_ref IS NULL,
                             amount_cents <=> p_amount_cents,
                             message_ref <=> p_message_ref)), 0) = 0;
    END IF;
  END IF;
  CALL transaction_lock(v_scope, p_transaction, p_network_ref, v_id, v_card,
                        v_wallet, v_source, v_back, v_hold, v_now);
  SELECT status, hold_cents INTO v_status, v_open
    FROM transaction_rows WHERE id = v_id;
  SELECT IF(p_amount_cents IS NULL, MAX(number), MIN(number))
    INTO v_number FROM transaction_events AS e
   WHERE transaction_id = v_id AND type = 'reversal'
     AND CASE WHEN p_message_ref IS NOT NULL
              THEN message_ref = p_message_ref
              WHEN p_amount_cents IS NULL
              -- One of all: it left nothing held.
              THEN v_open = 0
                   AND (SELECT SUM(earlier.hold_cents)
                          FROM transaction_events AS earlier
                         WHERE earlier.transaction_id = e.transaction_id
                           AND earlier.number <= e.number) = 0
              ELSE amount_cents = p_amount_cents END;
  IF v_number IS NULL THEN
    -- 0: those before it had released all.
    SELECT COALESCE(event_number,
                    (SELECT 0 FROM early_reversals
                      WHERE scope = v_scope AND network_ref = p_network_ref
                        AND number = 1 AND event_number IS NOT NULL))
      INTO v_number FROM early_reversals
     WHERE scope = v_scope AND network_ref = p_network_ref
       AND IF(p_message_ref IS NULL, amount_cents = p_amount_cents,
              message_ref = p_message_ref)
     ORDER BY number LIMIT 1;
  END IF;
  SET v_outcome = CASE
    WHEN v_id IS NULL THEN 'original_not_found'
    WHEN v_status = 'declined' THEN 'transaction_declined'
    WHEN v_number IS NOT NULL THEN 'replay'
    WHEN v_status IN ('settled', 'refunded') THEN 'transaction_settled'
    WHEN p_amount_cents < 1 THEN 'amount_too_small'
    WHEN v_open = 0 OR p_amount_cents > v_open THEN 'over_reversal'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    CALL transaction_release(v_id, v_card, 'reversal',
                             COALESCE(p_amount_cents, v_open), p_message_ref,
                             v_source, v_back, v_hold, v_now);
    SELECT event_count INTO v_number FROM transactions WHERE id = v_id;
  END IF;
  CALL transaction_answer(v_outcome, v_id, v_number);
END//

-- A clearing that no authorization came before. invalid_parameter: the
-- reference has answered another kind of message; so does refund.
CREATE OR REPLACE PROCEDURE force_post(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_card_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_pan_hash BINARY(32),
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_amount_cents BIGINT, IN p_merchant_name VARCHAR(128),
  IN p_mcc CHAR(4) CHARACTER SET ascii,
  IN p_country CHAR(2) CHARACTER SET ascii, IN p_city VARCHAR(64),
  IN p_merchant_id VARCHAR(64))
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_scope BIGINT UNSIGNED DEFAULT COALESCE(p_wallet_id, 0);
  DECLARE v_id, v_card, v_wallet, v_source, v_back, v_hold, v_network,
          v_journal BIGINT UNSIGNED;
  DECLARE v_category VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_answered BOOLEAN;
  DECLARE v_first VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_balance BIGINT;
  DECLARE v_now DATETIME;

  CALL network_ref_claim(v_scope, p_network_ref, v_answered, v_id);
  IF v_answered THEN
    SELECT kind INTO v_first FROM transactions WHERE id = v_id;
  ELSE
    CALL payment_card(v_scope, p_card_public_id, p_pan_hash, v_card);
  END IF;
  SET v_outcome = CASE
    WHEN v_first = 'force_post' THEN 'replay'
    WHEN v_answered THEN 'invalid_parameter'
    WHEN v_card IS NULL THEN 'not_found'
    WHEN p_amount_cents < 1 THEN 'amount_too_small'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    CALL payment_lock(v_card, v_wallet, v_source, v_back, v_hold, v_now);
    SELECT network_account(v_card), mcc_category(p_mcc)
      INTO v_network, v_category;
    CALL payment_post('force_post', v_wallet, v_source, v_network,
                      p_amount_cents, FALSE, v_journal);
    SELECT balance_cents INTO v_balance
      FROM ledger_accounts WHERE id = v_source;
    INSERT INTO transactions
      (public_id, wallet_id, card_id, network_ref, kind, type, status,
       requested_cents, authorized_cents, cleared_cents,
       balance_after_cents, event_count, merchant_name, merchant_mcc,
       merchant_country, merchant_city, merchant_id, category, response_code,
       created_at, updated_at)
    VALUES
      (p_public_id, v_wallet, v_card, p_network_ref, 'force_post',
       'settlement', 'settled', p_amount_cents, p_amount_cents,
       p_amount_cents, v_balance, 1, p_merchant_name, p_mcc, p_country,
       p_city, p_merchant_id, v_category, '00', v_now, v_now);
    SET v_id = LAST_INSERT_ID();
    INSERT INTO transaction_events
      (transaction_id, number, type, amount_cents, hold_cents, approved,
       response_code, journal_id, balance_after_cents, created_at)
    VALUES
      (v_id, 1, 'force_post', p_amount_cents, 0, TRUE, '00', v_journal,
       v_balance, v_now);
    CALL transaction_count_add(v_wallet, v_card, 'settlement');
    CALL card_use(v_card, v_now, p_amount_cents);
    UPDATE cards SET transaction_count = transaction_count + 1,
                     total_spent_cents = total_spent_cents + p_amount_cents,
                     used_cents = used_cents + p_amount_cents,
                     last_used_at = v_now
     WHERE id = v_card;
    CALL network_ref_answer(p_network_ref, v_id);
    CALL transaction_event(v_id, v_card, 'transaction.settled', v_journal);
    CALL payment_freeze(v_card, v_balance, TRUE);
  END IF;
  CALL transaction_answer(v_outcome, v_id, 1);
END//

-- Money back, at once. Where it names the purchase, by id or by reference, it
-- is of that card, and no more than was cleared and not given back yet; what
-- it does not say of the merchant is the purchase's.
CREATE OR REPLACE PROCEDURE refund(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_card_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_pan_hash BINARY(32),
  IN p_original_transaction VARCHAR(32)
    CHARACTER SET ascii COLLATE ascii_bin,
  IN p_original_network_ref VARCHAR(64)
    CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_amount_cents BIGINT, IN p_merchant_name VARCHAR(128),
  IN p_mcc CHAR(4) CHARACTER SET ascii,
  IN p_country CHAR(2) CHARACTER SET ascii, IN p_city VARCHAR(64),
  IN p_merchant_id VARCHAR(64))
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_scope BIGINT UNSIGNED DEFAULT COALESCE(p_wallet_id, 0);
  DECLARE v_linked BOOLEAN DEFAULT p_original_transaction IS NOT NULL
                                   OR p_original_network_ref IS NOT NULL;
  DECLARE v_names BOOLEAN DEFAULT p_card_public_id IS NOT NULL
                                  OR p_pan_hash IS NOT NULL;
  DECLARE v_id, v_original, v_card, v_named, v_wallet, v_source, v_back,
          v_hold, v_network, v_journal BIGINT UNSIGNED;
  DECLARE v_answered BOOLEAN;
  DECLARE v_first, v_kind VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_room, v_balance BIGINT;
  DECLARE v_now DATETIME;

  CALL network_ref_claim(v_scope, p_network_ref, v_answered, v_id);
  IF v_answered THEN
    SELECT kind INTO v_first FROM transactions WHERE id = v_id;
  ELSE
    CALL payment_card(v_scope, p_card_public_id, p_pan_hash, v_named);
    SET v_card = v_named;
    IF p_original_transaction IS NOT NULL THEN
      SELECT id INTO v_original FROM transactions
       WHERE public_id = p_original_transaction
         AND (v_scope = 0 OR wallet_id = v_scope);
    ELSEIF p_original_network_ref IS NOT NULL THEN
      SELECT transaction_id INTO v_original FROM network_refs
       WHERE scope = v_scope AND network_ref = p_original_network_ref;
    END IF;
    IF v_original IS NOT NULL THEN
      SELECT card_id INTO v_card FROM transactions WHERE id = v_original;
    END IF;
    IF v_card IS NOT NULL THEN
      CALL payment_lock(v_card, v_wallet, v_source, v_back, v_hold, v_now);
    END IF;
    IF v_original IS NOT NULL THEN
      SELECT kind, cleared_cents - refunded_cents INTO v_kind, v_room
        FROM transactions WHERE id = v_original FOR UPDATE;
    END IF;
  END IF;
  SET v_outcome = CASE
    WHEN v_first = 'refund' THEN 'replay'
    WHEN v_answered THEN 'invalid_parameter'
    WHEN v_linked AND (v_original IS NULL OR v_kind = 'refund'
                       OR v_names AND NOT v_named <=> v_card)
    THEN 'original_not_found'
    WHEN v_card IS NULL THEN 'not_found'
    WHEN p_amount_cents < 1 THEN 'amount_too_small'
    WHEN p_amount_cents > v_room THEN 'refund_exceeds_purchase'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    SELECT network_account(v_card) INTO v_network;
    CALL payment_post_back('refund', v_wallet, v_network, v_source, v_back,
                           p_amount_cents, FALSE, v_journal);
    SELECT balance_cents INTO v_balance
      FROM ledger_accounts WHERE id = v_source;
    INSERT INTO transactions
      (public_id, wallet_id, card_id, network_ref, kind, type, status,
       requested_cents, balance_after_cents, event_count, merchant_name,
       merchant_mcc, merchant_country, merchant_city, merchant_id, category,
       response_code, original_transaction_id, created_at, updated_at)
    SELECT p_public_id, v_wallet, v_card, p_network_ref, 'refund', 'refund',
           'settled', p_amount_cents, v_balance, 1,
           COALESCE(p_merchant_name, o.merchant_name),
           COALESCE(p_mcc, o.merchant_mcc),
           COALESCE(p_country, o.merchant_country),
           COALESCE(p_city, o.merchant_city),
           COALESCE(p_merchant_id, o.merchant_id),
           COALESCE(mcc_category(p_mcc), o.category), '00', v_original,
           v_now, v_now
      FROM (SELECT 1) AS one
      LEFT JOIN transactions AS o ON o.id = v_original;
    SET v_id = LAST_INSERT_ID();
    INSERT INTO transaction_events
      (transaction_id, number, type, amount_cents, hold_cents, approved,
       response_code, journal_id, balance_after_cents, created_at)
    VALUES
      (v_id, 1, 'refund', p_amount_cents, 0, TRUE, '00', v_journal,
       v_balance, v_now);
    UPDATE transactions
       SET refunded_cents = refunded_cents + p_amount_cents,
           status = IF(status = 'settled' AND refunded_cents = cleared_cents,
                       'refunded', status),
           updated_at = v_now
     WHERE id = v_original;
    CALL transaction_count_add(v_wallet, v_card, 'refund');
    UPDATE cards SET transaction_count = transaction_count + 1,
                     total_spent_cents = total_spent_cents - p_amount_cents
     WHERE id = v_card;
    CALL network_ref_answer(p_network_ref, v_id);
    CALL transaction_event(v_id, v_card, 'transaction.refunded', v_journal);
    CALL payment_freeze(v_card, v_balance, FALSE);
  END IF;
  CALL transaction_answer(v_outcome, v_id, 1);
END//

-- Takes a refund back, or a part of it, whatever the source holds: the
-- network's mistakes are the network's to settle. p_amount_cents NULL: all that
-- is left of it. The purchase that it named can be refunded again by as much.
CREATE OR REPLACE PROCEDURE refund_reverse(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_transaction VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_network_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_message_ref VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_amount_cents BIGINT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_id, v_original, v_card, v_wallet, v_source, v_back, v_hold,
          v_network, v_journal BIGINT UNSIGNED;
  DECLARE v_kind VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_number INT UNSIGNED;
  DECLARE v_left, v_amount, v_balance BIGINT;
  DECLARE v_now DATETIME;

  CALL transaction_lock(COALESCE(p_wallet_id, 0), p_transaction,
                        p_network_ref, v_id, v_card, v_wallet, v_source,
                        v_back, v_hold, v_now);
  SELECT kind, requested_cents - reversed_cents, original_transaction_id
    INTO v_kind, v_left, v_original
    FROM transactions WHERE id = v_id;
  SET v_amount = COALESCE(p_amount_cents, v_left);
  SELECT IF(p_amount_cents IS NULL, MAX(number), MIN(number))
    INTO v_number FROM transaction_events
   WHERE transaction_id = v_id AND type = 'refund_reversal'
     AND CASE WHEN p_message_ref IS NOT NULL
              THEN message_ref = p_message_ref
              WHEN p_amount_cents IS NULL THEN v_left = 0
              ELSE amount_cents = p_amount_cents END;
  SET v_outcome = CASE
    WHEN v_id IS NULL OR v_kind <> 'refund' THEN 'original_not_found'
    WHEN v_number IS NOT NULL THEN 'replay'
    WHEN p_amount_cents < 1 THEN 'amount_too_small'
    WHEN v_left = 0 OR v_amount > v_left THEN 'over_reversal'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    SELECT network_account(v_card) INTO v_network;
    CALL payment_post('refund_reversal', v_wallet, v_back, v_network,
                      v_amount, FALSE, v_journal);
    SELECT balance_cents INTO v_balance
      FROM ledger_accounts WHERE id = v_source;
    UPDATE transactions
       SET reversed_cents = reversed_cents + v_amount,
           status = IF(reversed_cents < requested_cents, 'settled', 'voided'),
           balance_after_cents = v_balance, event_count = event_count + 1,
           updated_at = v_now
     WHERE id = v_id;
    SELECT event_count INTO v_number FROM transactions WHERE id = v_id;
    INSERT INTO transaction_events
      (transaction_id, number, type, amount_cents, hold_cents, approved,
       response_code, message_ref, journal_id, balance_after_cents,
       created_at)
    VALUES
      (v_id, v_number, 'refund_reversal', v_amount, 0, TRUE, '00',
       p_message_ref, v_journal, v_balance, v_now);
    UPDATE transactions
       SET refunded_cents = refunded_cents - v_amount,
           status = IF(status = 'refunded', 'settled', status),
           updated_at = v_now
     WHERE id = v_original;
    UPDATE cards SET total_spent_cents = total_spent_cents + v_amount
     WHERE id = v_card;
    CALL transaction_event(v_id, v_card, 'transaction.reversed', v_journal);
    CALL payment_freeze(v_card, v_balance, TRUE);
  END IF;
  CALL transaction_answer(v_outcome, v_id, v_number);
END//

-- Releases what time has taken, if it is due; p_done tells.
CREATE OR REPLACE PROCEDURE transaction_expire(
  IN p_id BIGINT UNSIGNED, OUT p_done BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_card, v_wallet, v_source, v_back, v_hold BIGINT UNSIGNED;
  DECLARE v_open BIGINT;
  DECLARE v_due, v_now DATETIME;

  SELECT card_id INTO v_card FROM transactions WHERE id = p_id;
  CALL payment_lock(v_card, v_wallet, v_source, v_back, v_hold, v_now);
  SELECT hold_expires_at,
         authorized_cents - reversed_cents - cleared_cents - expired_cents
    INTO v_due, v_open FROM transactions WHERE id = p_id FOR UPDATE;
  SET p_done = COALESCE(v_due <= v_now, FALSE);
  IF p_done THEN
    CALL transaction_release(p_id, v_card, 'expiry', v_open, NULL, v_source,
                             v_back, v_hold, v_now);
  END IF;
END//

DELIMITER ;
