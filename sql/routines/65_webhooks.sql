-- SPDX-License-Identifier: Apache-2.0
-- Webhooks: endpoints, the queue of deliveries, and what couriers do with it.
--
-- Whoever locks several of these does so in this order: the wallet, the event,
-- deliveries, webhooks. Nobody who holds a webhook waits for anything; a
-- payment reads webhooks and locks none of them.

DELIMITER //

-- One row a subscribed endpoint, in the transaction of the change. Plain
-- SELECTs lock nothing in webhooks, where INSERT ... SELECT would in sessions
-- of another isolation. Without endpoints an event costs one look at an index.
CREATE OR REPLACE TRIGGER events_fan_out
AFTER INSERT ON events FOR EACH ROW
BEGIN
  DECLARE v_webhook, v_last BIGINT UNSIGNED;

  SELECT MAX(id) INTO v_last FROM webhooks
   WHERE wallet_id = NEW.wallet_id AND deleted_at IS NULL;
  IF v_last IS NOT NULL AND NEW.type <> 'webhook.ping' THEN
    SELECT MIN(id), MAX(id) INTO v_webhook, v_last FROM webhooks
     WHERE wallet_id = NEW.wallet_id AND deleted_at IS NULL
       AND disabled_at IS NULL
       AND (event_types = '*' OR FIND_IN_SET(NEW.type, event_types));
    WHILE v_webhook IS NOT NULL DO
      INSERT INTO deliveries (webhook_id, event_id, wallet_id, card_id,
                              queue_webhook_id, due_at, created_at)
      VALUES (v_webhook, NEW.id, NEW.wallet_id, NEW.card_id, v_webhook,
              '1970-01-01', NEW.created_at);
      IF v_webhook >= v_last THEN
        SET v_webhook = NULL;
      ELSE
        SELECT MIN(id) INTO v_webhook FROM webhooks
         WHERE wallet_id = NEW.wallet_id AND deleted_at IS NULL
           AND id > v_webhook AND disabled_at IS NULL
           AND (event_types = '*' OR FIND_IN_SET(NEW.type, event_types));
      END IF;
    END WHILE;
  END IF;
END//

-- What workers read.

CREATE OR REPLACE ALGORITHM = MERGE VIEW webhook_rows AS
SELECT id, public_id, wallet_id, dialect, url, description, event_types,
       disabled_at IS NULL AS active,
       CASE WHEN disabled_at IS NOT NULL THEN 'disabled'
            WHEN failing_since IS NOT NULL THEN 'failing'
            ELSE 'enabled' END AS status,
       disabled_at, disabled_reason, failing_since, last_success_at,
       last_failure_at, last_error, created_at
  FROM webhooks
 WHERE deleted_at IS NULL//

-- The object of a ping.
CREATE OR REPLACE ALGORITHM = MERGE VIEW webhook_snapshots AS
SELECT id, wallet_id,
       JSON_OBJECT('id', id, 'public_id', public_id, 'wallet_id', wallet_id,
         'dialect', dialect, 'url', url, 'description', description,
         'event_types', event_types, 'active', active, 'status', status,
         'disabled_at', disabled_at, 'disabled_reason', disabled_reason,
         'failing_since', failing_since, 'last_success_at', last_success_at,
         'last_failure_at', last_failure_at, 'last_error', last_error,
         'created_at', created_at) AS snapshot
  FROM webhook_rows//

CREATE OR REPLACE ALGORITHM = MERGE VIEW delivery_rows AS
SELECT d.id, d.wallet_id, d.webhook_id, w.public_id AS webhook_public_id,
       d.event_id, e.public_id AS event_public_id, e.type AS event_type,
       d.status, d.attempts,
       IF(d.due_at = '1970-01-01', d.created_at, d.due_at) AS next_attempt_at,
       d.last_error, d.created_at, d.finished_at
  FROM deliveries AS d
  LEFT JOIN webhooks AS w ON w.id = d.webhook_id
  LEFT JOIN events AS e ON e.id = d.event_id//

CREATE OR REPLACE ALGORITHM = MERGE VIEW attempt_rows AS
SELECT a.delivery_id, d.wallet_id, d.webhook_id,
       e.public_id AS event_public_id, a.number, a.started_at, a.duration_ms,
       a.status, a.error, a.answer_sealed
  FROM delivery_attempts AS a
  LEFT JOIN deliveries AS d ON d.id = a.delivery_id
  LEFT JOIN events AS e ON e.id = d.event_id//

-- Endpoints, for the API. Whoever calls these owns the transaction, as in
-- 40_cards.sql.

CREATE OR REPLACE PROCEDURE webhook_answer(
  IN p_outcome VARCHAR(40) CHARACTER SET ascii, IN p_id BIGINT UNSIGNED)
READS SQL DATA
SELECT p_outcome AS outcome, w.id, w.public_id, w.wallet_id, w.dialect, w.url,
       w.description, w.event_types, w.active, w.status, w.disabled_at,
       w.disabled_reason, w.failing_since, w.last_success_at,
       w.last_failure_at, w.last_error, w.created_at
  FROM (SELECT 1) AS one
  LEFT JOIN webhook_rows AS w ON w.id = IF(p_outcome = 'ok', p_id, NULL)//

-- p_id is NULL where the wallet has no such endpoint. The one of the Privacy
-- dialect is none of these (67_privacy_webhook.sql).
CREATE OR REPLACE PROCEDURE webhook_lock(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  OUT p_id BIGINT UNSIGNED,
  OUT p_disabled VARCHAR(16) CHARACTER SET ascii, OUT p_now DATETIME)
