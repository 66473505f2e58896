-- SPDX-License-Identifier: Apache-2.0
-- What a card's limits look back on, and what they leave.

DELIMITER //

-- What is used after this moment counts at p_now. The year is the calendar's;
-- the others trail, the month from the same day of the last one.
CREATE OR REPLACE FUNCTION limit_window_start(
  p_window VARCHAR(16) CHARACTER SET ascii, p_now DATETIME)
RETURNS DATETIME DETERMINISTIC NO SQL
RETURN CASE p_window WHEN 'daily' THEN p_now - INTERVAL 1 DAY
                     WHEN 'weekly' THEN p_now - INTERVAL 7 DAY
                     WHEN 'monthly' THEN p_now - INTERVAL 1 MONTH
                     WHEN 'yearly' THEN MAKEDATE(YEAR(p_now), 1)
                                        - INTERVAL 1 SECOND END//

-- What the card used after a moment: seconds up to the next full minute,
-- minutes up to the next hour, hours up to the next day, and days. Never more
-- rows than that, whatever the card has done.
CREATE OR REPLACE FUNCTION card_usage_since(
  p_card_id BIGINT UNSIGNED, p_after DATETIME)
RETURNS BIGINT READS SQL DATA
BEGIN
  DECLARE v_second DATETIME DEFAULT p_after + INTERVAL 1 SECOND;
  DECLARE v_minute DATETIME DEFAULT
    v_second + INTERVAL (60 - SECOND(v_second)) MOD 60 SECOND;
  DECLARE v_hour DATETIME DEFAULT
    v_minute + INTERVAL (60 - MINUTE(v_minute)) MOD 60 MINUTE;
  DECLARE v_day DATETIME DEFAULT
    v_hour + INTERVAL (24 - HOUR(v_hour)) MOD 24 HOUR;

  RETURN (SELECT COALESCE(SUM(cents), 0)
            FROM card_usage FORCE INDEX (PRIMARY)
           WHERE card_id = p_card_id
             AND (level = 0 AND start >= v_second AND start < v_minute
                  OR level = 1 AND start >= v_minute AND start < v_hour
                  OR level = 2 AND start >= v_hour AND start < v_day
                  OR level = 3 AND start >= v_day));
END//

-- What the card has used, as the card's own page shows it. resets_at: when the
-- oldest use in the window leaves it; NULL where none will.
CREATE OR REPLACE FUNCTION limit_resets_at(
  p_card_id BIGINT UNSIGNED, p_window VARCHAR(16) CHARACTER SET ascii,
  p_now DATETIME)
RETURNS DATETIME READS SQL DATA
BEGIN
  DECLARE v_first, v_leaves DATETIME;

  IF p_window = 'yearly' THEN
    RETURN MAKEDATE(YEAR(p_now) + 1, 1);
  END IF;
  -- The first in the key's order: MIN would read all that are in the window.
  SELECT start INTO v_first FROM card_usage FORCE INDEX (PRIMARY)
   WHERE card_id = p_card_id AND level = 0 AND cents > 0
     AND start > limit_window_start(p_window, p_now)
   ORDER BY start LIMIT 1;
  SET v_leaves = CASE p_window WHEN 'daily' THEN v_first + INTERVAL 1 DAY
                               WHEN 'weekly' THEN v_first + INTERVAL 7 DAY
                               WHEN 'monthly' THEN v_first + INTERVAL 1 MONTH
                               END;
  -- 31 January has no day in February: it leaves with the first of March.
  IF p_window = 'monthly' AND v_leaves - INTERVAL 1 MONTH < v_first THEN
    SET v_leaves = LAST_DAY(v_leaves) + INTERVAL 1 DAY;
  END IF;
  RETURN v_leaves;
END//

CREATE OR REPLACE VIEW card_limits AS
SELECT c.id AS card_id,
       CASE c.limit_window
         WHEN 'transaction' THEN 0
         WHEN 'forever' THEN c.used_cents
         ELSE card_usage_since(c.id, limit_window_start(c.limit_window,
                UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND))
       END AS limit_used_cents,
       card_usage_since(c.id, limit_window_start('monthly',
         UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND))
         AS month_used_cents,
       IF(c.spending_limit_cents = 0, NULL,
          limit_resets_at(c.id, c.limit_window,
            UTC_TIMESTAMP() + INTERVAL w.clock_offset_s SECOND))
         AS limit_resets_at
  FROM cards AS c
  JOIN wallets AS w ON w.id = c.wallet_id//

DELIMITER ;
