//! The codes by which ballots are looked up: every code of every ballot, and none that no ballot has; and the voters whose code
//! several ballots have.

use super::{Anew, Stop, fault};
use rusqlite::params;

/// Ballots, or codes, looked at within one transaction.
const PIECE_ROWS: i64 = 1_000;

/// Whose codes are compared: what an import is yet to change has the codes of both its rows.
const SETTLED: &str = "NOT EXISTS (SELECT 1 FROM old.import_change AS change WHERE change.ballot = b.key AND done = 0) \
     AND since NOT IN (SELECT number FROM old.import WHERE seq IS NULL)";

/// The codes of all ballots that were derived.
const CODES: &str = "
    INSERT INTO main.code SELECT election, 'imb', imb, key FROM main.ballot WHERE imb IS NOT NULL ORDER BY 1, 3, 4;
    INSERT INTO main.code SELECT election, 'voter', voter, key FROM main.ballot ORDER BY 1, 3, 4;
    INSERT OR IGNORE INTO main.code SELECT election, other.key, other.value, ballot.key
        FROM main.ballot, json_each(codes) AS other WHERE codes IS NOT NULL ORDER BY 1, 2, 3, 4;";

/// Whether another ballot than that of `c` has its voter's code.
const IS_OF_SEVERAL: &str = "EXISTS (SELECT 1 FROM old.code AS o WHERE o.election = c.election AND o.kind = 'voter' \
     AND o.code = c.code AND o.ballot <> c.ballot)";

/// Whether the voter of `v`, who is said to have several ballots, has not.
const IS_OF_ONE: &str = "(SELECT count(*) FROM old.code AS c WHERE c.election = v.election AND c.kind = 'voter' \
     AND c.code = v.voter) < 2";

/// A code, in the order of their table.
#[derive(Default)]
struct Place {
    election: String,
    kind: String,
    code: String,
    ballot: i64,
}