MODIFIES SQL DATA
BEGIN
  SET p_id = NULL, p_disabled = NULL;
  SELECT wallet_now(clock_offset_s) INTO p_now
    FROM wallets WHERE id = p_wallet_id;
  SELECT id, disabled_reason INTO p_id, p_disabled FROM webhooks
   WHERE public_id = p_public_id AND wallet_id = p_wallet_id
     AND deleted_at IS NULL AND dialect = 'native'
     FOR UPDATE;
END//

-- At most 20 a wallet.
CREATE OR REPLACE PROCEDURE webhook_create(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_url VARCHAR(2048), IN p_description VARCHAR(255),
  IN p_event_types VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_secret_sealed VARBINARY(512))
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_count INT;
  DECLARE v_now DATETIME;

  SELECT wallet_now(clock_offset_s) INTO v_now
    FROM wallets WHERE id = p_wallet_id FOR UPDATE;
  SELECT COUNT(*) INTO v_count FROM webhooks
   WHERE wallet_id = p_wallet_id AND deleted_at IS NULL
     AND dialect = 'native';
  SET v_outcome = CASE
    WHEN v_now IS NULL THEN 'not_found'
    WHEN v_count >= 20 THEN 'webhook_limit_reached'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    INSERT INTO webhooks (public_id, wallet_id, url, description, event_types,
                          secret_sealed, created_at)
    VALUES (p_public_id, p_wallet_id, p_url, COALESCE(p_description, ''),
            p_event_types, p_secret_sealed, v_now);
    SET v_id = LAST_INSERT_ID();
  END IF;
  CALL webhook_answer(v_outcome, v_id);
END//

-- NULL leaves as it is. What the operator disabled, the customer cannot
-- enable: webhook_disabled.
CREATE OR REPLACE PROCEDURE webhook_update(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_url VARCHAR(2048), IN p_description VARCHAR(255),
  IN p_event_types VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_active BOOLEAN)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_disabled VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  CALL webhook_lock(p_wallet_id, p_public_id, v_id, v_disabled, v_now);
  SET v_outcome = CASE
    WHEN v_id IS NULL THEN 'not_found'
    WHEN p_active AND v_disabled = 'operator' THEN 'webhook_disabled'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    UPDATE webhooks
       SET url = COALESCE(p_url, url),
           description = COALESCE(p_description, description),
           event_types = COALESCE(p_event_types, event_types),
           held_until = IF(p_active OR p_url IS NOT NULL, NULL, held_until),
           failing_since = IF(p_active, NULL, failing_since),
           disabled_at = CASE p_active WHEN TRUE THEN NULL
                                       WHEN FALSE
                                       THEN COALESCE(disabled_at, v_now)
                                       ELSE disabled_at END,
           disabled_reason = CASE p_active WHEN TRUE THEN NULL
                                           WHEN FALSE
                                           THEN COALESCE(disabled_reason,
                                                         'customer')
                                           ELSE disabled_reason END
     WHERE id = v_id;
  END IF;
  CALL webhook_answer(v_outcome, v_id);
END//

