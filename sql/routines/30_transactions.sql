-- SPDX-License-Identifier: Apache-2.0
-- How a worker's transaction begins and ends, and the login's mark.

DELIMITER //

-- Claims the idempotency key, if there is one. While another transaction holds
-- the same claim this waits for it. One row: outcome ok, replay (with status
-- and reply_sealed) or idempotency_key_reused.
CREATE OR REPLACE PROCEDURE tx_begin(
  IN p_wallet_id BIGINT UNSIGNED, IN p_key VARBINARY(255),
  IN p_fingerprint BINARY(32))
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_fingerprint BINARY(32);
  DECLARE v_status SMALLINT UNSIGNED;
  DECLARE v_reply MEDIUMBLOB;

  START TRANSACTION;
  IF p_key IS NOT NULL THEN
    SET @tx_claimed_before = FALSE;
    -- Takes the row exclusively at once when it is there. A record over a day
    -- old, or one without an answer, is as good as none.
    INSERT INTO idempotency_keys
      (wallet_id, idem_key, fingerprint, created_at)
    VALUES (p_wallet_id, p_key, p_fingerprint, UTC_TIMESTAMP())
    ON DUPLICATE KEY UPDATE
      fingerprint = IF((@tx_claimed_before :=
                          status IS NOT NULL
                          AND created_at > UTC_TIMESTAMP() - INTERVAL 1 DAY),
                       fingerprint, VALUES(fingerprint)),
      created_at = IF(@tx_claimed_before, created_at, VALUES(created_at)),
      reply_sealed = IF(@tx_claimed_before, reply_sealed, NULL),
      status = IF(@tx_claimed_before, status, NULL);
    IF @tx_claimed_before THEN
      SELECT fingerprint, status, reply_sealed
        INTO v_fingerprint, v_status, v_reply
        FROM idempotency_keys
       WHERE wallet_id = p_wallet_id AND idem_key = p_key FOR UPDATE;
      IF v_fingerprint = p_fingerprint THEN
        SET v_outcome = 'replay';
      ELSE
        SET v_outcome = 'idempotency_key_reused', v_status = NULL,
            v_reply = NULL;
      END IF;
    END IF;
  END IF;
  SELECT v_outcome AS outcome, v_status AS status, v_reply AS reply_sealed;
END//

-- Keeps the answer beside its effect, and commits both.
CREATE OR REPLACE PROCEDURE tx_commit(
  IN p_wallet_id BIGINT UNSIGNED, IN p_key VARBINARY(255),
  IN p_status SMALLINT UNSIGNED, IN p_reply_sealed MEDIUMBLOB)
MODIFIES SQL DATA
BEGIN
  IF p_key IS NOT NULL THEN
    UPDATE idempotency_keys
       SET status = p_status, reply_sealed = p_reply_sealed
     WHERE wallet_id = p_wallet_id AND idem_key = p_key AND status IS NULL;
    IF ROW_COUNT() = 0 THEN
      SIGNAL SQLSTATE '45000'
        SET MESSAGE_TEXT = 'tx_commit: the key was not claimed by tx_begin';
    END IF;
  END IF;
  COMMIT;
END//

-- A key's last use, to the minute: most calls write nothing. No row.
CREATE OR REPLACE PROCEDURE key_touch(IN p_key_id BIGINT UNSIGNED)
MODIFIES SQL DATA
UPDATE api_keys SET last_used_at = UTC_TIMESTAMP()
 WHERE id = p_key_id
   AND (last_used_at IS NULL
        OR last_used_at <= UTC_TIMESTAMP() - INTERVAL 1 MINUTE)//

DELIMITER ;
