-- Voters of whom more than one ballot has, or is yet to get, the code: few, so that a scan finds its voter here without reading
-- the index of all codes. Kept by the triggers alone.
CREATE TABLE voter_of_several (
    election TEXT NOT NULL,
    voter    TEXT NOT NULL,
    PRIMARY KEY (election, voter)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER code_added AFTER INSERT ON code
WHEN NEW.kind = 'voter' AND EXISTS (
    SELECT 1 FROM code WHERE election = NEW.election AND kind = 'voter' AND code = NEW.code AND ballot <> NEW.ballot)
BEGIN
    INSERT OR IGNORE INTO voter_of_several (election, voter) VALUES (NEW.election, NEW.code);
END;
CREATE TRIGGER code_removed AFTER DELETE ON code
WHEN OLD.kind = 'voter'
    AND EXISTS (SELECT 1 FROM voter_of_several WHERE election = OLD.election AND voter = OLD.code)
    AND (SELECT count(*) FROM code WHERE election = OLD.election AND kind = 'voter' AND code = OLD.code) < 2
BEGIN
    DELETE FROM voter_of_several WHERE election = OLD.election AND voter = OLD.code;
END;
INSERT INTO voter_of_several
    SELECT election, code FROM code WHERE kind = 'voter' GROUP BY election, code HAVING count(*) > 1;

-- Voided and rejected ballots: among them are those whose envelopes are to be pulled (src/ledger/report/pulled.rs).
CREATE INDEX ballot_out ON ballot (key, status_seq) WHERE status IN (5, 7);

-- Counts that one scan changes stand side by side (src/ledger/tally.rs): the newest quarter of an hour, the ballots, the
-- outbox, the newest batch.
UPDATE tally SET scope = printf('batch/%010d', 4294967295 - CAST(substr(scope, 7) AS INTEGER))
    WHERE scope >= 'batch/' AND scope < 'batch0';
UPDATE tally SET scope = 'ballot_outbox' WHERE scope = 'outbox';

-- Counts of scans by quarter of an hour, batch and scanner tell the operator who had signed in there, too, where one had: after a tab,
-- which neither name can have (src/ledger/tally.rs).
DELETE FROM tally WHERE scope >= 'at/' AND scope < 'at0';
INSERT INTO tally
    SELECT printf('at/%011d/%d/%s', max(0, (body ->> 'at') / 900000000), body ->> 'batch', body ->> 'scanner')
        || CASE WHEN body ->> 'os_user' IS NULL THEN '' ELSE char(9) || (body ->> 'by') END,
        body ->> 'verdict', count(*)
    FROM event WHERE body ->> 'kind' = 'scan' GROUP BY 1, 2;
