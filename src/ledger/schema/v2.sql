-- Row numbers of the events that closed and reversed a batch.
ALTER TABLE batch ADD COLUMN closed INTEGER;
ALTER TABLE batch ADD COLUMN reversed INTEGER;
CREATE INDEX batch_open ON batch (number) WHERE closed IS NULL;
-- What was counted by hand less the envelopes that were scanned.
ALTER TABLE batch ADD COLUMN difference INTEGER;
CREATE INDEX batch_different ON batch (closed) WHERE difference <> 0;

-- Scans that a supervisor may have to look at, by their row number. `waits` is 1 while the ballot of one that was held or late
-- stands in an open status.
CREATE TABLE exception (
    seq     INTEGER PRIMARY KEY,
    verdict TEXT NOT NULL,
    batch   INTEGER NOT NULL,
    ballot  INTEGER,
    waits   INTEGER NOT NULL
) STRICT;
CREATE INDEX exception_ballot ON exception (ballot) WHERE ballot IS NOT NULL;
CREATE INDEX exception_waits ON exception (waits, seq);
CREATE INDEX exception_batch ON exception (batch, seq);
INSERT INTO exception
    SELECT seq, body ->> 'verdict', body ->> 'batch',
        (SELECT key FROM ballot WHERE election = body ->> 'election' AND ballot = body ->> 'ballot'),
        body ->> 'verdict' IN ('held', 'late') AND coalesce(
            (SELECT status IN (0, 1, 6) FROM ballot
             WHERE election = body ->> 'election' AND ballot = body ->> 'ballot'), 1)
    FROM event
    WHERE body ->> 'kind' = 'scan' AND body ->> 'verdict' IN (
        'already_received', 'held', 'not_issued', 'voided', 'refused', 'wrong_election', 'late', 'outbound_piece',
        'ambiguous', 'unreadable');

-- People who may sign in; `disabled` is the row number of the event that ended it.
CREATE TABLE operator (
    name     TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL,
    role     TEXT NOT NULL,
    password TEXT,
    badge    TEXT,
    disabled INTEGER
) STRICT;
CREATE UNIQUE INDEX operator_badge ON operator (badge) WHERE badge IS NOT NULL AND disabled IS NULL;

-- What one operator proposed; `decided` is the row number of another's decision.
CREATE TABLE proposal (
    seq     INTEGER PRIMARY KEY,
    decided INTEGER
) STRICT;
CREATE INDEX proposal_open ON proposal (seq) WHERE decided IS NULL;

-- Signed notes over the row `of`; `witnessed` is the row number of the event that says that the relay keeps it.
CREATE TABLE checkpoint (
    seq       INTEGER PRIMARY KEY,
    of        INTEGER NOT NULL,
    note      TEXT NOT NULL,
    witnessed INTEGER
) STRICT;
CREATE INDEX checkpoint_unwitnessed ON checkpoint (seq) WHERE witnessed IS NULL;

-- Counts of the reports, for what is there already (src/ledger/tally.rs). Scans by quarter of an hour, batch and scanner:
INSERT INTO tally
    SELECT printf('at/%011d/%d/%s', max(0, (body ->> 'at') / 900000000), body ->> 'batch', body ->> 'scanner'),
        body ->> 'verdict', count(*)
    FROM event WHERE body ->> 'kind' = 'scan' GROUP BY 1, 2;

CREATE TEMP TABLE status AS
    WITH name (number, name) AS (VALUES
        (0, 'issued'), (1, 'mailed'), (2, 'received'), (3, 'accepted'), (4, 'needs_attention'), (5, 'rejected'),
        (6, 'undeliverable'), (7, 'voided'))
    SELECT number, name FROM name;

-- Ballots by the status that they were issued with; one that is announced comes by an event of its own.
INSERT INTO tally
    WITH issued AS (SELECT since, election, issued_status AS number, count(*) AS n FROM ballot GROUP BY 1, 2, 3)
    SELECT 'ballot_issued/' || issued.election,
        CASE WHEN EXISTS (SELECT 1 FROM json_each(event.body, '$.announces') WHERE value = status.name)
            THEN 'issued' ELSE status.name END,
        sum(n)
    FROM issued JOIN temp.status USING (number) JOIN import ON import.number = issued.since JOIN event USING (seq)
    GROUP BY 1, 2;

