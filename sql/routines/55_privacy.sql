-- SPDX-License-Identifier: Apache-2.0
-- What the Privacy dialect asks of cards beyond the routines of 40_cards.

DELIMITER //

-- What one request of that dialect changes of a card, all or nothing; NULL
-- leaves as it is. p_status: active, frozen or terminated.
CREATE OR REPLACE PROCEDURE card_change(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_status VARCHAR(16) CHARACTER SET ascii, IN p_label VARCHAR(255),
  IN p_spending_limit_cents BIGINT,
  IN p_limit_window VARCHAR(16) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_bin VARCHAR(8) CHARACTER SET ascii;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_reason VARCHAR(20) CHARACTER SET ascii;
  DECLARE v_card, v_wallet_account, v_card_account BIGINT UNSIGNED;
  DECLARE v_balance, v_refunded BIGINT;
  DECLARE v_now DATETIME;

  IF p_status IS NOT NULL THEN
    -- What changes a state locks the wallet before the card.
    CALL card_lock(p_wallet_id, p_public_id, v_card, v_bin, v_status,
                   v_reason, v_balance, v_wallet_account, v_card_account,
                   v_now);
  END IF;
  IF p_status IS NULL
     OR COALESCE(p_label, p_spending_limit_cents, p_limit_window) IS NOT NULL
  THEN
    CALL card_update_apply(p_wallet_id, p_public_id, p_label,
                           p_spending_limit_cents, p_limit_window, FALSE,
                           NULL, NULL, NULL, v_outcome, v_card);
  END IF;
  IF v_outcome = 'ok' AND p_status = 'active' THEN
    CALL card_unfreeze_apply(p_wallet_id, p_public_id, FALSE, v_outcome,
                             v_card);
  ELSEIF v_outcome = 'ok' AND p_status = 'frozen' THEN
    CALL card_freeze_apply(p_wallet_id, p_public_id, 'customer', v_outcome,
                           v_card);
  ELSEIF v_outcome = 'ok' AND p_status = 'terminated' THEN
    CALL card_terminate_apply(p_wallet_id, p_public_id, v_outcome, v_card,
                              v_refunded);
  END IF;
  CALL card_answer(v_outcome, v_card);
END//

-- Hands out the sealed numbers of a reply's cards (a JSON list of row ids), in
-- the list's order, and notes with one row who asked: of one card by its id, of
-- a list by its account, with the list's first and last and their count.
CREATE OR REPLACE PROCEDURE card_numbers_read(
  IN p_wallet_id BIGINT UNSIGNED, IN p_cards LONGTEXT,
  IN p_action VARCHAR(40) CHARACTER SET ascii,
  IN p_key_public_id VARCHAR(32) CHARACTER SET ascii,
  IN p_address VARCHAR(45) CHARACTER SET ascii,
  IN p_request_id VARCHAR(17) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_count INT DEFAULT JSON_LENGTH(p_cards);
  DECLARE v_first, v_last VARCHAR(32) CHARACTER SET ascii;
  DECLARE v_account VARCHAR(32) CHARACTER SET ascii;

  IF v_count > 0 THEN
    SELECT a.public_id,
           (SELECT public_id FROM cards
             WHERE id = JSON_VALUE(p_cards, '$[0]')
               AND wallet_id = p_wallet_id),
           (SELECT public_id FROM cards
             WHERE id = JSON_VALUE(p_cards, CONCAT('$[', v_count - 1, ']'))
               AND wallet_id = p_wallet_id)
      INTO v_account, v_first, v_last
      FROM wallets AS w JOIN accounts AS a ON a.id = w.account_id
     WHERE w.id = p_wallet_id;
    INSERT INTO audit_log
      (at, actor, action, subject, detail, address, request_id)
    VALUES
      (UTC_TIMESTAMP(6), p_key_public_id, p_action,
       IF(v_count = 1, COALESCE(v_first, v_account), v_account),
       IF(v_count = 1, '{}',
          JSON_OBJECT('cards', v_count + 0, 'first', v_first,
                      'last', v_last)),
       p_address, p_request_id);
  END IF;
  SELECT c.id, c.pan_sealed
    FROM JSON_TABLE(COALESCE(p_cards, '[]'), '$[*]'
           COLUMNS (place FOR ORDINALITY, id BIGINT UNSIGNED PATH '$'))
         AS asked
    STRAIGHT_JOIN cards AS c ON c.id = asked.id AND c.wallet_id = p_wallet_id
   ORDER BY asked.place;
END//

-- Whoever signs a request for a card's picture holds one of these keys. No row:
-- there is no such card.
CREATE OR REPLACE PROCEDURE embed_read(
  IN p_card_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
READS SQL DATA
SELECT c.id AS card_id, c.wallet_id, c.last4, c.expires_at,
       a.public_id AS account_public_id, a.status AS account_status,
       k.public_id AS key_public_id, k.key_sealed,
       FIND_IN_SET('cards:details', k.scopes) > 0 AS shows_numbers
  FROM cards AS c
  JOIN wallets AS w ON w.id = c.wallet_id
  JOIN accounts AS a ON a.id = w.account_id
  LEFT JOIN api_keys AS k
    ON k.wallet_id = c.wallet_id AND k.dialect = 'privacy'
   AND k.key_sealed IS NOT NULL AND k.revoked_at IS NULL
   AND (k.expires_at IS NULL OR k.expires_at > UTC_TIMESTAMP())
 WHERE c.public_id = p_card_public_id
 ORDER BY k.id//

DELIMITER ;
