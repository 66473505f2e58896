-- SPDX-License-Identifier: Apache-2.0
-- The one endpoint that an account may name for the webhook of the Privacy
-- dialect: bare transactions, signed with the API key itself.

DELIMITER //

-- The key that signs: the one that named the endpoint while it is good, else
-- the newest good one. NULL when none is kept.
CREATE OR REPLACE FUNCTION privacy_signer(
  p_wallet_id BIGINT UNSIGNED, p_key_id BIGINT UNSIGNED)
RETURNS BIGINT UNSIGNED READS SQL DATA
RETURN (SELECT id FROM api_keys
         WHERE wallet_id = p_wallet_id AND dialect = 'privacy'
           AND key_sealed IS NOT NULL AND revoked_at IS NULL
           AND (expires_at IS NULL OR expires_at > UTC_TIMESTAMP())
         ORDER BY id = p_key_id DESC, id DESC LIMIT 1)//

CREATE OR REPLACE PROCEDURE privacy_webhook_lock(
  IN p_wallet_id BIGINT UNSIGNED, OUT p_id BIGINT UNSIGNED,
  OUT p_disabled VARCHAR(16) CHARACTER SET ascii, OUT p_now DATETIME)
MODIFIES SQL DATA
BEGIN
  SET p_id = NULL, p_disabled = NULL;
  SELECT wallet_now(clock_offset_s) INTO p_now
    FROM wallets WHERE id = p_wallet_id FOR UPDATE;
  SELECT id, disabled_reason INTO p_id, p_disabled FROM webhooks
   WHERE wallet_id = p_wallet_id AND dialect = 'privacy'
     AND deleted_at IS NULL
     FOR UPDATE;
END//

-- Names it, or names another; one that was disabled is told again.
-- p_public_id is used where there was none. Answers the row.
CREATE OR REPLACE PROCEDURE privacy_webhook_put(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_key VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_url VARCHAR(2048))
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_id, v_key BIGINT UNSIGNED;
  DECLARE v_disabled VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  CALL privacy_webhook_lock(p_wallet_id, v_id, v_disabled, v_now);
  SELECT id INTO v_key FROM api_keys
   WHERE public_id = p_key AND wallet_id = p_wallet_id;
  SET v_outcome = CASE
    WHEN v_now IS NULL THEN 'not_found'
    WHEN v_disabled = 'operator' THEN 'webhook_disabled'
    ELSE 'ok' END;

  IF v_outcome = 'ok' AND v_id IS NULL THEN
    INSERT INTO webhooks (public_id, wallet_id, dialect, api_key_id, url,
                          event_types, secret_sealed, created_at)
    VALUES (p_public_id, p_wallet_id, 'privacy', v_key, p_url,
            'transaction.authorized,transaction.declined,transaction.settled,transaction.refunded,transaction.reversed,transaction.expired',
            '', v_now);
    SET v_id = LAST_INSERT_ID();
  ELSEIF v_outcome = 'ok' THEN
    UPDATE webhooks
       SET url = p_url, api_key_id = v_key, disabled_at = NULL,
           disabled_reason = NULL, failing_since = NULL, held_until = NULL
     WHERE id = v_id;
  END IF;
  CALL webhook_answer(v_outcome, v_id);
END//

CREATE OR REPLACE PROCEDURE privacy_webhook_delete(
  IN p_wallet_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_disabled VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  CALL privacy_webhook_lock(p_wallet_id, v_id, v_disabled, v_now);
  UPDATE webhooks SET deleted_at = v_now WHERE id = v_id;
  SELECT IF(v_id IS NULL, 'not_found', 'ok') AS outcome;
END//

DELIMITER ;