impl Anew<'_> {
    /// Derives the codes of all ballots.
    pub(super) fn derive_codes(&self) -> rusqlite::Result<()> {
        self.conn.execute_batch(CODES)
    }

    /// How many codes are there that were not derived, or the other way round.
    pub(super) fn differing_codes(&self) -> rusqlite::Result<i64> {
        let same = "o.election = n.election AND o.kind = n.kind AND o.code = n.code AND o.ballot = n.ballot";
        let unsettled = format!(
            "EXISTS (SELECT 1 FROM old.ballot AS b WHERE b.key = o.ballot AND NOT ({SETTLED}))"
        );
        let sql = format!(
            "SELECT (SELECT count(*) FROM main.code AS n WHERE NOT EXISTS (SELECT 1 FROM old.code AS o WHERE {same})) \
             + (SELECT count(*) FROM old.code AS o WHERE NOT {unsettled} \
             AND NOT EXISTS (SELECT 1 FROM main.code AS n WHERE {same}))"
        );
        self.conn.prepare(&sql)?.query_row([], |row| row.get(0))
    }

    /// How many voters were not derived to have several ballots, or the other way round, in what the codes say of them.
    pub(super) fn differing_voters(&self) -> rusqlite::Result<i64> {
        let sql = format!(
            "SELECT (SELECT count(*) FROM old.voter_of_several AS v WHERE {IS_OF_ONE}) + (SELECT count(*) FROM (SELECT election, voter \
             FROM main.voter_of_several EXCEPT SELECT election, voter FROM old.voter_of_several))"
        );
        self.conn.prepare(&sql)?.query_row([], |row| row.get(0))
    }

    /// Holds the codes against the ballots, which were compared before.
    pub(super) fn compare_codes(&mut self) -> Result<(), Stop> {
        self.find_each_code()
            .and_then(|()| self.find_each_ballot())
            .map_err(|stop| stop.in_table("code"))?;
        self.find_each_voter().map_err(|stop| stop.in_table("voter_of_several"))
    }

    /// Every code of every ballot is there.
    fn find_each_code(&mut self) -> Result<(), Stop> {
        let there = |kind: &str, code: &str| {
            format!(
                "EXISTS (SELECT 1 FROM old.code AS c WHERE c.election = b.election AND c.kind = {kind} \
                 AND c.code = {code} AND c.ballot = b.key)"
            )
        };
        let (voter, imb, other) =
            (there("'voter'", "b.voter"), there("'imb'", "b.imb"), there("o.key", "o.value"));
        let missing = format!(
            "SELECT max(key), min(CASE WHEN NOT {voter} OR imb IS NOT NULL AND NOT {imb} \
             OR EXISTS (SELECT 1 FROM json_each(b.codes) AS o WHERE NOT {other}) THEN key END) \
             FROM (SELECT * FROM old.ballot WHERE key > ? ORDER BY key LIMIT {PIECE_ROWS}) AS b WHERE {SETTLED}"
        );
        let mut after = Some(i64::MIN);
        while let Some(key) = after {
            after = self.at_once(|anew| {
                let bounds = "SELECT max(key) FROM (SELECT key FROM old.ballot WHERE key > ? ORDER BY key LIMIT ?)";
                let end: Option<i64> = anew
                    .conn
                    .prepare_cached(bounds)?
                    .query_row([key, PIECE_ROWS], |row| row.get(0))?;
                let lacks: Option<i64> =
                    anew.conn.prepare_cached(&missing)?.query_row([key], |row| row.get(1))?;
                match lacks {
                    Some(key) => no_ballot_of("a code of the ballot", &key.to_string()),
                    None => Ok(end),
                }
            })?;
        }
        Ok(())
    }

    /// Every code that is there is one of its ballot.
    fn find_each_ballot(&mut self) -> Result<(), Stop> {
        let piece = format!(
            "SELECT election, kind, code, ballot, NOT EXISTS (SELECT 1 FROM old.ballot AS b WHERE b.key = c.ballot \
             AND (NOT ({SETTLED}) OR b.election = c.election AND c.code = \
             CASE c.kind WHEN 'voter' THEN b.voter WHEN 'imb' THEN b.imb ELSE b.codes ->> c.kind END)), \
             c.kind = 'voter' AND {IS_OF_SEVERAL} <> EXISTS (SELECT 1 FROM old.voter_of_several AS v \
             WHERE v.election = c.election AND v.voter = c.code) \
             FROM old.code AS c WHERE (election, kind, code, ballot) > (?, ?, ?, ?) \
             ORDER BY election, kind, code, ballot LIMIT {PIECE_ROWS}"
        );
        let mut place = Some(Place::default());
        while let Some(after) = place {
            place = self.at_once(|anew| {
                let mut codes = anew.conn.prepare_cached(&piece)?;
                let mut rows =
                    codes.query(params![after.election, after.kind, after.code, after.ballot])?;
                let mut last = None;
                while let Some(row) = rows.next()? {
                    let at = Place {
                        election: row.get(0)?,
                        kind: row.get(1)?,
                        code: row.get(2)?,
                        ballot: row.get(3)?,
                    };
                    if row.get(4)? {
                        return no_ballot_of("the ballot of code", &at.code);
                    }
                    if row.get(5)? {
                        return not_of_several(&at.code);
                    }
                    last = Some(at);
                }
                Ok(last)
            })?;
        }
        Ok(())
    }

    /// Every voter who is said to have several ballots has them.
    fn find_each_voter(&mut self) -> Result<(), Stop> {
        let piece = format!(
            "SELECT election, voter, {IS_OF_ONE} FROM old.voter_of_several AS v \
             WHERE (election, voter) > (?, ?) ORDER BY election, voter LIMIT {PIECE_ROWS}"
        );
        let mut place = Some((String::new(), String::new()));
        while let Some(after) = place {
            place = self.at_once(|anew| {
                let mut voters = anew.conn.prepare_cached(&piece)?;
                let mut rows = voters.query(after)?;
                let mut last = None;
                while let Some(row) = rows.next()? {
                    let (election, voter): (String, String) = (row.get(0)?, row.get(1)?);
                    if row.get(2)? {
                        return not_of_several(&voter);
                    }
                    last = Some((election, voter));
                }
                Ok(last)
            })?;
        }
        Ok(())
    }
}

fn not_of_several<T>(voter: &str) -> Result<T, Stop> {
    let voter = crate::event::printable(voter);
    fault(
        None,
        format!("table voter_of_several does not follow from the events: voter {voter} differs"),
    )
}

fn no_ballot_of<T>(what: &str, name: &str) -> Result<T, Stop> {
    let name = crate::event::printable(name);
    fault(None, format!("table code does not follow from the events: {what} {name} is missing"))
}
