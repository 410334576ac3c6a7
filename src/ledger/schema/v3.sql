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
