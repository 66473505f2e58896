-- SPDX-License-Identifier: Apache-2.0
-- Leases of a courier that is at work: kept while it lives, and what it took
-- but cannot use put back.

DELIMITER //

-- Endpoints (ids, separated by commas) stay the courier's for p_lease_s more
-- seconds. Answers those that are, and still wanted, as they are now.
CREATE OR REPLACE PROCEDURE courier_renew(
  IN p_courier CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_webhooks TEXT CHARACTER SET ascii, IN p_lease_s INT)
MODIFIES SQL DATA
BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  UPDATE JSON_TABLE(CONCAT('[', p_webhooks, ']'), '$[*]'
           COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
    STRAIGHT_JOIN webhooks AS h FORCE INDEX (PRIMARY) ON h.id = l.id
     SET h.leased_until = UTC_TIMESTAMP(6) + INTERVAL p_lease_s SECOND
   WHERE h.leased_by = p_courier AND h.disabled_at IS NULL
     AND h.deleted_at IS NULL;
  COMMIT;
  SELECT h.id, h.url,
         IF(h.dialect = 'privacy', k.public_id, h.public_id) AS secret_of,
         IF(h.dialect = 'privacy', COALESCE(k.key_sealed, ''),
            h.secret_sealed) AS secret_sealed,
         IF(h.previous_until > wallet_now(w.clock_offset_s),
            h.previous_secret_sealed, NULL) AS previous_secret_sealed
    FROM JSON_TABLE(CONCAT('[', p_webhooks, ']'), '$[*]'
           COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
    STRAIGHT_JOIN webhooks AS h ON h.id = l.id
    STRAIGHT_JOIN wallets AS w ON w.id = h.wallet_id
    LEFT JOIN api_keys AS k
      ON k.id = IF(h.dialect = 'privacy',
                   privacy_signer(h.wallet_id, h.api_key_id), NULL)
   WHERE h.leased_by = p_courier AND h.disabled_at IS NULL
     AND h.deleted_at IS NULL;
END//

-- Deliveries (ids, separated by commas) that were claimed and will not be
-- started are due at once again. The endpoints stay the courier's.
CREATE OR REPLACE PROCEDURE courier_put_back(
  IN p_courier CHAR(16) CHARACTER SET ascii COLLATE ascii_bin,
  IN p_deliveries TEXT CHARACTER SET ascii)
MODIFIES SQL DATA
BEGIN
  DECLARE v_ids LONGTEXT CHARACTER SET ascii;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;

  START TRANSACTION;
  SELECT GROUP_CONCAT(d.id ORDER BY d.id) INTO v_ids
    FROM JSON_TABLE(CONCAT('[', p_deliveries, ']'), '$[*]'
           COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
    STRAIGHT_JOIN deliveries AS d ON d.id = l.id
    STRAIGHT_JOIN webhooks AS h ON h.id = d.webhook_id
   WHERE h.leased_by = p_courier;
  UPDATE JSON_TABLE(CONCAT('[', COALESCE(v_ids, ''), ']'), '$[*]'
           COLUMNS (id BIGINT UNSIGNED PATH '$')) AS l
    STRAIGHT_JOIN deliveries AS d FORCE INDEX (PRIMARY) ON d.id = l.id
     SET d.due_at = '1970-01-01', d.leased_until = NULL
   WHERE d.status = 'pending';
  COMMIT;
END//

DELIMITER ;
