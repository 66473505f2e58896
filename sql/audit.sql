-- SPDX-License-Identifier: Apache-2.0
-- The audit's checks. Each is a view whose rows are disagreements: of what,
-- what was expected, what was found; an audit that finds nothing is empty
-- views. cardstock-migrate installs them for operators; cardstock-audit runs
-- the SELECTs of this very file, so that a view changed in the database hides
-- nothing from it. What must read every entry in order (journals that sum to
-- zero, chains of balances, seals) is in cardstock-audit itself.

-- Whoever posts takes from one account what he gives to another.
CREATE OR REPLACE VIEW audit_mode_sums AS
SELECT CONCAT('ledger in ', mode) AS subject, '0' AS expected,
       CONCAT(SUM(balance_cents)) AS found
  FROM ledger_accounts
 GROUP BY mode
HAVING SUM(balance_cents) <> 0;

-- Only the network may take what pays below zero, and the card is frozen then;
-- where one waits for its first funding, only the network may have used it.
CREATE OR REPLACE VIEW audit_balance_signs AS
SELECT CONCAT('account ', a.owner_key) AS subject,
       CASE c.status WHEN 'terminated' THEN 'at most 0'
                     WHEN 'pending_top_up' THEN '0'
                     ELSE 'at least 0' END AS expected,
       CONCAT(a.balance_cents) AS found
  FROM ledger_accounts AS a
  LEFT JOIN cards AS c ON c.id = a.card_id
 WHERE (a.kind = 'hold' AND a.balance_cents < 0)
    OR (a.kind = 'wallet' AND a.balance_cents < 0
        AND NOT EXISTS (SELECT 1 FROM cards AS d
                         WHERE d.wallet_id = a.wallet_id
                           AND (d.funding = 'wallet'
                                -- A refund to the wallet, taken back.
                                OR d.status = 'terminated'
                                   AND EXISTS
                                       (SELECT 1 FROM transactions AS t
                                         WHERE t.card_id = d.id
                                           AND t.kind = 'refund'
                                           AND t.reversed_cents > 0))))
    OR (a.kind = 'card' AND a.balance_cents < 0 AND c.status = 'active')
    OR (a.kind = 'card' AND a.balance_cents > 0 AND c.status = 'terminated')
    OR (a.kind = 'card' AND a.balance_cents <> 0
        AND c.status = 'pending_top_up' AND c.transaction_count = 0);

-- total_deposited - total_spent = balance, as the wallet's reply says.
CREATE OR REPLACE VIEW audit_wallet_identity AS
SELECT CONCAT('wallet ', w.id) AS subject,
       CONCAT(w.total_deposited_cents - w.total_spent_cents) AS expected,
       COALESCE(CONCAT(a.balance_cents), 'no account') AS found
  FROM wallets AS w
  LEFT JOIN ledger_accounts AS a ON a.id = w.ledger_account_id
 WHERE a.id IS NULL
    OR a.balance_cents <> w.total_deposited_cents - w.total_spent_cents;

-- The two totals from the wallet's entries.
CREATE OR REPLACE VIEW audit_wallet_totals AS
SELECT CONCAT('wallet ', w.id) AS subject,
       CONCAT('deposited ', COALESCE(e.deposited, 0), ' spent ',
              COALESCE(e.spent, 0)) AS expected,
       CONCAT('deposited ', w.total_deposited_cents, ' spent ',
              w.total_spent_cents) AS found
  FROM wallets AS w
  LEFT JOIN (SELECT a.wallet_id,
                    SUM(IF(j.kind IN ('deposit', 'deposit_reversal',
                                      'adjustment'), e.amount_cents, 0))
                      AS deposited,
                    -SUM(IF(j.kind IN ('deposit', 'deposit_reversal',
                                       'adjustment'), 0, e.amount_cents))
                      AS spent
               FROM ledger_accounts AS a
               JOIN ledger_entries AS e ON e.ledger_account_id = a.id
               JOIN ledger_journals AS j ON j.id = e.journal_id
              WHERE a.kind = 'wallet'
              GROUP BY a.wallet_id) AS e ON e.wallet_id = w.id
 WHERE w.total_deposited_cents <> COALESCE(e.deposited, 0)
    OR w.total_spent_cents <> COALESCE(e.spent, 0);

-- Each wallet and card has its own accounts, in its own world.
CREATE OR REPLACE VIEW audit_account_owners AS
SELECT CONCAT('wallet ', w.id) AS subject,
       CONCAT('wallet:', w.mode, ':', w.id) AS expected,
       COALESCE(a.owner_key, 'no account') AS found
  FROM wallets AS w
  LEFT JOIN ledger_accounts AS a ON a.id = w.ledger_account_id
 WHERE a.id IS NULL OR a.kind <> 'wallet' OR a.wallet_id <> w.id
    OR a.mode <> w.mode
 UNION ALL
