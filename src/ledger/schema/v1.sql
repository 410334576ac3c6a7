-- The record: hash = SHA-256(previous hash || body), the first over 32 zero bytes. `ballot_prev` derives from bodies: the
-- row number of the event before this one that names the same ballot.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY,
    body        TEXT NOT NULL,
    hash        BLOB NOT NULL,
    ballot_prev INTEGER
) STRICT;

-- What was issued (from `election` to `since`: the imported row, verified against its import's event) and where it stands
-- (the rest: derived from events). `since` is the import that issued it.
CREATE TABLE ballot (
    key           INTEGER PRIMARY KEY,
    election      TEXT NOT NULL,
    ballot        TEXT NOT NULL,
    voter         TEXT NOT NULL,
    imb           TEXT,
    style         TEXT,
    issued_status INTEGER NOT NULL,
    issued_reason TEXT,
    mailed        INTEGER,
    receive_until INTEGER,
    since         INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    reason        TEXT,
    status_seq    INTEGER NOT NULL DEFAULT 0,
    last_seq      INTEGER NOT NULL DEFAULT 0,
    owed_seq      INTEGER NOT NULL DEFAULT 0,
    sent          INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX ballot_id ON ballot (election, ballot);
CREATE INDEX ballot_voter ON ballot (election, voter);
CREATE INDEX ballot_imb ON ballot (election, imb) WHERE imb IS NOT NULL;

-- An import is staged while `seq` is null; the event at `seq` decided it; all its changes are applied when `applied` is 1. One
-- that was given up has no `seq` and is `applied` once it is cleared away.
CREATE TABLE import (
    number  INTEGER PRIMARY KEY,
    seq     INTEGER,
    applied INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Rows that change a ballot that was there already, in the file's order: the canonical row, and the one it stood by before.
CREATE TABLE import_change (
    n      INTEGER PRIMARY KEY,
    import INTEGER NOT NULL,
    ballot INTEGER NOT NULL,
    row    TEXT NOT NULL,
    before TEXT,
    done   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX import_change_ballot ON import_change (ballot, import);
-- Look-ups find what is yet to be applied by the codes that it brings.
CREATE INDEX import_change_voter ON import_change (import, row ->> 'voter') WHERE done = 0;
CREATE INDEX import_change_imb ON import_change (import, row ->> 'imb') WHERE done = 0;

CREATE TABLE batch (
    number      INTEGER PRIMARY KEY,
    seq         INTEGER NOT NULL,
    mode        TEXT NOT NULL,
    received_by TEXT NOT NULL,
    day         TEXT
) STRICT;

-- Changes the relay is owed, by the row number of the change. State: 0 held back, 1 owed, 2 set aside, 3 delivered,
-- 4 withdrawn. `prev` is the change of the same ballot before it. Working: due, attempts, last_error.
CREATE TABLE outbox (
    seq        INTEGER PRIMARY KEY,
    ballot     INTEGER NOT NULL,
    prev       INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    sequence   INTEGER,
    body       TEXT,
    due        INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    last_error TEXT
) STRICT;
CREATE INDEX outbox_pending ON outbox (state) WHERE state < 3;

-- Counts by scope and name. Scope `working` is working state.
CREATE TABLE tally (
    scope TEXT NOT NULL,
    name  TEXT NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;
