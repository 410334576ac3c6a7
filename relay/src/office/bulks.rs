//! Reminders: made and counted by one person, released by another, stopped by anybody who may make one.

use super::{ROWS_MAX, acted, counties, sees};
use crate::bulk::{self, Aim, Bulk, Release, STATUSES};
use crate::config::County;
use crate::hours::instant;
use crate::news::Channel;
use crate::template::Facts;
use crate::web::{Frame, Outcome, Refusal, Visit};
use askama::Template;
use std::time::Duration;

/// Nothing of a reminder is sent after so long.
const LASTS: Duration = Duration::from_hours(48);

#[derive(Template)]
#[template(path = "office_bulks.html")]
struct List<'v> {
    frame: Frame<'v>,
    bulks: Vec<Bulk>,
    /// County and election, with its name.
    elections: Vec<(String, String, String)>,
    statuses: [&'static str; 3],
}

/// What is sent, by language and channel.
#[derive(Debug)]
struct Sample {
    language: String,
    channel: &'static str,
    subject: String,
    body: String,
}

#[derive(Template)]
#[template(path = "office_bulk.html")]
struct One<'v> {
    frame: Frame<'v>,
    bulk: Bulk,
    samples: Vec<Sample>,
    is_own: bool,
}

impl One<'_> {
    fn progress(&self) -> String {
        let (made, target) = (self.bulk.made.to_string(), self.bulk.target.to_string());
        self.frame.with_two("bulk.progress", ("made", &made), ("target", &target))
    }
}

/// `GET /office/bulks`.
pub(super) async fn list(visit: Visit) -> Outcome {
    let seen = counties(&visit)?;
    let bulks = visit.read(move |tx| bulk::newest(tx, &seen, ROWS_MAX)).await?;
    let own: Vec<&County> = visit.site.relay.config.counties.values().collect();
    let own = own.into_iter().filter(|county| sees(&visit, &county.id).is_ok());
    let elections = own.flat_map(|county| {
        county.elections.iter().map(|(id, election)| {
            let name = election.name.get(visit.lang.name()).cloned().unwrap_or_default();
            (county.id.clone(), id.clone(), name)
        })
    });
    let elections = elections.collect();
    visit.page(&List { frame: visit.frame("title.bulks"), bulks, elections, statuses: STATUSES })
}

/// `POST /office/bulks`.
pub(super) async fn draft(visit: Visit) -> Outcome {
    let about = visit.field("about").and_then(|about| about.split_once('/'));
    let (county, election) = about.ok_or(Refusal::Malformed("there is no such election"))?;
    sees(&visit, county)?;
    let found = visit.site.relay.config.county(county).ok_or(Refusal::NotFound)?;
    let (ends, now) =
        (found.elections.get(election).ok_or(Refusal::NotFound)?.receive_until, visit.now());
    let statuses: Vec<_> =
        visit.all("status").into_iter().filter(|status| STATUSES.contains(status)).collect();
    if statuses.is_empty() {
        return Err(Refusal::Malformed("to whom? tick where their ballots are"));
    }
    let zone = found.zone();
    let not_after = instant(ends, &zone).map_or(now, |end| end.min(now.plus(LASTS)));
    if not_after <= now {
        return Err(Refusal::Rules("the election's ballots are no longer received".to_owned()));
    }
    let aim = Aim {
        county: county.to_owned(),
        election: election.to_owned(),
        statuses: statuses.into_iter().map(str::to_owned).collect(),
    };
    let (_, by) = visit.operator()?;
    let id = visit.write(move |tx| {
        let id = bulk::draft(tx, &aim, (&by, not_after), now)?;
        acted(tx, (&aim.county, &by), ("drafted_bulk", &id), now)?;
        Ok(id)
    });
    Visit::see_other(&format!("/office/bulks/{}?done=proposed", id.await?))
}

async fn found(visit: &Visit) -> Result<Bulk, Refusal> {
    let id = visit.param("id")?.to_owned();
    let bulk = visit.write(move |tx| bulk::find(tx, &id)).await?.ok_or(Refusal::NotFound)?;
    sees(visit, &bulk.aim.county)?;
    Ok(bulk)
}