SELECT CONCAT('card ', c.public_id), CONCAT('card:', w.mode, ':', c.id),
       COALESCE(a.owner_key, 'no account')
  FROM cards AS c
  JOIN wallets AS w ON w.id = c.wallet_id
  LEFT JOIN ledger_accounts AS a ON a.id = c.ledger_account_id
 WHERE c.funding = 'prepaid'
   AND (a.id IS NULL OR a.kind <> 'card' OR a.card_id <> c.id
        OR a.wallet_id <> c.wallet_id OR a.mode <> w.mode)
 UNION ALL
SELECT CONCAT('card ', c.public_id), CONCAT('hold:', w.mode, ':', c.id),
       COALESCE(a.owner_key, 'no account')
  FROM cards AS c
  JOIN wallets AS w ON w.id = c.wallet_id
  LEFT JOIN ledger_accounts AS a ON a.id = c.hold_account_id
 WHERE a.id IS NULL OR a.kind <> 'hold' OR a.card_id <> c.id
    OR a.wallet_id <> c.wallet_id OR a.mode <> w.mode
 UNION ALL
SELECT CONCAT('account ', a.owner_key), 'a card that it is of', 'none'
  FROM ledger_accounts AS a
  LEFT JOIN cards AS c
    ON c.id = a.card_id
   AND a.id = IF(a.kind = 'card', c.ledger_account_id, c.hold_account_id)
 WHERE a.kind IN ('card', 'hold') AND c.id IS NULL
 UNION ALL
SELECT CONCAT('account ', a.owner_key), 'a wallet that it is of', 'none'
  FROM ledger_accounts AS a
  LEFT JOIN wallets AS w ON w.ledger_account_id = a.id
 WHERE a.kind = 'wallet' AND w.id IS NULL;

-- A hold account holds what the card's open transactions hold.
CREATE OR REPLACE VIEW audit_holds AS
SELECT CONCAT('account ', a.owner_key) AS subject,
       CONCAT(COALESCE(t.held, 0)) AS expected,
       CONCAT(a.balance_cents) AS found
  FROM ledger_accounts AS a
  LEFT JOIN (SELECT card_id, SUM(authorized_cents - reversed_cents
                                 - cleared_cents - expired_cents) AS held
               FROM transactions
              WHERE hold_expires_at IS NOT NULL
              GROUP BY card_id) AS t ON t.card_id = a.card_id
 WHERE a.kind = 'hold' AND a.balance_cents <> COALESCE(t.held, 0);

-- A transaction's figures are what its events made them, and its status and
-- type are what its figures say. An advice says no more than what is held.
CREATE OR REPLACE VIEW audit_transactions AS
SELECT CONCAT('transaction ', t.public_id) AS subject,
       CONCAT_WS(' ', 'authorized', IF(e.advised, t.authorized_cents,
                                       e.authorized),
                 'reversed', e.reversed, 'cleared', e.cleared,
                 'expired', e.expired, 'held', e.held, 'events', e.events,
                 'balance', e.balance) AS expected,
       CONCAT_WS(' ', 'authorized', t.authorized_cents,
                 'reversed', t.reversed_cents, 'cleared', t.cleared_cents,
                 'expired', t.expired_cents, 'held',
                 GREATEST(0, t.authorized_cents - t.reversed_cents
                             - t.cleared_cents - t.expired_cents),
                 'events', t.event_count, 'balance', t.balance_after_cents)
         AS found
  FROM transactions AS t
  JOIN (SELECT e.transaction_id, COUNT(*) AS events, MAX(e.number) AS newest,
               MAX(e.type = 'advice') AS advised,
               SUM(IF(e.approved AND e.type IN ('authorization', 'increment',
                                                'force_post'),
                      e.amount_cents, 0)) AS authorized,
               SUM(IF(e.type IN ('reversal', 'release', 'refund_reversal'),
                      e.amount_cents, 0)) AS reversed,
               SUM(IF(e.type IN ('clearing', 'force_post'), e.amount_cents,
                      0)) AS cleared,
               SUM(IF(e.type = 'expiry', e.amount_cents, 0)) AS expired,
               SUM(e.hold_cents) AS held,
               SUM(IF(e.number = t.event_count, e.balance_after_cents, 0))
                 AS balance
          FROM transactions AS t
          JOIN transaction_events AS e ON e.transaction_id = t.id
         GROUP BY e.transaction_id) AS e ON e.transaction_id = t.id
 WHERE (NOT e.advised AND e.authorized <> t.authorized_cents)
    OR e.reversed <> t.reversed_cents OR e.cleared <> t.cleared_cents
    OR e.expired <> t.expired_cents
    OR e.held <> GREATEST(0, t.authorized_cents - t.reversed_cents
                             - t.cleared_cents - t.expired_cents)
    OR e.events <> t.event_count OR e.newest <> t.event_count
    OR e.balance <> t.balance_after_cents
 UNION ALL
