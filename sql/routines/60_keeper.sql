-- SPDX-License-Identifier: Apache-2.0
-- What time does: holds, challenges and deposits that expire, records that
-- nobody needs any more. Each keeper_ procedure is a transaction of its own
-- (keeper_holds one for every ten), does at most p_limit of what is due, passes
-- over what another is busy with, and answers one row: done. Any number may run
-- at once.

DELIMITER //

-- All that is due at the wallet's time, in its order.
CREATE OR REPLACE PROCEDURE wallet_due(IN p_wallet_id BIGINT UNSIGNED)
MODIFIES SQL DATA
BEGIN
  DECLARE v_done BOOLEAN;
  DECLARE v_locked BIGINT UNSIGNED;

  FOR due IN (SELECT t.id
                FROM wallets AS w
                JOIN transactions AS t
                  ON t.wallet_id = w.id
                 AND t.hold_expires_at <= UTC_TIMESTAMP()
                                          + INTERVAL w.clock_offset_s SECOND
               WHERE w.id = p_wallet_id
               ORDER BY t.hold_expires_at, t.id)
  DO
    CALL transaction_expire(due.id, v_done);
  END FOR;
  FOR due IN (SELECT h.id, h.card_id
                FROM wallets AS w
                JOIN challenges AS h
                  ON h.wallet_id = w.id AND h.status = 'pending'
                 AND h.expires_at <= UTC_TIMESTAMP()
                                     + INTERVAL w.clock_offset_s SECOND
               WHERE w.id = p_wallet_id
               ORDER BY h.expires_at, h.id)
  DO
    SELECT id INTO v_locked FROM cards WHERE id = due.card_id FOR UPDATE;
    CALL challenge_expire(due.id, due.card_id, v_done);
  END FOR;
  CALL wallet_deposits_expire(p_wallet_id);
END//

-- Locks a card, and the wallet before it where a release goes there; p_locked
-- is NULL when somebody else is busy with one of them.
CREATE OR REPLACE PROCEDURE keeper_card_lock(
  IN p_card_id BIGINT UNSIGNED, OUT p_locked BIGINT UNSIGNED)
MODIFIES SQL DATA
keeper: BEGIN
  DECLARE v_wallet, v_free BIGINT UNSIGNED;
  DECLARE v_draws BOOLEAN;

  SET p_locked = NULL;
  SELECT wallet_id, funding = 'wallet' OR status = 'terminated'
    INTO v_wallet, v_draws FROM cards WHERE id = p_card_id;
  IF v_draws THEN
    SELECT id INTO v_free
      FROM wallets WHERE id = v_wallet FOR UPDATE SKIP LOCKED;
    IF v_free IS NULL THEN
      LEAVE keeper;
    END IF;
  END IF;
  SELECT id INTO p_locked
    FROM cards WHERE id = p_card_id FOR UPDATE SKIP LOCKED;
END//