-- Moves by scans and by people, and those of imports that announced them.
INSERT INTO tally
    SELECT 'ballot_moves/' || coalesce(body ->> 'method', '') || '/' || (body ->> 'from') || '/' || (body ->> 'election'),
        body ->> 'to', count(*)
    FROM event WHERE body ->> 'kind' = 'set' GROUP BY 1, 2;
INSERT INTO tally
    SELECT 'ballot_moves/scan/' || (body ->> 'from') || '/' || (body ->> 'election'), body ->> 'to', count(*)
    FROM event WHERE body ->> 'kind' = 'scan' AND body ->> 'to' IS NOT NULL GROUP BY 1, 2;

-- Moves by imports that announced nothing: forward only (`ballot::import_moves`).
INSERT INTO tally
    WITH moves (old, new) AS (VALUES
        ('issued', 'mailed'),
        ('issued', 'undeliverable'), ('mailed', 'undeliverable'),
        ('issued', 'received'), ('mailed', 'received'), ('undeliverable', 'received'),
        ('issued', 'needs_attention'), ('mailed', 'needs_attention'), ('undeliverable', 'needs_attention'),
        ('received', 'needs_attention'),
        ('issued', 'accepted'), ('mailed', 'accepted'), ('undeliverable', 'accepted'), ('received', 'accepted'),
        ('needs_attention', 'accepted'),
        ('issued', 'rejected'), ('mailed', 'rejected'), ('undeliverable', 'rejected'), ('received', 'rejected'),
        ('needs_attention', 'rejected'),
        ('issued', 'voided'), ('mailed', 'voided'), ('undeliverable', 'voided'), ('received', 'voided'),
        ('needs_attention', 'voided'))
    SELECT 'ballot_moves/import/' || moves.old || '/' || (row ->> 'election'), moves.new, count(*)
    FROM import_change
        JOIN moves ON moves.old = before ->> 'status' AND moves.new = row ->> 'status'
        JOIN import ON import.number = import_change.import
        JOIN event USING (seq)
    WHERE done = 1 AND NOT EXISTS (SELECT 1 FROM json_each(event.body, '$.announces') WHERE value = moves.new)
    GROUP BY 1, 2
    ON CONFLICT (scope, name) DO UPDATE SET n = n + excluded.n;

-- Ballots that wait after a scan that was held or late.
INSERT INTO tally
    SELECT 'ballot_waiting/' || status.name || '/' || ballot.election, exception.verdict, count(*)
    FROM exception JOIN ballot ON ballot.key = exception.ballot JOIN temp.status ON status.number = ballot.status
    WHERE waits = 1 AND exception.seq = (
        SELECT max(last.seq) FROM exception AS last WHERE last.ballot = ballot.key AND last.verdict IN ('held', 'late'))
    GROUP BY 1, 2;
DROP TABLE temp.status;

-- What a file says beside the codes that have columns of their own: other codes by kind (canonical JSON), and when the
-- envelope came back. `coded` is 0 while none of an import's codes stand in the table below.
ALTER TABLE ballot ADD COLUMN codes TEXT;
ALTER TABLE ballot ADD COLUMN returned INTEGER;
ALTER TABLE import ADD COLUMN coded INTEGER NOT NULL DEFAULT 1;

-- Which ballots a code may name: every code of every ballot, by kind, and those that an import has yet to give. Whoever looks
-- up reads the ballot to see whether it has the code. Rows come in the order of the key, after the ballots of an import.
CREATE TABLE code (
    election TEXT NOT NULL,
    kind     TEXT NOT NULL,
    code     TEXT NOT NULL,
    ballot   INTEGER NOT NULL,
    PRIMARY KEY (election, kind, code, ballot)
) STRICT, WITHOUT ROWID;
INSERT INTO code SELECT election, 'imb', imb, key FROM ballot WHERE imb IS NOT NULL ORDER BY election, imb, key;
INSERT INTO code SELECT election, 'voter', voter, key FROM ballot ORDER BY election, voter, key;
INSERT OR IGNORE INTO code SELECT row ->> 'election', 'voter', row ->> 'voter', ballot FROM import_change WHERE done = 0;
INSERT OR IGNORE INTO code SELECT row ->> 'election', 'imb', row ->> 'imb', ballot FROM import_change
    WHERE done = 0 AND row ->> 'imb' IS NOT NULL;

DROP INDEX ballot_voter;
DROP INDEX ballot_imb;
DROP INDEX import_change_voter;
DROP INDEX import_change_imb;