SELECT CONCAT('transaction ', t.public_id), 'events', 'none'
  FROM transactions AS t
  LEFT JOIN transaction_events AS e
    ON e.transaction_id = t.id AND e.number = 1
 WHERE e.transaction_id IS NULL
 UNION ALL
SELECT CONCAT('transaction ', t.public_id),
       CONCAT(t.wanted_type, ' ', t.wanted_status),
       CONCAT(t.type, ' ', t.status)
  FROM (SELECT public_id, CONCAT(type) AS type, CONCAT(status) AS status,
               CASE WHEN decline_reason IS NOT NULL THEN 'decline'
                    WHEN kind = 'refund' THEN 'refund'
                    WHEN cleared_cents > 0 THEN 'settlement'
                    ELSE 'authorization' END AS wanted_type,
               CASE WHEN decline_reason IS NOT NULL THEN 'declined'
                    WHEN kind = 'refund'
                    THEN IF(reversed_cents < requested_cents, 'settled',
                            'voided')
                    WHEN hold_expires_at IS NOT NULL THEN 'pending'
                    WHEN cleared_cents > 0
                    THEN IF(refunded_cents < cleared_cents, 'settled',
                            'refunded')
                    WHEN expired_cents > 0 THEN 'expired'
                    WHEN authorized_cents = 0 AND event_count = 1
                    THEN 'settled'
                    ELSE 'voided' END AS wanted_status
          FROM transactions) AS t
 WHERE t.type <> t.wanted_type OR t.status <> t.wanted_status;

-- The journals of payments and the events of transactions are the same
-- movements, told twice: what each did to the hold and to the network.
CREATE OR REPLACE VIEW audit_payment_journals AS
SELECT CONCAT('journal ', j.id, ', ', j.kind) AS subject,
       CONCAT('hold ', j.held, ' network ', j.network) AS expected,
       COALESCE(CONCAT('hold ', e.held, ' network ', e.network), 'no event')
         AS found
  FROM (SELECT j.id, j.kind,
               SUM(IF(a.kind = 'hold', l.amount_cents, 0)) AS held,
               SUM(IF(a.kind = 'network_settlement', l.amount_cents, 0))
                 AS network,
               MAX(a.card_id) AS card_id
          FROM ledger_journals AS j
          JOIN ledger_entries AS l ON l.journal_id = j.id
          JOIN ledger_accounts AS a ON a.id = l.ledger_account_id
         WHERE j.kind IN ('authorization', 'increment', 'advice', 'reversal',
                          'expiry', 'release', 'clearing', 'force_post',
                          'refund', 'refund_reversal')
         GROUP BY j.id) AS j
  LEFT JOIN (SELECT e.journal_id, SUM(e.hold_cents) AS held,
                    SUM(CASE WHEN e.type IN ('clearing', 'force_post',
                                             'refund_reversal')
                             THEN e.amount_cents
                             WHEN e.type = 'refund' THEN -e.amount_cents
                             ELSE 0 END) AS network,
                    MAX(t.card_id) AS card_id,
                    COUNT(DISTINCT t.id) AS transactions,
                    MIN(CONCAT(e.type)) AS kind
               FROM transaction_events AS e
               JOIN transactions AS t ON t.id = e.transaction_id
              GROUP BY e.journal_id) AS e ON e.journal_id = j.id
 WHERE e.journal_id IS NULL OR e.held <> j.held OR e.network <> j.network
    OR e.transactions <> 1 OR e.kind <> j.kind
    OR e.card_id <> COALESCE(j.card_id, e.card_id)
 UNION ALL
SELECT CONCAT('transaction ', t.public_id, ' event ', e.number, ', ',
              e.type),
       IF(e.approved, 'a journal', 'no journal'), COALESCE(j.kind, 'none')
  FROM transaction_events AS e
  JOIN transactions AS t ON t.id = e.transaction_id
  LEFT JOIN ledger_journals AS j ON j.id = e.journal_id
 WHERE (j.id IS NULL AND (e.hold_cents <> 0
                          OR e.type IN ('clearing', 'force_post', 'refund',
                                        'reversal', 'expiry', 'release',
                                        'refund_reversal')))
    OR (j.id IS NOT NULL AND NOT e.approved);

