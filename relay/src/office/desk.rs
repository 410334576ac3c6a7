//! The overview: who signed up, notices by state, what is late; lists of notices, and of voters who are reached nowhere.

use super::{Part, ROWS_MAX, SEEN_ALARMS, counties, masked};
use crate::clock::Micros;
use crate::params;
use crate::store::{Row, StoreError, Tx, Value};
use crate::web::{Frame, Outcome, Refusal, Visit};
use askama::Template;
use std::time::Duration;

/// Later than this a notice is late.
const LATE: Duration = Duration::from_hours(1);

/// A count of something.
#[derive(Debug)]
struct Count {
    what: String,
    of: String,
    n: i64,
}

#[derive(Debug, Default)]
struct Figures {
    enrolled: i64,
    contacts: Vec<Count>,
    notices: Vec<Count>,
    late: i64,
    alarms: i64,
    last_news: Option<Micros>,
}

#[derive(Template)]
#[template(path = "office_overview.html")]
struct Overview<'v> {
    frame: Frame<'v>,
    figures: Figures,
}

/// `GET /office`.
pub(super) async fn overview(visit: Visit) -> Outcome {
    let (seen, now) = (counties(&visit)?, visit.now());
    let figures = visit.read(move |tx| figures(tx, &seen, now)).await?;
    visit.page(&Overview { frame: visit.frame("title.overview"), figures })
}

fn figures(tx: &mut Tx<'_>, seen: &str, now: Micros) -> Result<Figures, StoreError> {
    let enrolled = "SELECT COUNT(*) FROM enrolment WHERE county LIKE $1 AND ended_at IS NULL";
    let alarms = format!("SELECT COUNT(*) FROM alarm WHERE {SEEN_ALARMS} AND closed_at IS NULL");
    let late = "SELECT COUNT(*) FROM notice WHERE county LIKE $1 \
                AND state IN ('owed', 'calling', 'unknown') AND created_at < $2";
    let last = tx.row("SELECT MAX(received_at) FROM event WHERE county LIKE $1", params![seen])?;
    Ok(Figures {
        enrolled: tx.count(enrolled, params![seen])?,
        contacts: counts(
            tx,
            "SELECT channel, state, COUNT(*) FROM contact WHERE county LIKE $1 GROUP BY channel, state \
             ORDER BY channel, state",
            seen,
        )?,
        notices: counts(
            tx,
            "SELECT channel, state, COUNT(*) FROM notice WHERE county LIKE $1 GROUP BY channel, state \
             ORDER BY channel, state",
            seen,
        )?,
        late: tx.count(late, params![seen, now.minus(LATE)])?,
        alarms: tx.count(&alarms, params![seen])?,
        last_news: last.map_or(Ok(None), |row| row.maybe_at(0))?,
    })
}

fn counts(tx: &mut Tx<'_>, sql: &str, seen: &str) -> Result<Vec<Count>, StoreError> {
    let rows = tx.rows(sql, params![seen])?;
    let count = |row: &Row| Ok(Count { what: row.text(0)?, of: row.text(1)?, n: row.int(2)? });
    rows.iter().map(count).collect()
}

/// A notice in a list.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) id: String,
    pub(super) county: String,
    pub(super) voter: String,
    pub(super) kind: String,
    pub(super) channel: String,
    pub(super) address: String,
    pub(super) state: String,
    pub(super) why: Option<String>,
    pub(super) created: Micros,
    pub(super) changed: Micros,
}

/// What [`notice`] reads.
pub(super) const NOTICE: &str =
    "id, county, voter, kind, channel, address, state, why, created_at, changed_at";

pub(super) fn notice(row: &Row) -> Result<Notice, StoreError> {
    Ok(Notice {
        id: row.text(0)?,
        county: row.text(1)?,
        voter: row.text(2)?,
        kind: row.text(3)?,
        channel: row.text(4)?,
        address: masked(&row.text(5)?),
        state: row.text(6)?,
        why: row.maybe_text(7)?,
        created: row.at(8)?,
        changed: row.at(9)?,
    })
}

