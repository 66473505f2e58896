-- SPDX-License-Identifier: Apache-2.0
-- The ledger: how money moves, and what may never be changed.
--
-- Whoever moves money or changes a card's state locks in this order, so that
-- no two wait for each other: the wallet, its ledger account, the card, the
-- card's ledger account, the deposit, the operator's ledger accounts.

DELIMITER //

-- Wallet time: test wallets may run ahead.
CREATE OR REPLACE FUNCTION wallet_now(p_clock_offset_s BIGINT)
RETURNS DATETIME NO SQL
RETURN UTC_TIMESTAMP() + INTERVAL p_clock_offset_s SECOND//

-- Up to 40 uniformly random characters: the two signs of base64 that are not
-- letters or digits are drawn away, what remains is as random as it was.
CREATE OR REPLACE FUNCTION random_base62(p_length INT)
RETURNS VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NO SQL
RETURN LEFT(REPLACE(REPLACE(TO_BASE64(RANDOM_BYTES(57)), '+', ''), '/', ''),
            p_length)//

-- The row of the operator's account that a wallet's movements use. For SELECT:
-- in a SET, an IF or a CALL it would lock that row, shared.
CREATE OR REPLACE FUNCTION operator_account(
  p_kind VARCHAR(20) CHARACTER SET ascii, p_wallet_id BIGINT UNSIGNED)
RETURNS BIGINT UNSIGNED READS SQL DATA
RETURN (SELECT l.id FROM wallets AS w
          JOIN ledger_accounts AS l
            ON l.owner_key = CONVERT(CONCAT(p_kind, ':', w.mode, ':s',
                                            p_wallet_id MOD 16) USING ascii)
         WHERE w.id = p_wallet_id)//

-- Moves cents from p_debit to p_credit. Guarded: only where p_debit holds as
-- much. p_journal_id is NULL when it did not, and nothing has been written.
-- Both rows are changed by relative amounts in one statement; what they were
-- is captured while their locks are held.
CREATE OR REPLACE PROCEDURE ledger_post(
  IN p_kind VARCHAR(20) CHARACTER SET ascii,
  IN p_reference VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_debit BIGINT UNSIGNED, IN p_credit BIGINT UNSIGNED,
  IN p_cents BIGINT, IN p_guarded BOOLEAN, OUT p_journal_id BIGINT UNSIGNED)
MODIFIES SQL DATA
post: BEGIN
  SET p_journal_id = NULL;
  IF p_cents <= 0 OR p_debit = p_credit THEN
    SIGNAL SQLSTATE '45000'
      SET MESSAGE_TEXT = 'ledger_post: cents must be positive, the accounts two';
  END IF;
  UPDATE ledger_accounts
     SET balance_cents = (@ledger_debit_balance := balance_cents - p_cents),
         entry_count = (@ledger_debit_number := entry_count + 1)
   WHERE id = p_debit AND (NOT p_guarded OR balance_cents >= p_cents);
  IF ROW_COUNT() = 0 THEN
    LEAVE post;
  END IF;
  UPDATE ledger_accounts
     SET balance_cents = (@ledger_credit_balance := balance_cents + p_cents),
         entry_count = (@ledger_credit_number := entry_count + 1)
   WHERE id = p_credit;
  IF ROW_COUNT() = 0 THEN
    SIGNAL SQLSTATE '45000'
      SET MESSAGE_TEXT = 'ledger_post: no such account to credit';
  END IF;
  INSERT INTO ledger_journals (kind, reference, created_at)
  VALUES (p_kind, p_reference, UTC_TIMESTAMP(6));
  SET p_journal_id = LAST_INSERT_ID();
  INSERT INTO ledger_entries
    (ledger_account_id, number, journal_id, amount_cents, balance_cents)
  VALUES
    (p_debit, @ledger_debit_number, p_journal_id, -p_cents,
     @ledger_debit_balance),
    (p_credit, @ledger_credit_number, p_journal_id, p_cents,
     @ledger_credit_balance);
END//

-- One leg of a journal of more than two; nothing for zero cents.
CREATE OR REPLACE PROCEDURE ledger_leg(
  IN p_journal_id BIGINT UNSIGNED, IN p_account BIGINT UNSIGNED,
  IN p_cents BIGINT)
MODIFIES SQL DATA
leg: BEGIN
  IF p_cents = 0 THEN
    LEAVE leg;
  END IF;
  UPDATE ledger_accounts
     SET balance_cents = (@ledger_balance := balance_cents + p_cents),
         entry_count = (@ledger_number := entry_count + 1)
   WHERE id = p_account;
  IF ROW_COUNT() = 0 THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ledger_leg: no such account';
  END IF;
  INSERT INTO ledger_entries
    (ledger_account_id, number, journal_id, amount_cents, balance_cents)
  VALUES (p_account, @ledger_number, p_journal_id, p_cents, @ledger_balance);
END//

-- A deposit: the whole from p_debit, shared between p_credit and the fee.
CREATE OR REPLACE PROCEDURE ledger_post_with_fee(
  IN p_kind VARCHAR(20) CHARACTER SET ascii,
  IN p_reference VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_debit BIGINT UNSIGNED, IN p_credit BIGINT UNSIGNED,
  IN p_credit_cents BIGINT, IN p_fee BIGINT UNSIGNED, IN p_fee_cents BIGINT,
  OUT p_journal_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  IF p_credit_cents < 0 OR p_fee_cents < 0
     OR p_credit_cents + p_fee_cents = 0 THEN
    SIGNAL SQLSTATE '45000'
      SET MESSAGE_TEXT = 'ledger_post_with_fee: nothing to post';
  END IF;
  INSERT INTO ledger_journals (kind, reference, created_at)
  VALUES (p_kind, p_reference, UTC_TIMESTAMP(6));
  SET p_journal_id = LAST_INSERT_ID();
  CALL ledger_leg(p_journal_id, p_credit, p_credit_cents);
  CALL ledger_leg(p_journal_id, p_debit, -(p_credit_cents + p_fee_cents));
  CALL ledger_leg(p_journal_id, p_fee, p_fee_cents);
END//

-- Grants do the work for everyone else; these stop the owner's own mistakes.
CREATE OR REPLACE TRIGGER ledger_journals_no_update
BEFORE UPDATE ON ledger_journals FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ledger_journals is append-only'//
CREATE OR REPLACE TRIGGER ledger_journals_no_delete
BEFORE DELETE ON ledger_journals FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ledger_journals is append-only'//
CREATE OR REPLACE TRIGGER ledger_entries_no_update
BEFORE UPDATE ON ledger_entries FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ledger_entries is append-only'//
CREATE OR REPLACE TRIGGER ledger_entries_no_delete
BEFORE DELETE ON ledger_entries FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ledger_entries is append-only'//
CREATE OR REPLACE TRIGGER ledger_seals_no_update
BEFORE UPDATE ON ledger_seals FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ledger_seals is append-only'//
CREATE OR REPLACE TRIGGER ledger_seals_no_delete
BEFORE DELETE ON ledger_seals FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'ledger_seals is append-only'//
CREATE OR REPLACE TRIGGER audit_log_no_update
BEFORE UPDATE ON audit_log FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'audit_log is append-only'//
CREATE OR REPLACE TRIGGER audit_log_no_delete
BEFORE DELETE ON audit_log FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'audit_log is append-only'//

DELIMITER ;