-- What the cards' rows add up, from their transactions.
CREATE OR REPLACE VIEW audit_card_totals AS
SELECT CONCAT('card ', c.public_id) AS subject,
       CONCAT_WS(' ', 'spent', COALESCE(t.spent, 0),
                 'transactions', COALESCE(t.transactions, 0),
                 'approvals', COALESCE(t.approvals, 0),
                 'used', COALESCE(t.used, 0)) AS expected,
       CONCAT_WS(' ', 'spent', c.total_spent_cents,
                 'transactions', c.transaction_count,
                 'approvals', c.approval_count,
                 'used', c.used_cents) AS found
  FROM cards AS c
  LEFT JOIN (SELECT t.card_id,
                    SUM(IF(t.kind = 'refund',
                           t.reversed_cents - t.requested_cents,
                           t.cleared_cents)) AS spent,
                    SUM(t.status <> 'declined') AS transactions,
                    SUM(e.type = 'authorization' AND e.hold_cents > 0)
                      AS approvals,
                    SUM(IF(t.kind = 'refund', 0,
                           t.authorized_cents - t.reversed_cents
                           - t.expired_cents)) AS used
               FROM transactions AS t
               JOIN transaction_events AS e
                 ON e.transaction_id = t.id AND e.number = 1
              GROUP BY t.card_id) AS t ON t.card_id = c.id
 WHERE COALESCE(t.spent, 0) <> c.total_spent_cents
    OR COALESCE(t.transactions, 0) <> c.transaction_count
    OR COALESCE(t.approvals, 0) <> c.approval_count
    OR COALESCE(t.used, 0) <> c.used_cents;

-- What counts toward the limits, from the transactions. The finer rows are
-- removed when they are forty days old.
CREATE OR REPLACE VIEW audit_card_usage AS
SELECT CONCAT('card_usage of card ', card_id, ', level ', level, ' at ',
              start) AS subject,
       CONCAT(SUM(counted)) AS expected, CONCAT(SUM(kept)) AS found
  FROM (SELECT t.card_id, l.seq AS level,
               CASE l.seq
                 WHEN 0 THEN t.created_at
                 WHEN 1 THEN t.created_at
                             - INTERVAL SECOND(t.created_at) SECOND
                 WHEN 2 THEN t.created_at
                             - INTERVAL TIME_TO_SEC(t.created_at) MOD 3600
                               SECOND
                 ELSE TIMESTAMP(DATE(t.created_at)) END AS start,
               t.authorized_cents - t.reversed_cents - t.expired_cents
                 AS counted, 0 AS kept
          FROM transactions AS t
          JOIN seq_0_to_3 AS l
         WHERE t.kind <> 'refund'
         UNION ALL
        SELECT card_id, level, start, 0, cents FROM card_usage) AS both_sides
 WHERE level = 3 OR start >= UTC_TIMESTAMP() - INTERVAL 39 DAY
 GROUP BY card_id, level, start
HAVING SUM(counted) <> SUM(kept);

-- The counts behind the lists' totals.
CREATE OR REPLACE VIEW audit_transaction_counts AS
SELECT CONCAT('wallet ', wallet_id, ' card ', card_id, ' ', type) AS subject,
       CONCAT(SUM(counted)) AS expected, CONCAT(SUM(kept)) AS found
  FROM (SELECT wallet_id, card_id, CONCAT(type) AS type,
               COUNT(*) AS counted, 0 AS kept
          FROM transactions GROUP BY wallet_id, card_id, type
         UNION ALL
        SELECT wallet_id, card_id, CONCAT(type), 0, transactions
          FROM transaction_counts) AS both_sides
 GROUP BY wallet_id, card_id, type
HAVING SUM(counted) <> SUM(kept);

-- What was given back of a purchase, by refunds of its own card.
CREATE OR REPLACE VIEW audit_refunds AS
SELECT CONCAT('transaction ', o.public_id) AS subject,
       CONCAT('refunded ', COALESCE(r.refunded, 0)) AS expected,
       CONCAT('refunded ', o.refunded_cents) AS found
  FROM transactions AS o
  LEFT JOIN (SELECT original_transaction_id,
                    SUM(requested_cents - reversed_cents) AS refunded
               FROM transactions
              WHERE original_transaction_id IS NOT NULL
              GROUP BY original_transaction_id) AS r
    ON r.original_transaction_id = o.id
 WHERE o.refunded_cents <> COALESCE(r.refunded, 0)
 UNION ALL
