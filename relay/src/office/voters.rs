//! One voter: found by number or name, with ballots, wishes, contacts and everything that was sent.

use super::desk::{Listed, NOTICE, Notice, listing, notice};
use super::{Part, acted, counties, masked, sees};
use crate::clock::Micros;
use crate::params;
use crate::store::{Row, StoreError, Tx};
use crate::voter::{self, Contact, Enrolment, VoterId};
use crate::web::{Frame, Outcome, Refusal, Visit, encoded};
use askama::Template;

#[derive(Template)]
#[template(path = "office_voters.html")]
struct Voters<'v> {
    frame: Frame<'v>,
    asked: &'v str,
    /// None where nothing was asked.
    found: Option<(Vec<Listed>, Part)>,
}

/// `GET /office/voters`.
pub(super) async fn search(visit: Visit) -> Outcome {
    const WHO: &str = "FROM voter v WHERE v.county LIKE $1 AND v.confidential = 0 \
                       AND (v.voter = $2 OR LOWER(v.last_name) = LOWER($2))";
    let seen = counties(&visit)?;
    let asked = visit.query("q").unwrap_or_default();
    let found = if asked.is_empty() {
        None
    } else {
        let (name, from) = (asked.to_owned(), Part::from(&visit));
        let found = visit.read(move |tx| listing(tx, WHO, (&[seen.as_str(), name.as_str()], from)));
        let (voters, total) = found.await?;
        let path = format!("/office/voters?q={}&", encoded(asked));
        let part = Part::new(path, from, (voters.len(), total));
        Some((voters, part))
    };
    visit.page(&Voters { frame: visit.frame("title.voters"), asked, found })
}

/// A ballot's line.
#[derive(Debug)]
struct Standing {
    election: String,
    ballot: String,
    status: String,
    since: Micros,
}

#[derive(Debug)]
struct Story {
    name: String,
    ballots: Vec<Standing>,
    wanted: Option<Enrolment>,
    contacts: Vec<Contact>,
    notices: Vec<Notice>,
}

#[derive(Template)]
#[template(path = "office_voter.html")]
struct One<'v> {
    frame: Frame<'v>,
    id: VoterId,
    story: Story,
}

impl One<'_> {
    fn hours(wanted: &Enrolment) -> String {
        let clock = |minute: u32| format!("{:02}:{:02}", minute / 60, minute % 60);
        format!(
            "{}\u{2013}{} {}",
            clock(wanted.from_minute),
            clock(wanted.until_minute),
            wanted.timezone
        )
    }
}

fn asked(visit: &Visit) -> Result<VoterId, Refusal> {
    let id = VoterId {
        county: visit.param("county")?.to_owned(),
        voter: visit.param("voter")?.to_owned(),
    };
    sees(visit, &id.county)?;
    Ok(id)
}

/// `GET /office/voters/{county}/{voter}`.
pub(super) async fn one(visit: Visit) -> Outcome {
    let id = asked(&visit)?;
    let of = id.clone();
    let story = visit.read(move |tx| story(tx, &of)).await?.ok_or(Refusal::NotFound)?;
    visit.page(&One { frame: visit.frame("title.voter"), id, story })
}

fn story(tx: &mut Tx<'_>, id: &VoterId) -> Result<Option<Story>, StoreError> {
    let Some(voter) = voter::voter(tx, id)? else { return Ok(None) };
    let own = params![&id.county, &id.voter];
    let rows = tx.rows(
        "SELECT election, ballot, status, happened_at FROM ballot WHERE county = $1 AND voter = $2 \
         ORDER BY election DESC, ballot",
        own,
    )?;
    let standing = |row: &Row| {
        let (election, ballot) = (row.text(0)?, row.text(1)?);
        Ok(Standing { election, ballot, status: row.text(2)?, since: row.at(3)? })
    };
    let ballots = rows.iter().map(standing).collect::<Result<Vec<_>, StoreError>>()?;
    let sql = format!(
        "SELECT {NOTICE} FROM notice WHERE county = $1 AND voter = $2 ORDER BY id DESC LIMIT 200"
    );
    let notices = tx.rows(&sql, own)?;
    let notices = notices.iter().map(notice).collect::<Result<Vec<_>, StoreError>>()?;
    let mut contacts = voter::contacts(tx, id)?;
    for contact in &mut contacts {
        contact.address = masked(&contact.address);
    }
    let wanted = voter::enrolment(tx, id)?;
    let name = format!("{} {}", voter.first_name, voter.last_name);
    Ok(Some(Story { name, ballots, wanted, contacts, notices }))
}

/// `POST /office/voters/{county}/{voter}/forget`: for a voter who lost the phone or the mailbox.
pub(super) async fn forget(visit: Visit) -> Outcome {
    let (id, (_, by), now) = (asked(&visit)?, visit.operator()?, visit.now());
    let place =
        format!("/office/voters/{}/{}?done=forgotten", encoded(&id.county), encoded(&id.voter));
    visit
        .write(move |tx| {
            voter::forget_contacts(tx, &id, "removed", now)?;
            acted(tx, (&id.county, &by), ("forgot_contacts", &id.voter), now)
        })
        .await?;
    Visit::see_other(&place)
}
