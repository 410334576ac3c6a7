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

-- Counts that one scan changes stand side by side (src/ledger/tally.rs): the newest quarter of an hour, the ballots, the
-- outbox, the newest batch.
UPDATE tally SET scope = printf('batch/%010d', 4294967295 - CAST(substr(scope, 7) AS INTEGER))
    WHERE scope >= 'batch/' AND scope < 'batch0';
UPDATE tally SET scope = 'ballot_outbox' WHERE scope = 'outbox';