-- The row stays while deliveries name it, without its secrets.
CREATE OR REPLACE PROCEDURE webhook_delete(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_disabled VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  CALL webhook_lock(p_wallet_id, p_public_id, v_id, v_disabled, v_now);
  UPDATE webhooks
     SET deleted_at = v_now, secret_sealed = '', previous_secret_sealed = NULL,
         previous_until = NULL
   WHERE id = v_id;
  SELECT IF(v_id IS NULL, 'not_found', 'ok') AS outcome;
END//

-- For a day the present secret signs beside the new one.
CREATE OR REPLACE PROCEDURE webhook_rotate(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_secret_sealed VARBINARY(512))
MODIFIES SQL DATA
BEGIN
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_disabled VARCHAR(16) CHARACTER SET ascii;
  DECLARE v_now DATETIME;

  CALL webhook_lock(p_wallet_id, p_public_id, v_id, v_disabled, v_now);
  UPDATE webhooks
     SET previous_secret_sealed = secret_sealed,
         previous_until = v_now + INTERVAL 24 HOUR,
         secret_sealed = p_secret_sealed
   WHERE id = v_id;
  CALL webhook_answer(IF(v_id IS NULL, 'not_found', 'ok'), v_id);
END//

-- An event of the wallet that goes to this endpoint only, whatever it has
-- subscribed to.
CREATE OR REPLACE PROCEDURE webhook_ping(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_id, v_event, v_sequence BIGINT UNSIGNED;
  DECLARE v_disabled BOOLEAN;
  DECLARE v_now DATETIME(6);
  DECLARE v_public VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin;

  SELECT event_sequence + 1,
         UTC_TIMESTAMP(6) + INTERVAL clock_offset_s SECOND
    INTO v_sequence, v_now
    FROM wallets WHERE id = p_wallet_id FOR UPDATE;
  SELECT id, disabled_at IS NOT NULL INTO v_id, v_disabled FROM webhooks
   WHERE public_id = p_public_id AND wallet_id = p_wallet_id
     AND deleted_at IS NULL AND dialect = 'native';
  SET v_outcome = CASE
    WHEN v_id IS NULL THEN 'not_found'
    WHEN v_disabled THEN 'webhook_disabled'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    UPDATE wallets SET event_sequence = v_sequence WHERE id = p_wallet_id;
    SET v_public = CONCAT('evt_', random_base62(20));
    INSERT INTO events (public_id, wallet_id, card_id, sequence, type,
                        snapshot, created_at)
    SELECT v_public, wallet_id, NULL, v_sequence, 'webhook.ping', snapshot,
           v_now
      FROM webhook_snapshots WHERE id = v_id;
    SET v_event = LAST_INSERT_ID();
    INSERT INTO deliveries (webhook_id, event_id, wallet_id, queue_webhook_id,
                            due_at, created_at)
    VALUES (v_id, v_event, p_wallet_id, v_id, '1970-01-01', v_now);
  END IF;
  SELECT v_outcome AS outcome, v_public AS event_public_id;
END//

CREATE OR REPLACE PROCEDURE delivery_answer(
  IN p_outcome VARCHAR(40) CHARACTER SET ascii, IN p_id BIGINT UNSIGNED)
READS SQL DATA
SELECT p_outcome AS outcome, d.id, d.wallet_id, d.webhook_id,
       d.webhook_public_id, d.event_id, d.event_public_id, d.event_type,
       d.status, d.attempts, d.next_attempt_at, d.last_error, d.created_at,
       d.finished_at
  FROM (SELECT 1) AS one
  LEFT JOIN delivery_rows AS d ON d.id = IF(p_outcome = 'ok', p_id, NULL)//

-- Queues an event for an endpoint, at once, whether or not it was delivered
-- before or is subscribed to. What is on its way counts: it is sent again only
-- if that attempt fails.
CREATE OR REPLACE PROCEDURE event_resend(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_event_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_webhook_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_event, v_card, v_webhook, v_id BIGINT UNSIGNED;
  DECLARE v_type VARCHAR(32) CHARACTER SET ascii;
  DECLARE v_disabled BOOLEAN;
  DECLARE v_now DATETIME(6);

  SELECT UTC_TIMESTAMP(6) + INTERVAL clock_offset_s SECOND INTO v_now
    FROM wallets WHERE id = p_wallet_id;
  -- So that the keeper does not take it away meanwhile.
  SELECT id, card_id, type INTO v_event, v_card, v_type FROM events
   WHERE public_id = p_event_public_id AND wallet_id = p_wallet_id
    LOCK IN SHARE MODE;
  SELECT id, disabled_at IS NOT NULL INTO v_webhook, v_disabled FROM webhooks
   WHERE public_id = p_webhook_public_id AND wallet_id = p_wallet_id
     AND deleted_at IS NULL AND dialect = 'native';
  SELECT id INTO v_id FROM deliveries
   WHERE event_id = v_event AND webhook_id = v_webhook FOR UPDATE;
  SET v_outcome = CASE
    WHEN v_event IS NULL THEN 'not_found'
    WHEN v_webhook IS NULL THEN 'webhook_not_found'
    -- A ping is of one endpoint.
    WHEN v_type = 'webhook.ping' AND v_id IS NULL THEN 'webhook_not_found'
    WHEN v_disabled THEN 'webhook_disabled'
    ELSE 'ok' END;

  IF v_outcome = 'ok' THEN
    IF v_id IS NULL THEN
      INSERT IGNORE INTO deliveries
        (webhook_id, event_id, wallet_id, card_id, queue_webhook_id, due_at,
         created_at)
      VALUES (v_webhook, v_event, p_wallet_id, v_card, v_webhook,
              '1970-01-01', v_now);
      SELECT id INTO v_id FROM deliveries
       WHERE event_id = v_event AND webhook_id = v_webhook;
    ELSE
      UPDATE deliveries
         SET status = 'pending', tries = 0, claim = claim + 1,
             queue_webhook_id = webhook_id, due_at = '1970-01-01',
             finished_at = NULL
       WHERE id = v_id;
    END IF;
  END IF;
  CALL delivery_answer(v_outcome, v_id);
END//

-- Queues again what p_from and p_to enclose (NULL: no end): what the endpoint
-- is subscribed to, or, with p_failed, what failed. What waits to be sent
-- anyway is counted and left as it is. Due times one after the other keep the
-- events' order; beside what is new, couriers give them a part of their room.
CREATE OR REPLACE PROCEDURE webhook_replay_apply(
  IN p_id BIGINT UNSIGNED, IN p_from DATETIME, IN p_to DATETIME,
  IN p_failed BOOLEAN, IN p_limit INT,
  OUT p_outcome VARCHAR(40) CHARACTER SET ascii, OUT p_events INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_wallet BIGINT UNSIGNED;
  DECLARE v_now DATETIME(6);
  DECLARE v_types VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin;
  DECLARE v_list LONGTEXT;
  DECLARE v_limit INT DEFAULT p_limit + 1;

  SET SESSION group_concat_max_len = 16777216;
  SELECT h.wallet_id, h.event_types,
         UTC_TIMESTAMP(6) + INTERVAL w.clock_offset_s SECOND
    INTO v_wallet, v_types, v_now
    FROM webhooks AS h JOIN wallets AS w ON w.id = h.wallet_id
   WHERE h.id = p_id;
  IF p_failed THEN
    SELECT COUNT(*), COALESCE(JSON_ARRAYAGG(id ORDER BY id), '[]')
      INTO p_events, v_list
      FROM (SELECT e.id
              FROM deliveries AS d JOIN events AS e ON e.id = d.event_id
             WHERE d.webhook_id = p_id AND d.status = 'failed'
               AND (p_from IS NULL OR e.created_at >= p_from)
               AND (p_to IS NULL OR e.created_at < p_to)
             LIMIT v_limit) AS matching;
  ELSE
    SELECT COUNT(*), COALESCE(JSON_ARRAYAGG(id ORDER BY id), '[]')
      INTO p_events, v_list
      FROM (SELECT id FROM events
             WHERE wallet_id = v_wallet AND type <> 'webhook.ping'
               AND (v_types = '*' OR FIND_IN_SET(type, v_types))
               AND created_at >= COALESCE(p_from, '1000-01-01')
               AND created_at < COALESCE(p_to, '9999-12-31')
             LIMIT v_limit) AS matching;
  END IF;
  SET p_outcome = IF(p_events > p_limit, 'replay_too_large', 'ok');

  IF p_outcome = 'ok' THEN
    UPDATE JSON_TABLE(v_list, '$[*]' COLUMNS (
             number FOR ORDINALITY, event_id BIGINT UNSIGNED PATH '$')) AS l
      STRAIGHT_JOIN deliveries AS d FORCE INDEX (event_id)
        ON d.event_id = l.event_id AND d.webhook_id = p_id
       SET d.status = 'pending', d.tries = 0, d.claim = d.claim + 1,
           d.queue_webhook_id = p_id, d.finished_at = NULL,
           d.due_at = v_now + INTERVAL l.number MICROSECOND
     WHERE d.status <> 'pending';
  END IF;
  IF p_outcome = 'ok' AND NOT COALESCE(p_failed, FALSE) THEN
    INSERT IGNORE INTO deliveries
      (webhook_id, event_id, wallet_id, card_id, queue_webhook_id, due_at,
       created_at)
    SELECT p_id, e.id, e.wallet_id, e.card_id, p_id,
           v_now + INTERVAL l.number MICROSECOND, v_now
      FROM JSON_TABLE(v_list, '$[*]' COLUMNS (
             number FOR ORDINALITY, event_id BIGINT UNSIGNED PATH '$')) AS l
      JOIN events AS e ON e.id = l.event_id
      LEFT JOIN deliveries AS d ON d.event_id = e.id AND d.webhook_id = p_id
     WHERE d.id IS NULL
     ORDER BY l.number;
  END IF;
END//

CREATE OR REPLACE PROCEDURE webhook_replay(
  IN p_wallet_id BIGINT UNSIGNED,
  IN p_public_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_from DATETIME, IN p_to DATETIME, IN p_failed BOOLEAN, IN p_limit INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_outcome VARCHAR(40) CHARACTER SET ascii DEFAULT 'ok';
  DECLARE v_id BIGINT UNSIGNED;
  DECLARE v_disabled BOOLEAN;
  DECLARE v_events INT;

  SELECT id, disabled_at IS NOT NULL INTO v_id, v_disabled FROM webhooks
   WHERE public_id = p_public_id AND wallet_id = p_wallet_id
     AND deleted_at IS NULL AND dialect = 'native';
  SET v_outcome = CASE
    WHEN v_id IS NULL THEN 'not_found'
    WHEN v_disabled THEN 'webhook_disabled'
    ELSE 'ok' END;
  IF v_outcome = 'ok' THEN
    CALL webhook_replay_apply(v_id, p_from, p_to, p_failed, p_limit,
                              v_outcome, v_events);
  END IF;
  SELECT v_outcome AS outcome,
         IF(v_outcome = 'ok', v_events, NULL) AS deliveries;
END//

-- Couriers. Each courier_ procedure is a transaction of its own. They take and
-- keep no lock that a payment needs. Their UPDATEs name order and index of the
-- join: a small table that is read from its beginning is locked as a whole.
-- Queues are looked at without locks, and rows locked by their primary key: a
-- locking look reads, and locks, the first row of the next endpoint's queue.

-- Gives up a part of what is due at an endpoint that is disabled or deleted.
CREATE OR REPLACE PROCEDURE courier_fail_dead(
  IN p_webhook_id BIGINT UNSIGNED, IN p_now DATETIME(6))
MODIFIES SQL DATA
BEGIN
  DECLARE v_ids LONGTEXT CHARACTER SET ascii;

  SELECT GROUP_CONCAT(id) INTO v_ids
    FROM (SELECT d.id
            FROM (SELECT id FROM deliveries FORCE INDEX (queue)
                   WHERE queue_webhook_id = p_webhook_id AND due_at <= p_now
                   ORDER BY due_at, id LIMIT 500) AS seen
            STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY)
              ON d.id = seen.id
           WHERE d.queue_webhook_id = p_webhook_id
             FOR UPDATE SKIP LOCKED) AS due;
  UPDATE JSON_TABLE(CONCAT('[', COALESCE(v_ids, ''), ']'), '$[*]'
           COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
    STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY) ON d.id = l.id
     SET d.status = 'failed', d.queue_webhook_id = NULL, d.due_at = NULL,
         d.leased_until = NULL, d.last_error = 'endpoint_disabled',
         d.finished_at = p_now;
END//

-- Ids in a comma list: what was claimed but came to no end goes first again, in
-- its place. The endpoint was another courier's, whose lease is over.
CREATE OR REPLACE PROCEDURE courier_take_over(
  IN p_webhook_id BIGINT UNSIGNED, IN p_now DATETIME(6))
MODIFIES SQL DATA
BEGIN
  DECLARE v_ids LONGTEXT CHARACTER SET ascii;

  SELECT GROUP_CONCAT(id) INTO v_ids
    FROM (SELECT d.id
            FROM (SELECT id FROM deliveries FORCE INDEX (queue)
                   WHERE queue_webhook_id = p_webhook_id
                     AND due_at > '1970-01-01' AND due_at <= p_now
                   ORDER BY due_at DESC, id DESC LIMIT 1000) AS seen
            STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY)
              ON d.id = seen.id
           WHERE d.queue_webhook_id = p_webhook_id
             AND d.leased_until <= UTC_TIMESTAMP(6)
             FOR UPDATE SKIP LOCKED) AS due;
  IF v_ids IS NOT NULL THEN
    UPDATE JSON_TABLE(CONCAT('[', v_ids, ']'), '$[*]'
             COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
      STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY) ON d.id = l.id
       SET d.due_at = '1970-01-01', d.leased_until = NULL;
  END IF;
END//

-- Leases up to p_room deliveries of an endpoint that the caller has locked, and
-- appends their ids to p_ids. What is new leaves a quarter of the room to what
-- is due again, which has all that is left. What is new is seen at one moment,
-- all of a transaction or nothing: to pass over what is locked would pass over
-- an event and take the next, whose transaction ends while we look.
CREATE OR REPLACE PROCEDURE courier_claim_endpoint(
  IN p_webhook_id BIGINT UNSIGNED, IN p_now DATETIME(6), IN p_room INT,
  IN p_lease_s INT, INOUT p_ids LONGTEXT CHARACTER SET ascii,
  OUT p_count INT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_real DATETIME(6) DEFAULT UTC_TIMESTAMP(6);
  DECLARE v_fresh, v_again LONGTEXT CHARACTER SET ascii;
  DECLARE v_fresh_count, v_again_count, v_again_room INT;

  SELECT GROUP_CONCAT(id ORDER BY id), COUNT(*) INTO v_fresh, v_fresh_count
    FROM (SELECT id FROM deliveries FORCE INDEX (queue)
           WHERE queue_webhook_id = p_webhook_id AND due_at = '1970-01-01'
             AND (leased_until IS NULL OR leased_until <= v_real)
           ORDER BY id LIMIT p_room) AS due;
  SET v_again_room = GREATEST(1, p_room DIV 4, p_room - v_fresh_count);
  SELECT GROUP_CONCAT(id ORDER BY due_at, id), COUNT(*)
    INTO v_again, v_again_count
    FROM (SELECT d.id, d.due_at
            FROM (SELECT id FROM deliveries FORCE INDEX (queue)
                   WHERE queue_webhook_id = p_webhook_id
                     AND due_at > '1970-01-01' AND due_at <= p_now
                     AND (leased_until IS NULL OR leased_until <= v_real)
                   ORDER BY due_at, id LIMIT v_again_room) AS seen
            STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY)
              ON d.id = seen.id
           WHERE d.queue_webhook_id = p_webhook_id AND d.due_at <= p_now
             AND (d.leased_until IS NULL OR d.leased_until <= v_real)
             FOR UPDATE SKIP LOCKED) AS due;
  SET v_fresh = SUBSTRING_INDEX(v_fresh, ',', p_room - v_again_count);
  SET v_fresh = CONCAT_WS(',', v_again, NULLIF(v_fresh, '')),
      p_count = LEAST(p_room, v_again_count + v_fresh_count);

  IF p_count > 0 THEN
    UPDATE JSON_TABLE(CONCAT('[', v_fresh, ']'), '$[*]'
             COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
      STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY) ON d.id = l.id
       SET d.claim = d.claim + 1, d.due_at = p_now + INTERVAL p_lease_s SECOND,
           d.leased_until = v_real + INTERVAL p_lease_s SECOND
     WHERE d.status = 'pending';
    SET p_ids = CONCAT_WS(',', NULLIF(p_ids, ''), v_fresh);
  END IF;
END//

-- Up to p_limit deliveries that are due, of at most p_per_endpoint an endpoint,
-- for p_lease_s seconds. Endpoints are one courier's at a time, so that the
-- order of what is sent to them is a matter of one process; whose turn was
-- longest ago comes first. p_full: ids of endpoints that the courier has no
-- room for, separated by commas. previous_secret_sealed is NULL when its day is
-- over; snapshot is NULL when there is a body.
CREATE OR REPLACE PROCEDURE courier_claim(
  IN p_courier CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_limit INT, IN p_per_endpoint INT, IN p_lease_s INT,
  IN p_full TEXT CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_ids LONGTEXT CHARACTER SET ascii DEFAULT '';
  DECLARE v_left INT DEFAULT p_limit;
  DECLARE v_count INT;
  DECLARE v_dead_done BOOLEAN DEFAULT FALSE;
  DECLARE v_failing BOOLEAN;
  DECLARE v_locked BIGINT UNSIGNED;
  DECLARE v_leased_by CHAR(16) CHARACTER SET ascii COLLATE ascii_bin;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  SET SESSION group_concat_max_len = 16777216;
  START TRANSACTION;
  claiming:
  -- One step into the queue an endpoint, however much waits there: the loose
  -- scan of the queue's index that would do it is the optimizer's to choose, by
  -- statistics that a queue makes wrong.
  FOR ready IN (SELECT h.id AS webhook_id,
                       h.disabled_at IS NOT NULL
                         OR h.deleted_at IS NOT NULL AS dead,
                       UTC_TIMESTAMP(6)
                         + INTERVAL w.clock_offset_s SECOND AS now
                  FROM webhooks AS h
                  STRAIGHT_JOIN wallets AS w ON w.id = h.wallet_id
                 WHERE (h.disabled_at IS NOT NULL OR h.deleted_at IS NOT NULL
                        OR ((h.leased_by IS NULL OR h.leased_by = p_courier
                             OR h.leased_until <= UTC_TIMESTAMP(6))
                            AND (h.held_until IS NULL
                                 OR h.held_until
                                    <= UTC_TIMESTAMP()
                                       + INTERVAL w.clock_offset_s SECOND)
                            AND NOT FIND_IN_SET(h.id, p_full)))
                   AND (SELECT d.due_at
                          FROM deliveries AS d FORCE INDEX (queue)
                         WHERE d.queue_webhook_id = h.id
                         ORDER BY d.due_at LIMIT 1)
                       <= UTC_TIMESTAMP(6) + INTERVAL w.clock_offset_s SECOND
                 ORDER BY h.leased_until)
  DO
    IF v_left <= 0 THEN
      LEAVE claiming;
    END IF;
    IF ready.dead THEN
      IF NOT v_dead_done THEN
        SET v_dead_done = TRUE;
        CALL courier_fail_dead(ready.webhook_id, ready.now);
      END IF;
    ELSE
      SET v_locked = NULL;
      SELECT id, leased_by, failing_since IS NOT NULL
        INTO v_locked, v_leased_by, v_failing FROM webhooks
       WHERE id = ready.webhook_id AND disabled_at IS NULL
         AND deleted_at IS NULL
         AND (leased_by IS NULL OR leased_by = p_courier
              OR leased_until <= UTC_TIMESTAMP(6))
         FOR UPDATE SKIP LOCKED;
      IF v_locked IS NOT NULL THEN
        IF v_leased_by <> p_courier THEN
          CALL courier_take_over(v_locked, ready.now);
        END IF;
        -- Of one that fails a courier takes no more than it tries at once.
        CALL courier_claim_endpoint(v_locked, ready.now,
                                    LEAST(v_left, p_per_endpoint,
                                          IF(v_failing, 4, p_per_endpoint)),
                                    p_lease_s, v_ids, v_count);
        IF v_count > 0 THEN
          SET v_left = v_left - v_count;
          UPDATE webhooks
             SET leased_by = p_courier,
                 leased_until = UTC_TIMESTAMP(6) + INTERVAL p_lease_s SECOND
           WHERE id = v_locked;
        END IF;
      END IF;
    END IF;
  END FOR;
  COMMIT;

  SELECT d.id AS delivery_id, d.claim, d.tries, d.webhook_id,
         h.public_id AS webhook_public_id, h.dialect, h.url,
         IF(h.dialect = 'privacy', k.public_id, h.public_id) AS secret_of,
         IF(h.dialect = 'privacy', COALESCE(k.key_sealed, ''),
            h.secret_sealed) AS secret_sealed,
         IF(h.previous_until > wallet_now(w.clock_offset_s),
            h.previous_secret_sealed, NULL) AS previous_secret_sealed,
         e.id AS event_id,
         e.public_id AS event_public_id, e.type AS event_type, d.card_id,
         c.public_id AS card_public_id, w.mode, e.sequence, e.created_at,
         IF(b.event_id IS NULL, e.snapshot, NULL) AS snapshot, b.body_sealed,
         d.wallet_id, f.public_id AS funding_public_id, f.nickname,
         f.created_at AS funding_created_at, f.account_public_id,
         f.account_name
    FROM JSON_TABLE(CONCAT('[', v_ids, ']'), '$[*]' COLUMNS (
           number FOR ORDINALITY, id BIGINT UNSIGNED PATH '$')) AS l
    STRAIGHT_JOIN deliveries AS d ON d.id = l.id
    STRAIGHT_JOIN webhooks AS h ON h.id = d.webhook_id
    STRAIGHT_JOIN wallets AS w ON w.id = d.wallet_id
    STRAIGHT_JOIN events AS e ON e.id = d.event_id
    LEFT JOIN api_keys AS k
      ON k.id = IF(h.dialect = 'privacy',
                   privacy_signer(h.wallet_id, h.api_key_id), NULL)
    LEFT JOIN funding_rows AS f
      ON f.wallet_id = IF(h.dialect = 'privacy', h.wallet_id, NULL)
    LEFT JOIN cards AS c ON c.id = d.card_id
    LEFT JOIN event_bodies AS b
      ON b.event_id = e.id AND b.dialect = h.dialect
   WHERE d.status = 'pending'
   ORDER BY l.number;
END//

-- Keeps what is sent, once for all attempts and couriers: the first stays.
-- p_bodies: [{"event_id": 1, "dialect": "native", "body": base64}]. Answers
-- what is kept.
CREATE OR REPLACE PROCEDURE courier_keep(IN p_bodies LONGTEXT)
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  INSERT IGNORE INTO event_bodies (event_id, dialect, body_sealed)
  SELECT event_id, dialect, FROM_BASE64(body)
    FROM JSON_TABLE(p_bodies, '$[*]' COLUMNS (
           event_id BIGINT UNSIGNED PATH '$.event_id',
           dialect VARCHAR(16) PATH '$.dialect',
           body LONGTEXT PATH '$.body')) AS l
   ORDER BY event_id;
  COMMIT;
  SELECT b.event_id, b.dialect, b.body_sealed
    FROM JSON_TABLE(p_bodies, '$[*]' COLUMNS (
           event_id BIGINT UNSIGNED PATH '$.event_id',
           dialect VARCHAR(16) CHARACTER SET ascii PATH '$.dialect')) AS l
    JOIN event_bodies AS b
      ON b.event_id = l.event_id AND b.dialect = l.dialect;
END//

-- What attempts came to. p_results: [{"id": 1, "claim": 2, "outcome":
-- "delivered", "failed", "retry" or "gone", "delay_s": 300, "hold_s": null,
-- "status": 200, "error": null, "ms": 12, "at": "2026-01-02 03:04:05.678901",
-- "answer": base64}]; at is real time, UTC. Each attempt is kept; only the
-- newest claim's outcome counts, but what was delivered is delivered. One row:
-- recorded, how many deliveries there are of these.
CREATE OR REPLACE PROCEDURE courier_record(IN p_results LONGTEXT)
MODIFIES SQL DATA
BEGIN
  DECLARE v_recorded INT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  -- JSON is read once. attempt: of the batch's for this delivery, the last of
  -- which decides. Times are the wallet's.
  CREATE TEMPORARY TABLE IF NOT EXISTS courier_results (
    id BIGINT UNSIGNED NOT NULL, claim INT UNSIGNED NOT NULL,
    outcome VARCHAR(16) CHARACTER SET ascii NOT NULL,
    delay_s INT NULL, hold_s INT NULL, status SMALLINT UNSIGNED NULL,
    error VARCHAR(64) CHARACTER SET ascii NULL, ms INT UNSIGNED NOT NULL,
    at DATETIME(6) NOT NULL, now DATETIME(6) NOT NULL,
    webhook_id BIGINT UNSIGNED NOT NULL, attempt INT NOT NULL,
    attempts INT NOT NULL, answer BLOB NULL) ENGINE=Aria TRANSACTIONAL=0;
  DELETE FROM courier_results;
  START TRANSACTION;
  INSERT INTO courier_results
    (id, claim, outcome, delay_s, hold_s, status, error, ms, at, now,
     webhook_id, attempt, attempts, answer)
  SELECT r.id, r.claim, r.outcome, r.delay_s, r.hold_s, r.status,
         IF(r.outcome = 'delivered', r.error, COALESCE(r.error, 'status')),
         r.ms, r.at + INTERVAL w.clock_offset_s SECOND,
         UTC_TIMESTAMP(6) + INTERVAL w.clock_offset_s SECOND, d.webhook_id,
         ROW_NUMBER() OVER (PARTITION BY r.id
           ORDER BY r.outcome = 'delivered', r.claim, r.at),
         COUNT(*) OVER (PARTITION BY r.id), FROM_BASE64(r.answer)
    FROM JSON_TABLE(p_results, '$[*]' COLUMNS (
           id BIGINT UNSIGNED PATH '$.id',
           claim INT UNSIGNED PATH '$.claim',
           outcome VARCHAR(16) CHARACTER SET ascii PATH '$.outcome',
           delay_s INT PATH '$.delay_s',
           hold_s INT PATH '$.hold_s',
           status SMALLINT UNSIGNED PATH '$.status',
           error VARCHAR(64) CHARACTER SET ascii PATH '$.error',
           ms INT UNSIGNED PATH '$.ms',
           at DATETIME(6) PATH '$.at',
           answer TEXT CHARACTER SET ascii PATH '$.answer')) AS r
    STRAIGHT_JOIN deliveries AS d ON d.id = r.id
    STRAIGHT_JOIN wallets AS w ON w.id = d.wallet_id
   -- A courier that lost the answer says it all again.
   WHERE NOT EXISTS (SELECT 1 FROM delivery_attempts AS a
                      WHERE a.delivery_id = r.id
                        AND a.started_at = r.at
                                           + INTERVAL w.clock_offset_s SECOND)
   ORDER BY r.id;

  UPDATE courier_results AS r
    STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY) ON d.id = r.id
     SET d.attempts = LEAST(65535, d.attempts + r.attempts),
         d.tries = d.tries + (d.status = 'pending' AND d.claim = r.claim),
         d.last_error = CASE WHEN r.outcome = 'delivered' THEN NULL
                             WHEN d.status = 'pending' AND d.claim = r.claim
                             THEN r.error
                             ELSE d.last_error END,
         d.finished_at = CASE WHEN r.outcome = 'delivered'
                              THEN IF(d.status = 'delivered', d.finished_at,
                                      r.now)
                              WHEN d.status = 'pending'
                                   AND d.claim = r.claim
                                   AND r.outcome <> 'retry' THEN r.now
                              ELSE d.finished_at END,
         d.leased_until = IF(r.outcome = 'delivered' OR d.claim = r.claim,
                             NULL, d.leased_until),
         d.due_at = CASE WHEN r.outcome = 'delivered' THEN NULL
                         WHEN d.status = 'pending' AND d.claim = r.claim
                         THEN IF(r.outcome = 'retry',
                                 r.now + INTERVAL r.delay_s SECOND, NULL)
                         ELSE d.due_at END,
         d.queue_webhook_id = IF(r.outcome = 'delivered'
                                 OR (d.claim = r.claim
                                     AND r.outcome <> 'retry'),
                                 NULL, d.queue_webhook_id),
         d.status = CASE WHEN r.outcome = 'delivered' THEN 'delivered'
                         WHEN d.status = 'pending' AND d.claim = r.claim
                              AND r.outcome <> 'retry' THEN 'failed'
                         ELSE d.status END
   WHERE r.attempt = r.attempts;
  INSERT INTO delivery_attempts (delivery_id, number, started_at, duration_ms,
                                 status, error, answer_sealed)
  SELECT d.id, d.attempts - r.attempts + r.attempt, r.at, r.ms, r.status,
         r.error, r.answer
    FROM courier_results AS r STRAIGHT_JOIN deliveries AS d ON d.id = r.id
  -- Where the number can grow no more, the newest is kept.
  ON DUPLICATE KEY UPDATE
    started_at = VALUES(started_at), duration_ms = VALUES(duration_ms),
    status = VALUES(status), error = VALUES(error),
    answer_sealed = VALUES(answer_sealed);
  SET v_recorded = ROW_COUNT();

  CALL courier_record_endpoints();
  INSERT INTO courier_counters (outcome, slot, attempts, duration_ms)
  SELECT outcome, CONNECTION_ID() MOD 16, COUNT(*) AS made, SUM(ms) AS spent
    FROM courier_results AS r GROUP BY outcome
  ON DUPLICATE KEY UPDATE
    courier_counters.attempts = courier_counters.attempts + VALUES(attempts),
    courier_counters.duration_ms = courier_counters.duration_ms
                                   + VALUES(duration_ms);
  COMMIT;
  DELETE FROM courier_results;
  SELECT v_recorded AS recorded;
END//

-- What the results say of their endpoints: when each was last reached and not,
-- whether it asked us to wait, has gone, or has failed everything for 5 days.
CREATE OR REPLACE PROCEDURE courier_record_endpoints()
MODIFIES SQL DATA
UPDATE (SELECT webhook_id, MAX(now) AS now, MAX(hold_s) AS hold_s,
               MAX(outcome = 'gone') AS gone,
               MAX(IF(outcome = 'delivered', at, NULL)) AS last_success,
               MAX(IF(outcome = 'delivered', NULL, at)) AS last_failure,
               MIN(IF(outcome = 'delivered', NULL, at)) AS first_failure,
               SUBSTRING_INDEX(GROUP_CONCAT(
                 IF(outcome = 'delivered', NULL, error)
                 ORDER BY at DESC), ',', 1) AS error
          FROM courier_results
         GROUP BY webhook_id) AS r
  STRAIGHT_JOIN webhooks AS h FORCE INDEX (PRIMARY) ON h.id = r.webhook_id
   SET h.last_success_at = COALESCE(r.last_success, h.last_success_at),
       h.last_failure_at = COALESCE(r.last_failure, h.last_failure_at),
       h.last_error = COALESCE(r.error, h.last_error),
       h.held_until = IF(r.hold_s IS NULL, h.held_until,
                         GREATEST(COALESCE(h.held_until, r.now),
                                  r.now + INTERVAL r.hold_s SECOND)),
       h.disabled_reason =
         CASE WHEN h.disabled_at IS NOT NULL THEN h.disabled_reason
              WHEN r.gone THEN 'gone'
              WHEN r.last_success IS NULL
                   AND h.failing_since <= r.now - INTERVAL 5 DAY
              THEN 'failing' END,
       h.disabled_at =
         CASE WHEN h.disabled_at IS NOT NULL THEN h.disabled_at
              WHEN r.gone THEN r.now
              WHEN r.last_success IS NULL
                   AND h.failing_since <= r.now - INTERVAL 5 DAY
              THEN r.now END,
       h.failing_since =
         CASE WHEN r.last_failure IS NULL THEN NULL
              WHEN r.last_success IS NULL
              THEN COALESCE(h.failing_since, r.first_failure)
              WHEN r.last_failure > r.last_success THEN r.last_failure END//

-- What a courier that ends had claimed and did not begin (ids, separated by
-- commas) is due at once, and its endpoints are anyone's. One row: released.
CREATE OR REPLACE PROCEDURE courier_release(
  IN p_courier CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_deliveries TEXT CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_ids LONGTEXT CHARACTER SET ascii;
  DECLARE v_released INT DEFAULT 0;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  SET SESSION group_concat_max_len = 16777216;
  START TRANSACTION;
  SELECT GROUP_CONCAT(d.id ORDER BY d.id) INTO v_ids
    FROM JSON_TABLE(CONCAT('[', p_deliveries, ']'), '$[*]'
           COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
    STRAIGHT_JOIN deliveries AS d ON d.id = l.id
    STRAIGHT_JOIN webhooks AS h ON h.id = d.webhook_id
   WHERE h.leased_by = p_courier;
  IF v_ids IS NOT NULL THEN
    UPDATE JSON_TABLE(CONCAT('[', v_ids, ']'), '$[*]'
             COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
      STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY) ON d.id = l.id
       SET d.due_at = '1970-01-01', d.leased_until = NULL
     WHERE d.status = 'pending';
    SET v_released = ROW_COUNT();
  END IF;
  UPDATE webhooks SET leased_by = NULL, leased_until = NULL
   WHERE leased_by = p_courier;
  COMMIT;
  SELECT v_released AS released;
END//

-- How much waits, at most as much as is looked at, and how late the couriers
-- are with what is due first: where nothing succeeds they try seldom, and where
-- they were asked to wait they do. A test wallet's clock is set aside.
CREATE OR REPLACE VIEW courier_queue AS
SELECT (SELECT COUNT(*)
          FROM (SELECT id FROM deliveries FORCE INDEX (queue)
                 WHERE queue_webhook_id > 0 LIMIT 100001) AS looked_at)
         AS waiting,
       (SELECT COALESCE(MAX(GREATEST(0,
                 (SELECT TIMESTAMPDIFF(SECOND,
                           GREATEST(COALESCE(h.held_until, '1970-01-01'),
                             IF(d.due_at = '1970-01-01', d.created_at,
                                d.due_at)),
                           UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND)
                    FROM deliveries AS d FORCE INDEX (queue)
                   WHERE d.queue_webhook_id = h.id
                   ORDER BY d.due_at, d.id LIMIT 1))), 0)
          FROM webhooks AS h
          STRAIGHT_JOIN wallets AS w ON w.id = h.wallet_id
         WHERE h.failing_since IS NULL AND h.disabled_at IS NULL
           AND h.deleted_at IS NULL) AS oldest_s//

-- For /metrics.
CREATE OR REPLACE VIEW courier_totals AS
SELECT q.waiting, q.oldest_s, h.failing, h.disabled, c.delivered, c.retried,
       c.failed, c.gone, c.duration_ms
  FROM courier_queue AS q
  JOIN (SELECT CAST(COALESCE(SUM(status = 'failing'), 0) AS SIGNED) AS failing,
               CAST(COALESCE(SUM(status = 'disabled'), 0) AS SIGNED)
                 AS disabled
          FROM webhook_rows) AS h
  JOIN (SELECT
          CAST(COALESCE(SUM(IF(outcome = 'delivered', attempts, 0)), 0)
               AS SIGNED) AS delivered,
          CAST(COALESCE(SUM(IF(outcome = 'retry', attempts, 0)), 0)
               AS SIGNED) AS retried,
          CAST(COALESCE(SUM(IF(outcome = 'failed', attempts, 0)), 0)
               AS SIGNED) AS failed,
          CAST(COALESCE(SUM(IF(outcome = 'gone', attempts, 0)), 0)
               AS SIGNED) AS gone,
          CAST(COALESCE(SUM(duration_ms), 0) AS SIGNED) AS duration_ms
          FROM courier_counters) AS c//

DELIMITER ;
