-- Row numbers of the events that closed and reversed a batch.
ALTER TABLE batch ADD COLUMN closed INTEGER;
ALTER TABLE batch ADD COLUMN reversed INTEGER;
CREATE INDEX batch_open ON batch (number) WHERE closed IS NULL;

-- Scans that a supervisor may have to look at, by their row number.
CREATE TABLE exception (
    seq     INTEGER PRIMARY KEY,
    verdict TEXT NOT NULL,
    batch   INTEGER NOT NULL,
    ballot  INTEGER
) STRICT;
CREATE INDEX exception_ballot ON exception (ballot) WHERE ballot IS NOT NULL;
INSERT INTO exception
    SELECT seq, body ->> 'verdict', body ->> 'batch',
        (SELECT key FROM ballot WHERE election = body ->> 'election' AND ballot = body ->> 'ballot')
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
