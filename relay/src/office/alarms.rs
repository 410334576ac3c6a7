//! What somebody must look at, and who did.

use super::{Part, ROWS_MAX, SEEN_ALARMS, acted, counties};
use crate::clock::Micros;
use crate::params;
use crate::store::{Row, StoreError};
use crate::web::{Frame, Outcome, Refusal, Visit};
use askama::Template;

/// An alarm.
#[derive(Debug)]
struct Alarm {
    id: String,
    county: String,
    kind: String,
    subject: String,
    what: String,
    raised: Micros,
    closed: Option<(Micros, String)>,
}

impl Alarm {
    /// Whether its subject is a voter; else it is a ballot or a part of the relay.
    fn is_of_a_voter(&self) -> bool {
        self.kind == "not_me" && !self.subject.contains('/')
    }
}

#[derive(Template)]
#[template(path = "office_alarms.html")]
struct Alarms<'v> {
    frame: Frame<'v>,
    open: Vec<Alarm>,
    part: Part,
    closed: Vec<Alarm>,
}

fn alarm(row: &Row) -> Result<Alarm, StoreError> {
    let closed = row.maybe_at(6)?;
    let by = row.maybe_text(7)?.unwrap_or_default();
    Ok(Alarm {
        id: row.text(0)?,
        county: row.text(1)?,
        kind: row.text(2)?,
        subject: row.text(3)?,
        what: row.text(4)?,
        raised: row.at(5)?,
        closed: closed.map(|at| (at, by)),
    })
}

/// `GET /office/alarms`.
pub(super) async fn list(visit: Visit) -> Outcome {
    let (seen, from) = (counties(&visit)?, Part::from(&visit));
    let (open, n_open, closed) = visit
        .read(move |tx| {
            let select = format!(
                "SELECT id, county, kind, subject, what, raised_at, closed_at, closed_by FROM alarm \
                 WHERE {SEEN_ALARMS} AND closed_at IS"
            );
            let page = "LIMIT $2 OFFSET $3";
            let open = format!("{select} NULL ORDER BY raised_at DESC, id {page}");
            let closed = format!("{select} NOT NULL ORDER BY closed_at DESC, id {page}");
            let mut of = |sql: &str, from: i64| {
                let rows = tx.rows(sql, params![&seen, ROWS_MAX, from])?;
                rows.iter().map(alarm).collect::<Result<Vec<_>, StoreError>>()
            };
            let (open, closed) = (of(&open, from)?, of(&closed, 0)?);
            let count =
                format!("SELECT COUNT(*) FROM alarm WHERE {SEEN_ALARMS} AND closed_at IS NULL");
            Ok((open, tx.count(&count, params![&seen])?, closed))
        })
        .await?;
    let part = Part::new("/office/alarms?".to_owned(), from, (open.len(), n_open));
    visit.page(&Alarms { frame: visit.frame("title.alarms"), open, part, closed })
}

/// `POST /office/alarms/{id}/close`.
pub(super) async fn close(visit: Visit) -> Outcome {
    let (seen, (own, by), now) = (counties(&visit)?, visit.operator()?, visit.now());
    let id = visit.param("id")?.to_owned();
    let n = visit.write(move |tx| {
        let close = format!(
            "UPDATE alarm SET closed_at = $3, closed_by = $4 \
             WHERE id = $2 AND closed_at IS NULL AND {SEEN_ALARMS}"
        );
        let n = tx.run(&close, params![&seen, &id, now, &by])?;
        if n > 0 {
            acted(tx, (&own, &by), ("closed_alarm", &id), now)?;
        }
        Ok(n)
    });
    if n.await? == 0 {
        Err(Refusal::NotFound)
    } else {
        Visit::see_other("/office/alarms?done=closed")
    }
}