-- Expires one. What cannot must not keep all that are due after it from it:
-- nothing of it stays, and keeper_tell says so when the others are done.
CREATE OR REPLACE PROCEDURE keeper_expire(
  IN p_what VARCHAR(16) CHARACTER SET ascii, IN p_id BIGINT UNSIGNED,
  IN p_card_id BIGINT UNSIGNED, OUT p_done BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii;
  DECLARE v_errno INT;
  DECLARE v_state CHAR(5) CHARACTER SET ascii;
  DECLARE v_text VARCHAR(400);
  -- Ours, whose text names no value; a constraint's; out of range. What the
  -- world does ends the batch.
  DECLARE EXIT HANDLER FOR SQLSTATE '45000', SQLSTATE '23000', SQLSTATE '22003'
  BEGIN
    GET DIAGNOSTICS CONDITION 1
      v_state = RETURNED_SQLSTATE, v_errno = MYSQL_ERRNO,
      v_text = MESSAGE_TEXT;
    ROLLBACK TO SAVEPOINT keeper_one;
    SET p_done = FALSE,
        @keeper_failed = CONCAT(p_what, ' ', p_id, ': ',
                                IF(v_state = '45000', v_text,
                                   CONCAT('error ', v_errno)));
  END;

  SAVEPOINT keeper_one;
  CASE p_what
    WHEN 'hold' THEN
      CALL transaction_expire(p_id, p_done);
    WHEN 'challenge' THEN
      CALL challenge_expire(p_id, p_card_id, p_done);
    WHEN 'deposit' THEN
      CALL deposit_expire(p_id, v_outcome);
      SET p_done = v_outcome = 'ok';
  END CASE;
END//

-- Fails when something did not expire, once what did is committed.
CREATE OR REPLACE PROCEDURE keeper_tell()
BEGIN
  DECLARE v_failed VARCHAR(500) DEFAULT @keeper_failed;

  SET @keeper_failed = NULL;
  IF v_failed IS NOT NULL THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = v_failed;
  END IF;
END//

-- The second part finds test wallets whose clock is ahead of ours. A payment
-- must not wait for all of it: every ten it lets go of the cards.
CREATE OR REPLACE PROCEDURE keeper_holds(IN p_limit INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_locked BIGINT UNSIGNED;
  DECLARE v_expired BOOLEAN;
  DECLARE v_done, v_seen INT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  FOR due IN (SELECT id, card_id FROM
              ((SELECT id, card_id, hold_expires_at FROM transactions
                 WHERE hold_expires_at <= UTC_TIMESTAMP()
                 ORDER BY hold_expires_at LIMIT p_limit)
               UNION
               (SELECT t.id, t.card_id, t.hold_expires_at
                  FROM wallets AS w
                  JOIN transactions AS t
                    ON t.wallet_id = w.id
                   AND t.hold_expires_at
                       <= UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND
                 WHERE w.clock_offset_s > 0
                 ORDER BY t.hold_expires_at LIMIT p_limit)) AS due
              ORDER BY hold_expires_at, id LIMIT p_limit)
  DO
    CALL keeper_card_lock(due.card_id, v_locked);
    IF v_locked IS NOT NULL THEN
      CALL keeper_expire('hold', due.id, NULL, v_expired);
      SET v_done = v_done + v_expired;
    END IF;
    SET v_seen = v_seen + 1;
    IF v_seen MOD 10 = 0 THEN
      COMMIT;
      START TRANSACTION;
    END IF;
  END FOR;
  COMMIT;
  CALL keeper_tell();
  SELECT v_done AS done;
END//

CREATE OR REPLACE PROCEDURE keeper_challenges(IN p_limit INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_locked BIGINT UNSIGNED;
  DECLARE v_expired BOOLEAN;
  DECLARE v_done INT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  FOR due IN (SELECT id, card_id FROM
              ((SELECT id, card_id FROM challenges
                 WHERE status = 'pending' AND expires_at <= UTC_TIMESTAMP()
                 ORDER BY expires_at LIMIT p_limit)
               UNION
               (SELECT h.id, h.card_id
                  FROM wallets AS w
                  JOIN challenges AS h
                    ON h.wallet_id = w.id AND h.status = 'pending'
                   AND h.expires_at
                       <= UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND
                 WHERE w.clock_offset_s > 0
                 ORDER BY h.expires_at LIMIT p_limit)) AS due
              LIMIT p_limit)
  DO
    SET v_locked = NULL;
    SELECT id INTO v_locked
      FROM cards WHERE id = due.card_id FOR UPDATE SKIP LOCKED;
    IF v_locked IS NOT NULL THEN
      SELECT id INTO v_locked FROM challenges WHERE id = due.id FOR UPDATE;
      CALL keeper_expire('challenge', due.id, due.card_id, v_expired);
      SET v_done = v_done + v_expired;
    END IF;
  END FOR;
  COMMIT;
  CALL keeper_tell();
  SELECT v_done AS done;
END//

CREATE OR REPLACE PROCEDURE keeper_deposits(IN p_limit INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_locked BIGINT UNSIGNED;
  DECLARE v_expired BOOLEAN;
  DECLARE v_done INT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  FOR due IN (SELECT id, wallet_id FROM
              ((SELECT id, wallet_id FROM deposits
                 WHERE status = 'pending' AND hold_reason IS NULL
                   AND created_at < UTC_TIMESTAMP() - INTERVAL 72 HOUR
                 ORDER BY created_at LIMIT p_limit)
               UNION
               (SELECT d.id, d.wallet_id
                  FROM wallets AS w
                  JOIN deposits AS d
                    ON d.wallet_id = w.id AND d.status = 'pending'
                   AND d.hold_reason IS NULL
                   AND d.created_at
                       < UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND
                         - INTERVAL 72 HOUR
                 WHERE w.clock_offset_s > 0
                 ORDER BY d.created_at LIMIT p_limit)) AS due
              LIMIT p_limit)
  DO
    SET v_locked = NULL;
    SELECT id INTO v_locked
      FROM wallets WHERE id = due.wallet_id FOR UPDATE SKIP LOCKED;
    IF v_locked IS NOT NULL THEN
      CALL keeper_expire('deposit', due.id, NULL, v_expired);
      SET v_done = v_done + v_expired;
    END IF;
  END FOR;
  COMMIT;
  CALL keeper_tell();
  SELECT v_done AS done;
END//

-- Records of answers, an hour after tx_begin has ceased to heed them.
CREATE OR REPLACE PROCEDURE keeper_idempotency(IN p_limit INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_done INT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  FOR old IN (SELECT wallet_id, idem_key FROM idempotency_keys
               WHERE created_at < UTC_TIMESTAMP() - INTERVAL 25 HOUR
               ORDER BY created_at LIMIT p_limit
                 FOR UPDATE SKIP LOCKED)
  DO
    DELETE FROM idempotency_keys
     WHERE wallet_id = old.wallet_id AND idem_key = old.idem_key;
    SET v_done = v_done + ROW_COUNT();
  END FOR;
  COMMIT;
  SELECT v_done AS done;
END//

-- Seconds, minutes and hours that no window can begin in any more: the longest
-- that trails is a month, a year begins with a day.
CREATE OR REPLACE PROCEDURE keeper_usage(IN p_limit INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_done INT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  FOR old IN (SELECT card_id, level, start FROM card_usage
               WHERE level IN (0, 1, 2)
                 AND start < UTC_TIMESTAMP() - INTERVAL 40 DAY
               LIMIT p_limit FOR UPDATE SKIP LOCKED)
  DO
    DELETE FROM card_usage
     WHERE card_id = old.card_id AND level = old.level AND start = old.start;
    SET v_done = v_done + ROW_COUNT();
  END FOR;
  COMMIT;
  SELECT v_done AS done;
END//

-- Removes the oldest events of a wallet, with their deliveries, attempts and
-- bodies, up to the first that is young or still to be delivered: what is
-- missing is a beginning, and event_floors says up to where.
CREATE OR REPLACE PROCEDURE keeper_wallet_events(
  IN p_wallet_id BIGINT UNSIGNED, IN p_limit INT, IN p_days INT,
  OUT p_removed INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_before DATETIME DEFAULT UTC_TIMESTAMP() - INTERVAL p_days DAY;
  DECLARE v_locked BIGINT UNSIGNED;
  DECLARE v_pending INT;

  SET p_removed = 0;
  removing:
  FOR event IN (SELECT id, card_id, sequence, journal_id, created_at
                  FROM events FORCE INDEX (wallet_id)
                 WHERE wallet_id = p_wallet_id
                 ORDER BY id LIMIT p_limit)
  DO
    -- Who sends it again, or removes it, has it locked.
    SET v_locked = NULL;
    SELECT id INTO v_locked FROM events
     WHERE id = event.id AND created_at < v_before FOR UPDATE SKIP LOCKED;
    SELECT COUNT(*) INTO v_pending FROM deliveries
     WHERE event_id = event.id AND status = 'pending';
    IF v_locked IS NULL OR v_pending > 0 THEN
      LEAVE removing;
    END IF;
    SELECT COUNT(IF(status = 'pending', 1, NULL)) INTO v_pending
      FROM deliveries FORCE INDEX (event_id)
     WHERE event_id = event.id FOR UPDATE;
    IF v_pending > 0 THEN
      LEAVE removing;
    END IF;
    DELETE FROM events WHERE id = event.id;
    INSERT INTO event_floors (wallet_id, card_id, sequence, journal_id)
    VALUES (p_wallet_id, COALESCE(event.card_id, 0), event.sequence,
            COALESCE(event.journal_id, 0))
    ON DUPLICATE KEY UPDATE
      sequence = VALUES(sequence),
      journal_id = GREATEST(journal_id, VALUES(journal_id));
    SET p_removed = p_removed + 1;
  END FOR;
END//

-- Events of more than p_days days ago, and endpoints that were deleted and that
-- nothing names any more. The days are real ones: who moves a test clock on has
-- not had the time to look back, and what that clock dates ahead stays longer.
CREATE OR REPLACE PROCEDURE keeper_events(IN p_limit INT, IN p_days INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_done, v_removed INT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  FOR old IN (SELECT DISTINCT wallet_id FROM
              (SELECT wallet_id FROM events FORCE INDEX (created_at)
                WHERE created_at < UTC_TIMESTAMP() - INTERVAL p_days DAY
                ORDER BY created_at LIMIT 10000) AS oldest)
  DO
    IF v_done < p_limit THEN
      CALL keeper_wallet_events(old.wallet_id, p_limit - v_done, p_days,
                                v_removed);
      SET v_done = v_done + v_removed;
    END IF;
  END FOR;
  FOR gone IN (SELECT h.id
                 FROM webhooks AS h JOIN wallets AS w ON w.id = h.wallet_id
                WHERE h.deleted_at < wallet_now(w.clock_offset_s)
                                     - INTERVAL 1 DAY
                  AND NOT EXISTS (SELECT 1 FROM deliveries AS d
                                   WHERE d.webhook_id = h.id)
                LIMIT p_limit)
  DO
    DELETE FROM webhooks WHERE id = gone.id;
    SET v_done = v_done + 1;
  END FOR;
  COMMIT;
  SELECT v_done AS done;
END//

DELIMITER ;