SELECT CONCAT('transaction ', r.public_id), 'a refund of its card''s purchase',
       CONCAT(r.kind, ' of ', o.public_id)
  FROM transactions AS r
  JOIN transactions AS o ON o.id = r.original_transaction_id
 WHERE r.kind <> 'refund' OR o.kind = 'refund' OR r.card_id <> o.card_id;

-- A reference is one transaction's, and in one place.
CREATE OR REPLACE VIEW audit_network_refs AS
SELECT CONCAT('network reference ', n.network_ref, ' in ', n.scope) AS subject,
       'the transaction that has it' AS expected,
       COALESCE(t.public_id, 'none') AS found
  FROM network_refs AS n
  LEFT JOIN transactions AS t ON t.id = n.transaction_id
 WHERE n.transaction_id IS NOT NULL
   AND (t.id IS NULL OR NOT t.network_ref <=> n.network_ref
        OR n.scope NOT IN (0, t.wallet_id) OR NOT n.answered)
 UNION ALL
SELECT CONCAT('transaction ', t.public_id), '1 network reference',
       CONCAT(COUNT(n.scope))
  FROM transactions AS t
  LEFT JOIN network_refs AS n ON n.transaction_id = t.id
 WHERE t.network_ref IS NOT NULL
 GROUP BY t.id
HAVING COUNT(n.scope) <> 1
 UNION ALL
SELECT CONCAT('network reference ', n.network_ref, ' in ', n.scope),
       'waiting while reversals wait for it',
       IF(n.reversal_waiting, 'waiting', 'not waiting')
  FROM network_refs AS n
 WHERE n.reversal_waiting
       <> (NOT n.answered
           AND EXISTS (SELECT 1 FROM early_reversals AS r
                        WHERE r.scope = n.scope
                          AND r.network_ref = n.network_ref))
 UNION ALL
SELECT CONCAT('early reversal ', r.number, ' of ', r.network_ref, ' in ',
              r.scope),
       'a release of no more than it says', COALESCE(e.type, 'none')
  FROM early_reversals AS r
  JOIN network_refs AS n
    ON n.scope = r.scope AND n.network_ref = r.network_ref
  LEFT JOIN transactions AS t ON t.id = n.transaction_id
  LEFT JOIN transaction_events AS e
    ON e.transaction_id = t.id AND e.number = r.event_number
 WHERE IF(r.event_number IS NULL,
          r.number = 1 AND t.kind = 'purchase' AND t.status <> 'declined',
          e.type IS NULL OR e.type <> 'reversal'
          OR NOT e.message_ref <=> r.message_ref
          OR e.amount_cents > r.amount_cents);

-- A confirmed deposit is one journal of its amounts, into its own wallet.
CREATE OR REPLACE VIEW audit_deposits AS
SELECT CONCAT('deposit ', d.public_id) AS subject,
       CONCAT('credited ', d.credited_usd_cents, ' fee ', d.fee_usd_cents,
              ' cleared ', d.amount_usd_cents) AS expected,
       CONCAT('credited ', d.credited, ' fee ', d.fee, ' cleared ',
              d.cleared) AS found
  FROM (SELECT d.public_id, d.credited_usd_cents, d.fee_usd_cents,
               d.amount_usd_cents,
               (SELECT COALESCE(SUM(e.amount_cents), 0)
                  FROM ledger_entries AS e
                  JOIN ledger_accounts AS a ON a.id = e.ledger_account_id
                 WHERE e.journal_id = j.id AND a.kind = 'wallet'
                   AND a.wallet_id = d.wallet_id) AS credited,
               (SELECT COALESCE(SUM(e.amount_cents), 0)
                  FROM ledger_entries AS e
                  JOIN ledger_accounts AS a ON a.id = e.ledger_account_id
                 WHERE e.journal_id = j.id AND a.kind = 'fee_income') AS fee,
               (SELECT COALESCE(-SUM(e.amount_cents), 0)
                  FROM ledger_entries AS e
                  JOIN ledger_accounts AS a ON a.id = e.ledger_account_id
                 WHERE e.journal_id = j.id
                   AND a.kind = 'crypto_clearing') AS cleared
          FROM deposits AS d
          LEFT JOIN ledger_journals AS j
            ON j.kind = 'deposit' AND j.reference = d.public_id
         WHERE d.status = 'confirmed') AS d
 WHERE d.credited <> d.credited_usd_cents OR d.fee <> d.fee_usd_cents
    OR d.cleared <> d.amount_usd_cents
 UNION ALL
