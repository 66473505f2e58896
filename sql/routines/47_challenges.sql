-- SPDX-License-Identifier: Apache-2.0
-- 3-D Secure: a challenge, its three tries, its five minutes.

DELIMITER //

-- Numbers an event of the challenge's card and writes it with the challenge as
-- it is now. The caller holds the card's row.
CREATE OR REPLACE PROCEDURE challenge_event(
  IN p_challenge_id BIGINT UNSIGNED, IN p_card_id BIGINT UNSIGNED,
  IN p_type VARCHAR(32) CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  UPDATE cards SET event_sequence = (@card_sequence := event_sequence + 1)
   WHERE id = p_card_id;
  INSERT INTO events (public_id, wallet_id, card_id, sequence, type, snapshot,
                      created_at)
  SELECT CONCAT('evt_', random_base62(20)), h.wallet_id, p_card_id,
         @card_sequence, p_type, h.snapshot,
         UTC_TIMESTAMP(6) + INTERVAL w.clock_offset_s SECOND
    FROM challenge_snapshots AS h JOIN wallets AS w ON w.id = h.wallet_id
   WHERE h.id = p_challenge_id;
END//

CREATE OR REPLACE PROCEDURE challenge_row_answer(
  IN p_outcome VARCHAR(40) CHARACTER SET ascii,
  IN p_challenge_id BIGINT UNSIGNED)
READS SQL DATA
SELECT p_outcome AS outcome, h.id, h.public_id, h.wallet_id,
       h.card_public_id, h.merchant, h.amount_cents, h.otp_sealed, h.status,
       h.tries, h.expires_at, h.completed_at, h.created_at
  FROM (SELECT 1) AS one
  LEFT JOIN challenge_rows AS h
    ON h.id = IF(p_outcome = 'ok', p_challenge_id, NULL)//

CREATE OR REPLACE PROCEDURE challenge_create(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_card_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_pan_hash BINARY(32),
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_otp_sealed VARBINARY(64), IN p_merchant VARCHAR(128),
  IN p_amount_cents BIGINT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_card, v_wallet BIGINT UNSIGNED;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  CALL payment_card(COALESCE(p_wallet_id, 0), p_card_public_id, p_pan_hash,
                    v_card);
  SELECT wallet_id, status INTO v_wallet, v_status
    FROM cards WHERE id = v_card FOR UPDATE;
  SET v_outcome = CASE
    WHEN v_card IS NULL THEN 'not_found'
    WHEN v_status = 'terminated' THEN 'card_terminated'
    WHEN p_amount_cents < 0 THEN 'amount_too_small'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    SELECT wallet_now(clock_offset_s) INTO v_now
      FROM wallets WHERE id = v_wallet;
    INSERT INTO challenges (public_id, wallet_id, card_id, merchant,
                            amount_cents, otp_sealed, expires_at, created_at)
    VALUES (p_public_id, v_wallet, v_card, p_merchant, p_amount_cents,
            p_otp_sealed, v_now + INTERVAL 5 MINUTE, v_now);
    SET v_id = LAST_INSERT_ID();
    CALL challenge_event(v_id, v_card, '3ds.challenge');
  END IF;
  CALL challenge_row_answer(v_outcome, v_id);
END//

-- Locks the challenge's card and itself.
CREATE OR REPLACE PROCEDURE challenge_lock(
  IN p_scope BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_id BIGINT UNSIGNED, OUT p_card_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_locked BIGINT UNSIGNED;

  SET p_id = NULL, p_card_id = NULL;
  SELECT id, card_id INTO p_id, p_card_id FROM challenges
   WHERE public_id = p_public_id AND (p_scope = 0 OR wallet_id = p_scope);
  SELECT id INTO v_locked FROM cards WHERE id = p_card_id FOR UPDATE;
  SELECT id INTO v_locked FROM challenges WHERE id = p_id FOR UPDATE;
END//

-- For whoever compares the code; the lock is held until challenge_answer.
CREATE OR REPLACE PROCEDURE challenge_read(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id, v_card BIGINT UNSIGNED;

  CALL challenge_lock(COALESCE(p_wallet_id, 0), p_public_id, v_id, v_card);
  CALL challenge_row_answer(IF(v_id IS NULL, 'not_found', 'ok'), v_id);
END//

-- Ends a challenge whose time is over; p_done tells. The caller holds the card
-- and the challenge.
CREATE OR REPLACE PROCEDURE challenge_expire(
  IN p_id BIGINT UNSIGNED, IN p_card_id BIGINT UNSIGNED, OUT p_done BOOLEAN)
MODIFIES SQL DATA
BEGIN
  UPDATE challenges AS h JOIN wallets AS w ON w.id = h.wallet_id
     SET h.status = 'expired'
   WHERE h.id = p_id AND h.status = 'pending'
     AND h.expires_at <= wallet_now(w.clock_offset_s);
  SET p_done = ROW_COUNT() > 0;
  IF p_done THEN
    CALL challenge_event(p_id, p_card_id, '3ds.expired');
  END IF;
END//

-- The right code completes it, the third wrong one ends it. One that has ended
-- stays as it is: its status is the answer.
CREATE OR REPLACE PROCEDURE challenge_answer(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_matched BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id, v_card BIGINT UNSIGNED;
  DECLARE v_expired BOOLEAN;
  DECLARE v_status VARCHAR(16) CHARACTER SET ascii;

  CALL challenge_lock(COALESCE(p_wallet_id, 0), p_public_id, v_id, v_card);
  IF v_id IS NOT NULL THEN
    CALL challenge_expire(v_id, v_card, v_expired);
    SELECT status INTO v_status FROM challenges WHERE id = v_id;
    IF v_status = 'pending' THEN
      UPDATE challenges
         SET tries = tries + IF(p_matched, 0, 1),
             status = CASE WHEN p_matched THEN 'completed'
                           WHEN tries >= 3 THEN 'failed'
                           ELSE status END,
             completed_at = IF(status = 'pending', NULL,
               (SELECT wallet_now(w.clock_offset_s) FROM wallets AS w
                 WHERE w.id = challenges.wallet_id))
       WHERE id = v_id;
      SELECT status INTO v_status FROM challenges WHERE id = v_id;
      IF v_status <> 'pending' THEN
        CALL challenge_event(v_id, v_card, '3ds.completed');
      END IF;
    END IF;
  END IF;
  CALL challenge_row_answer(IF(v_id IS NULL, 'not_found', 'ok'), v_id);
END//

DELIMITER ;