/// `GET /office/bulks/{id}`.
pub(super) async fn one(visit: Visit) -> Outcome {
    let bulk = found(&visit).await?;
    let samples = samples(&visit, &bulk)?;
    let (_, name) = visit.operator()?;
    let is_own = bulk.created_by == name;
    visit.page(&One { frame: visit.frame("title.bulk"), bulk, samples, is_own })
}

/// The very words, to a voter whose name is made up.
fn samples(visit: &Visit, bulk: &Bulk) -> Result<Vec<Sample>, Refusal> {
    let relay = &visit.site.relay;
    let county = relay.config.county(&bulk.aim.county).ok_or(Refusal::NotFound)?;
    let url = &relay.config.public_url;
    let facts = Facts {
        name: Some(("Ana".to_owned(), "Ejemplo".to_owned())),
        election: Some(bulk.aim.election.clone()),
        happened_at: Some(bulk.created_at),
        status_url: format!("{url}/me"),
        not_me_url: format!("{url}/not-me/\u{2026}"),
        unsubscribe_url: format!("{url}/unsubscribe/\u{2026}"),
        ..Facts::default()
    };
    let mut samples = Vec::new();
    for language in &county.languages {
        for channel in Channel::ALL {
            let said = relay.templates.say(county, language, (bulk.kind, *channel), &facts);
            let said = said.map_err(|error| Refusal::Rules(error.to_string()))?;
            let (language, channel) = (language.clone(), channel.name());
            samples.push(Sample { language, channel, subject: said.subject, body: said.body });
        }
    }
    Ok(samples)
}

/// `POST /office/bulks/{id}/release`.
pub(super) async fn release(visit: Visit) -> Outcome {
    let bulk = found(&visit).await?;
    // What cannot be said is not released.
    samples(&visit, &bulk)?;
    let ((_, by), now) = (visit.operator()?, visit.now());
    let (id, county) = (bulk.id.clone(), bulk.aim.county.clone());
    let released = visit.write(move |tx| {
        let released = bulk::release(tx, &id, &by, now)?;
        if released == Release::Running {
            acted(tx, (&county, &by), ("released_bulk", &id), now)?;
        }
        Ok(released)
    });
    match released.await? {
        Release::Running => {
            visit.site.relay.owed.notify_waiters();
            Visit::see_other(&format!("/office/bulks/{}?done=released", bulk.id))
        }
        Release::NoDraft => Err(Refusal::Rules("it waits for nobody any more".to_owned())),
        Release::SamePerson => Err(Refusal::Rules(visit.words().of("bulk.release_how").to_owned())),
        Release::Grew(n) => Err(Refusal::Rules(format!(
            "it was counted for {} contacts and would go to {n}: make it anew",
            bulk.target
        ))),
    }
}

/// `POST /office/bulks/{id}/take-back`.
pub(super) async fn take_back(visit: Visit) -> Outcome {
    let bulk = found(&visit).await?;
    let ((_, by), now) = (visit.operator()?, visit.now());
    let taken = visit.write(move |tx| {
        let taken = bulk::take_back(tx, &bulk, (&by, now.plus(LASTS)), now)?;
        if let Some(id) = &taken {
            acted(tx, (&bulk.aim.county, &by), ("drafted_retraction", id), now)?;
        }
        Ok(taken)
    });
    let id = taken.await?.ok_or_else(|| Refusal::Rules("nobody got it".to_owned()))?;
    Visit::see_other(&format!("/office/bulks/{id}?done=proposed"))
}

/// `POST /office/bulks/{id}/stop`.
pub(super) async fn stop(visit: Visit) -> Outcome {
    let bulk = found(&visit).await?;
    let ((_, by), now) = (visit.operator()?, visit.now());
    let (id, county) = (bulk.id.clone(), bulk.aim.county.clone());
    visit
        .write(move |tx| {
            bulk::stop(tx, &id, &by, now)?;
            acted(tx, (&county, &by), ("stopped_bulk", &id), now)
        })
        .await?;
    Visit::see_other(&format!("/office/bulks/{}?done=stopped", bulk.id))
}