/// States in which somebody may have to act, the newest notices of each being listed.
const STATES: [&str; 12] = [
    "owed",
    "calling",
    "unknown",
    "sent",
    "delivered",
    "bad_address",
    "try_later",
    "ours",
    "opted_out",
    "too_late",
    "withdrawn",
    "unconfirmed",
];

#[derive(Template)]
#[template(path = "office_notices.html")]
struct List<'v> {
    frame: Frame<'v>,
    states: [&'static str; 12],
    chosen: &'v str,
    notices: Vec<Notice>,
    /// Where older ones begin.
    next: Option<String>,
}

/// `GET /office/notices`.
pub(super) async fn notices(visit: Visit) -> Outcome {
    let seen = counties(&visit)?;
    let chosen = visit.query("state").unwrap_or("owed");
    if !STATES.contains(&chosen) {
        return Err(Refusal::NotFound);
    }
    // Ids sort by when they were made.
    let before = visit.query("before").unwrap_or_default().to_owned();
    let state = chosen.to_owned();
    let notices = visit
        .read(move |tx| {
            let sql = format!(
                "SELECT {NOTICE} FROM notice n WHERE state = $1 AND county LIKE $2 AND ($3 = '' OR id < $3) \
                 AND NOT EXISTS (SELECT 1 FROM voter v WHERE v.county = n.county AND v.voter = n.voter \
                     AND v.confidential = 1) \
                 ORDER BY id DESC LIMIT $4"
            );
            let rows = tx.rows(&sql, params![&state, &seen, &before, ROWS_MAX])?;
            rows.iter().map(notice).collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
    let is_full = i64::try_from(notices.len()).unwrap_or(0) == ROWS_MAX;
    let next = notices.last().filter(|_| is_full).map(|notice| notice.id.clone());
    visit.page(&List { frame: visit.frame("title.notices"), states: STATES, chosen, notices, next })
}

/// A voter in a list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) county: String,
    pub(super) voter: String,
    pub(super) name: String,
}

#[derive(Template)]
#[template(path = "office_unreached.html")]
struct Unreached<'v> {
    frame: Frame<'v>,
    voters: Vec<Listed>,
    part: Part,
}

/// `GET /office/unreached`.
pub(super) async fn unreached(visit: Visit) -> Outcome {
    const WHO: &str = "FROM enrolment e JOIN voter v ON v.county = e.county AND v.voter = e.voter \
                 WHERE e.county LIKE $1 AND e.ended_at IS NULL AND v.confidential = 0 \
                 AND NOT EXISTS (SELECT 1 FROM contact c WHERE c.county = e.county AND c.voter = e.voter \
                     AND c.state = 'confirmed' AND NOT EXISTS (SELECT 1 FROM suppression s \
                         WHERE s.channel = c.channel AND s.address = c.address))";
    let (seen, from) = (counties(&visit)?, Part::from(&visit));
    let (voters, total) = visit.read(move |tx| listing(tx, WHO, (&[seen.as_str()], from))).await?;
    let part = Part::new("/office/unreached?".to_owned(), from, (voters.len(), total));
    visit.page(&Unreached { frame: visit.frame("title.unreached"), voters, part })
}

/// A page of the voters `v` of whom `who` says which, by name; and how many there are.
pub(super) fn listing(
    tx: &mut Tx<'_>,
    who: &str,
    (texts, from): (&[&str], i64),
) -> Result<(Vec<Listed>, i64), StoreError> {
    let mut values: Vec<Value> = texts.iter().copied().map(Value::from).collect();
    let total = tx.count(&format!("SELECT COUNT(*) {who}"), &values)?;
    let (n, after) = (values.len() + 1, values.len() + 2);
    let sql = format!(
        "SELECT v.county, v.voter, v.first_name, v.last_name {who} \
         ORDER BY v.last_name, v.first_name, v.county, v.voter LIMIT ${n} OFFSET ${after}"
    );
    values.extend([ROWS_MAX.into(), from.into()]);
    let voters = tx.rows(&sql, &values)?.iter().map(listed).collect::<Result<_, _>>()?;
    Ok((voters, total))
}

fn listed(row: &Row) -> Result<Listed, StoreError> {
    let name = format!("{} {}", row.text(2)?, row.text(3)?);
    Ok(Listed { county: row.text(0)?, voter: row.text(1)?, name })
}
