-- Counts of scans by quarter of an hour, batch and scanner tell the operator who had signed in there, too, where one had: after a tab,
-- which neither name can have (src/ledger/tally.rs).
DELETE FROM tally WHERE scope >= 'at/' AND scope < 'at0';
INSERT INTO tally
    SELECT printf('at/%011d/%d/%s', max(0, (body ->> 'at') / 900000000), body ->> 'batch', body ->> 'scanner')
        || CASE WHEN body ->> 'os_user' IS NULL THEN '' ELSE char(9) || (body ->> 'by') END,
        body ->> 'verdict', count(*)
    FROM event WHERE body ->> 'kind' = 'scan' GROUP BY 1, 2;
