//! Where a voter's ballots stand, and what happened to them.

use super::who;
use crate::clock::Micros;
use crate::news::VOTED_IN_PERSON;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::voter::{self, VoterId};
use crate::web::{Frame, Limit, Outcome, Site, Visit};
use askama::Template;
use axum::http::StatusCode;
use std::time::Duration;

/// Looks at one identity's ballots.
const LOOKS: Limit = Limit { name: "looks", n_max: 20, within: Duration::from_hours(1) };

/// Ballots that are shown, the newest election's first.
const BALLOTS_MAX: usize = 8;

/// One ballot, as its voter sees it.
#[derive(Debug)]
pub(crate) struct Ballot {
    pub(crate) election: String,
    pub(crate) status: String,
    pub(crate) since: Micros,
    pub(crate) reason: Option<String>,
    pub(crate) story: Vec<News>,
}

/// What happened to it, and when.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) kind: String,
    pub(crate) at: Micros,
    /// Whether it was a mistake that a later one puts right.
    pub(crate) is_corrected: bool,
    /// Which one it puts right.
    pub(crate) corrects: Option<String>,
}

/// Where a ballot stands, or the page on which that is asked.
#[derive(Template)]
#[template(path = "status.html")]
struct Status<'v> {
    frame: Frame<'v>,
    wrong: Vec<&'static str>,
    found: Option<Vec<Ballot>>,
}

/// A voter's own page.
#[derive(Template)]
#[template(path = "me.html")]
struct Me<'v> {
    frame: Frame<'v>,
    ballots: Vec<Ballot>,
    as_of: Option<Micros>,
}

/// `GET /status`.
pub(super) fn ask(visit: &Visit) -> Outcome {
    let frame = visit.frame("title.status");
    visit.page(&Status { frame, wrong: Vec::new(), found: None })
}

/// `POST /status`. Whoever is not found has no ballot, as one who is confidential or votes in person.
pub(super) async fn status(visit: Visit) -> Outcome {
    let identity = match who::identity(&visit) {
        Ok(identity) => identity,
        Err(wrong) => {
            let page = Status { frame: visit.frame("title.status"), wrong, found: None };
            return visit.page_with(StatusCode::BAD_REQUEST, &page);
        }
    };
    who::within_limits(&visit, (LOOKS, &identity)).await?;
    let ballots = visit
        .read(move |tx| {
            let nobody = VoterId { county: String::new(), voter: String::new() };
            let id = voter::find(tx, &identity)?.unwrap_or(nobody);
            of_voter(tx, &id)
        })
        .await?;
    let found = Some(named(&visit.site, visit.lang.name(), ballots));
    visit.page(&Status { frame: visit.frame("title.status"), wrong: Vec::new(), found })
}

/// `GET /me`.
pub(super) async fn me(visit: Visit) -> Outcome {
    let id = visit.voter()?;
    let county = id.county.clone();
    let (ballots, as_of) = visit
        .read(move |tx| {
            let newest = "SELECT MAX(received_at) FROM event WHERE county = $1";
            let as_of = tx.row(newest, params![&county])?;
            let as_of = as_of.map_or(Ok(None), |row| row.maybe_at(0))?;
            Ok((of_voter(tx, &id)?, as_of))
        })
        .await?;
    let ballots = named(&visit.site, visit.lang.name(), ballots);
    visit.page(&Me { frame: visit.frame("title.me"), ballots, as_of })
}

/// A ballot with the county that it is of.
pub(crate) type OfCounty = (String, Ballot);

/// The ballots of a voter that are still to be spoken of: none where they voted in person, and none that another replaced.
pub(crate) fn of_voter(tx: &mut Tx<'_>, id: &VoterId) -> Result<Vec<OfCounty>, StoreError> {
    let rows = tx.rows(
        "SELECT election, ballot, status, reason, happened_at FROM ballot b WHERE county = $1 AND voter = $2 \
         AND NOT EXISTS (SELECT 1 FROM in_person p WHERE p.county = b.county AND p.election = b.election \
                         AND p.voter = b.voter) \
         ORDER BY election DESC, happened_at DESC",
        params![&id.county, &id.voter],
    )?;
    let mut ballots = Vec::new();
    for row in rows.iter().take(BALLOTS_MAX) {
        let (election, number, status) = (row.text(0)?, row.text(1)?, row.text(2)?);
        let reason = row.maybe_text(3)?;
        let is_other = |row: &crate::store::Row| {
            Ok::<_, StoreError>(row.text(0)? == election && row.text(2)? != "voided")
        };
        let mut is_replaced = false;
        for other in &rows {
            is_replaced |= is_other(other)?;
        }
        if status == "voided" && (is_replaced || reason.as_deref() == Some(VOTED_IN_PERSON)) {
            continue;
        }
        let story = story(tx, id, (&election, &number))?;
        ballots.push((
            id.county.clone(),
            Ballot { election, status, since: row.at(4)?, reason, story },
        ));
    }
    Ok(ballots)
}

fn story(
    tx: &mut Tx<'_>,
    id: &VoterId,
    (election, ballot): (&str, &str),
) -> Result<Vec<News>, StoreError> {
    let rows = tx.rows(
        "SELECT n.kind, n.happened_at, n.corrects, \
         (SELECT COUNT(*) FROM ballot_news c WHERE c.county = n.county AND c.election = n.election \
          AND c.ballot = n.ballot AND c.corrects = n.id) \
         FROM ballot_news n WHERE n.county = $1 AND n.election = $2 AND n.ballot = $3 \
         ORDER BY n.happened_at, n.id",
        params![&id.county, election, ballot],
    )?;
    let news = |row: &crate::store::Row| {
        let (kind, at) = (row.text(0)?, row.at(1)?);
        Ok(News { kind, at, corrects: row.maybe_text(2)?, is_corrected: row.int(3)? > 0 })
    };
    rows.iter().map(news).collect()
}

/// Elections as voters know them.
fn named(site: &Site, language: &str, ballots: Vec<OfCounty>) -> Vec<Ballot> {
    let name = |county: &str, election: &str| {
        let found = site.relay.config.county(county)?.elections.get(election)?;
        found.name.get(language).or_else(|| found.name.values().next()).cloned()
    };
    let of = |(county, ballot): OfCounty| {
        let election = name(&county, &ballot.election).unwrap_or(ballot.election);
        Ballot { election, ..ballot }
    };
    ballots.into_iter().map(of).collect()
}