SELECT CONCAT('journal ', j.id), 'a confirmed deposit',
       COALESCE(d.status, 'none')
  FROM ledger_journals AS j
  LEFT JOIN deposits AS d ON d.public_id = j.reference
 WHERE j.kind = 'deposit' AND (d.id IS NULL OR d.status <> 'confirmed');

-- Money that moved was told of, once, in the words for it; and nothing was
-- told that did not happen. What event_floors says is removed is not missed.
CREATE OR REPLACE VIEW audit_journal_events AS
SELECT CONCAT('journal ', j.id) AS subject,
       CONCAT('an event for ', j.kind) AS expected, 'none' AS found
  FROM ledger_journals AS j
  LEFT JOIN events AS e
    ON e.journal_id = j.id
   AND e.type = CASE j.kind WHEN 'card_created' THEN 'card.created'
                            WHEN 'card_funded' THEN 'card.funded'
                            WHEN 'card_withdrawn' THEN 'card.withdrawn'
                            WHEN 'card_terminated' THEN 'card.terminated'
                            WHEN 'deposit' THEN 'deposit.confirmed'
                            WHEN 'authorization' THEN 'transaction.authorized'
                            WHEN 'increment' THEN 'transaction.authorized'
                            WHEN 'advice' THEN 'transaction.authorized'
                            WHEN 'reversal' THEN 'transaction.reversed'
                            WHEN 'expiry' THEN 'transaction.expired'
                            WHEN 'clearing' THEN 'transaction.settled'
                            WHEN 'force_post' THEN 'transaction.settled'
                            WHEN 'refund' THEN 'transaction.refunded'
                            WHEN 'refund_reversal' THEN 'transaction.reversed'
                            END
 WHERE j.kind NOT IN ('adjustment', 'deposit_reversal', 'release')
   AND e.id IS NULL
   AND NOT EXISTS
       (SELECT 1 FROM event_floors AS f
         WHERE f.journal_id >= j.id
           AND f.wallet_id = (SELECT MAX(a.wallet_id)
                                FROM ledger_entries AS l
                                JOIN ledger_accounts AS a
                                  ON a.id = l.ledger_account_id
                               WHERE l.journal_id = j.id)
           AND f.card_id = COALESCE(
                 (SELECT MAX(t.card_id)
                    FROM transaction_events AS x
                    JOIN transactions AS t ON t.id = x.transaction_id
                   WHERE x.journal_id = j.id),
                 (SELECT MAX(a.card_id)
                    FROM ledger_entries AS l
                    JOIN ledger_accounts AS a ON a.id = l.ledger_account_id
                   WHERE l.journal_id = j.id), 0))
 UNION ALL
SELECT CONCAT('event ', e.public_id), CONCAT('a journal for ', e.type),
       COALESCE(j.kind, 'none')
  FROM events AS e
  LEFT JOIN ledger_journals AS j ON j.id = e.journal_id
 WHERE e.journal_id IS NOT NULL
   AND (j.id IS NULL
        OR (e.type IN ('card.created', 'card.funded', 'card.withdrawn',
                       'card.terminated')
            AND j.kind <> REPLACE(e.type, '.', '_'))
        OR (e.type = 'deposit.confirmed' AND j.kind <> 'deposit'))
 UNION ALL
SELECT CONCAT('event ', e.public_id), 'a journal', 'none'
  FROM events AS e
 WHERE e.journal_id IS NULL AND e.type IN ('card.funded', 'card.withdrawn')
 UNION ALL
SELECT CONCAT('journal ', e.journal_id), '1 event', CONCAT(COUNT(*))
  FROM events AS e
 WHERE e.journal_id IS NOT NULL
 GROUP BY e.journal_id
HAVING COUNT(*) > 1;

-- An adjustment has its reason in the audit log, and the reverse.
-- Both sides are summed, not joined: the log has no index on its details.
CREATE OR REPLACE VIEW audit_adjustments AS
SELECT CONCAT('journal ', journal_id) AS subject,
       CONCAT(SUM(posted), ' rows of audit_log') AS expected,
       CONCAT(SUM(told)) AS found
  FROM (SELECT id AS journal_id, 1 AS posted, 0 AS told
          FROM ledger_journals WHERE kind = 'adjustment'
         UNION ALL
        SELECT CAST(JSON_VALUE(detail, '$.journal_id') AS UNSIGNED), 0, 1
          FROM audit_log
         WHERE JSON_VALUE(detail, '$.journal_id') IS NOT NULL) AS both_sides
 GROUP BY journal_id
HAVING SUM(posted) <> SUM(told);

-- The counts behind the lists' totals.
CREATE OR REPLACE VIEW audit_card_counts AS
SELECT CONCAT('wallet ', wallet_id, ' bin ', bin_id, ' ', status) AS subject,
       CONCAT(SUM(counted)) AS expected, CONCAT(SUM(kept)) AS found
  FROM (SELECT wallet_id, bin_id, CONCAT(status) AS status,
               COUNT(*) AS counted, 0 AS kept
          FROM cards GROUP BY wallet_id, bin_id, status
         UNION ALL
        SELECT wallet_id, bin_id, CONCAT(status), 0, cards
          FROM card_counts) AS both_sides
 GROUP BY wallet_id, bin_id, status
HAVING SUM(counted) <> SUM(kept);

-- Cards are numbered without gaps: pages by number rely on it.
CREATE OR REPLACE VIEW audit_card_numbers AS
SELECT CONCAT('wallet ', w.id) AS subject,
       CONCAT('cards 1 to ', w.card_count) AS expected,
       CONCAT(COALESCE(c.cards, 0), ' cards, ', COALESCE(c.lowest, 0), ' to ',
              COALESCE(c.highest, 0)) AS found
  FROM wallets AS w
  LEFT JOIN (SELECT wallet_id, COUNT(*) AS cards, MIN(number) AS lowest,
                    MAX(number) AS highest
               FROM cards GROUP BY wallet_id) AS c ON c.wallet_id = w.id
 WHERE COALESCE(c.cards, 0) <> w.card_count
    OR COALESCE(c.highest, 0) <> w.card_count
    OR (w.card_count > 0 AND c.lowest <> 1);

-- Events are numbered without gaps, per card and, those of no card, per
-- wallet: a receiver can tell that it missed one. The oldest are removed in
-- time, up to the number in event_floors.
CREATE OR REPLACE VIEW audit_event_sequences AS
SELECT CONCAT('card ', c.public_id) AS subject,
       CONCAT('events ', COALESCE(f.sequence, 0) + 1, ' to ',
              c.event_sequence) AS expected,
       CONCAT(COALESCE(e.events, 0), ' events up to ',
              COALESCE(e.highest, 0)) AS found
  FROM cards AS c
  LEFT JOIN event_floors AS f
    ON f.wallet_id = c.wallet_id AND f.card_id = c.id
  LEFT JOIN (SELECT card_id, COUNT(*) AS events, MAX(sequence) AS highest,
                    MIN(sequence) AS lowest
               FROM events WHERE card_id IS NOT NULL
              GROUP BY card_id) AS e ON e.card_id = c.id
 WHERE COALESCE(e.events, 0) + COALESCE(f.sequence, 0) <> c.event_sequence
    OR COALESCE(e.highest, f.sequence, 0) <> c.event_sequence
    OR e.lowest <> COALESCE(f.sequence, 0) + 1
 UNION ALL
SELECT CONCAT('wallet ', w.id),
       CONCAT('events ', COALESCE(f.sequence, 0) + 1, ' to ',
              w.event_sequence),
       CONCAT(COALESCE(e.events, 0), ' events, ', COALESCE(e.different, 0),
              ' numbers up to ', COALESCE(e.highest, 0))
  FROM wallets AS w
  LEFT JOIN event_floors AS f ON f.wallet_id = w.id AND f.card_id = 0
  LEFT JOIN (SELECT wallet_id, COUNT(*) AS events,
                    COUNT(DISTINCT sequence) AS different,
                    MAX(sequence) AS highest
               FROM events WHERE card_id IS NULL
              GROUP BY wallet_id) AS e ON e.wallet_id = w.id
 WHERE COALESCE(e.events, 0) + COALESCE(f.sequence, 0) <> w.event_sequence
    OR COALESCE(e.different, 0) + COALESCE(f.sequence, 0) <> w.event_sequence
    OR COALESCE(e.highest, f.sequence, 0) <> w.event_sequence
 UNION ALL
SELECT CONCAT('event ', e.public_id), CONCAT('wallet ', c.wallet_id),
       CONCAT('wallet ', e.wallet_id)
  FROM events AS e
  JOIN cards AS c ON c.id = e.card_id
 WHERE c.wallet_id <> e.wallet_id;

-- What stops the owner's own mistakes is still there, and still says no.
-- What queues deliveries is there, too.
CREATE OR REPLACE VIEW audit_triggers AS
SELECT CONCAT('table ', wanted.name) AS subject,
       CONCAT('a trigger that refuses ', wanted.verb) AS expected,
       COALESCE(CONCAT('another: ', t.trigger_name), 'none') AS found
  FROM (SELECT tables.name, verbs.verb
          FROM (SELECT 'ledger_journals' AS name
                 UNION ALL SELECT 'ledger_entries'
                 UNION ALL SELECT 'ledger_seals'
                 UNION ALL SELECT 'transaction_events'
                 UNION ALL SELECT 'audit_log') AS tables
         CROSS JOIN (SELECT 'UPDATE' AS verb
                      UNION ALL SELECT 'DELETE') AS verbs) AS wanted
  LEFT JOIN information_schema.triggers AS t
    ON t.trigger_schema = DATABASE() AND t.event_object_table = wanted.name
   AND t.event_manipulation = wanted.verb AND t.action_timing = 'BEFORE'
 WHERE t.trigger_name IS NULL OR t.action_statement NOT LIKE 'SIGNAL %'
 UNION ALL
SELECT 'table events', 'a trigger that queues deliveries', 'none'
  FROM (SELECT 1) AS one
 WHERE NOT EXISTS (SELECT 1 FROM information_schema.triggers AS t
                    WHERE t.trigger_schema = DATABASE()
                      AND t.event_object_table = 'events'
                      AND t.trigger_name = 'events_fan_out');

-- Nobody but the owner may write these tables. The server's administrators,
-- who hold SUPER, can do anything: what they rewrite, the seals find. An owner
-- who may not read the grant tables sees his own grants only.
CREATE OR REPLACE VIEW audit_grants AS
SELECT CONCAT(g.grantee, ' on ', g.what) AS subject, 'no right' AS expected,
       g.privilege_type AS found
  FROM (SELECT grantee, CONCAT('table ', table_name) AS what, privilege_type
          FROM information_schema.table_privileges
         WHERE table_schema = DATABASE()
           AND table_name IN ('ledger_accounts', 'ledger_journals',
                              'ledger_entries', 'ledger_seals',
                              'transactions', 'transaction_events',
                              'audit_log')
         UNION ALL
        SELECT grantee, CONCAT('column ', table_name, '.', column_name),
               privilege_type
          FROM information_schema.column_privileges
         WHERE table_schema = DATABASE()
           AND table_name IN ('ledger_accounts', 'ledger_journals',
                              'ledger_entries', 'ledger_seals',
                              'transactions', 'transaction_events',
                              'audit_log')
         UNION ALL
        SELECT grantee, CONCAT('schema ', table_schema), privilege_type
          FROM information_schema.schema_privileges
         WHERE DATABASE() LIKE table_schema
         UNION ALL
        SELECT u.grantee, 'all schemas', u.privilege_type
          FROM information_schema.user_privileges AS u
         WHERE NOT EXISTS (SELECT 1
                             FROM information_schema.user_privileges AS s
                            WHERE s.grantee = u.grantee
                              AND s.privilege_type = 'SUPER')) AS g
 WHERE g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'DROP', 'ALTER',
                            'TRIGGER', 'DELETE HISTORY')
   AND g.grantee <> CONCAT('\'', REPLACE(CURRENT_USER(), '@', '\'@\''), '\'');

GRANT SELECT ON audit_mode_sums TO cardstock_admin;
GRANT SELECT ON audit_balance_signs TO cardstock_admin;
GRANT SELECT ON audit_wallet_identity TO cardstock_admin;
GRANT SELECT ON audit_wallet_totals TO cardstock_admin;
GRANT SELECT ON audit_account_owners TO cardstock_admin;
GRANT SELECT ON audit_holds TO cardstock_admin;
GRANT SELECT ON audit_deposits TO cardstock_admin;
GRANT SELECT ON audit_journal_events TO cardstock_admin;
GRANT SELECT ON audit_adjustments TO cardstock_admin;
GRANT SELECT ON audit_card_counts TO cardstock_admin;
GRANT SELECT ON audit_card_numbers TO cardstock_admin;
GRANT SELECT ON audit_event_sequences TO cardstock_admin;
GRANT SELECT ON audit_triggers TO cardstock_admin;
GRANT SELECT ON audit_grants TO cardstock_admin;
GRANT SELECT ON audit_transactions TO cardstock_admin;
GRANT SELECT ON audit_payment_journals TO cardstock_admin;
GRANT SELECT ON audit_card_totals TO cardstock_admin;
GRANT SELECT ON audit_card_usage TO cardstock_admin;
GRANT SELECT ON audit_transaction_counts TO cardstock_admin;
GRANT SELECT ON audit_refunds TO cardstock_admin;
GRANT SELECT ON audit_network_refs TO cardstock_admin;
