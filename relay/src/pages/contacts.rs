//! Where a voter is told: contacts are added, proven, put in order, removed; notices as a whole ended and resumed.

use super::code::{Entered, Made};
use crate::id::new_id;
use crate::news::Channel;
use crate::notice;
use crate::params;
use crate::suppress;
use crate::voter::{self, Contact, FirstOrNext};
use crate::web::{Frame, Limit, Outcome, Refusal, Visit, one_more};
use askama::Template;
use axum::http::StatusCode;
use std::time::Duration;

/// Contacts of one voter.
const CONTACTS_MAX: usize = 8;

/// Contacts that one voter adds: each is sent something.
const ADDED: Limit = Limit { name: "added", n_max: 6, within: Duration::from_hours(1) };

/// A contact as the page shows it.
#[derive(Debug)]
struct Shown {
    id: String,
    channel: &'static str,
    address: String,
    state: String,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "contacts.html")]
struct Page<'v> {
    frame: Frame<'v>,
    contacts: Vec<Shown>,
    channels: Vec<&'static str>,
    is_ended: bool,
    wrong: Vec<&'static str>,
}

/// `GET /me/contacts`.
pub(super) async fn list(visit: Visit) -> Outcome {
    shown(&visit, StatusCode::OK, Vec::new()).await
}

async fn shown(visit: &Visit, status: StatusCode, wrong: Vec<&'static str>) -> Outcome {
    let id = visit.voter()?;
    let (contacts, is_ended) = visit
        .read(move |tx| {
            let mut contacts = Vec::new();
            for Contact { id, channel, address, mut state, is_first, .. } in
                voter::contacts(tx, &id)?
            {
                let block = suppress::suppressed(tx, channel, &address)?;
                let yields = |why: &String| suppress::yields_to_code(channel, why);
                // One that waits for its code has a place for it.
                if block.is_some_and(|why| state != "pending" || !yields(&why)) {
                    "suppressed".clone_into(&mut state);
                }
                let channel = channel.name();
                contacts.push(Shown { id, channel, address, state, is_first });
            }
            Ok((contacts, voter::enrolment(tx, &id)?.is_none()))
        })
        .await?;
    let channels = visit.channels([Channel::Text, Channel::Voice, Channel::Email]);
    let frame = visit.frame("title.contacts");
    visit.page_with(status, &Page { frame, contacts, channels, is_ended, wrong })
}

/// `POST /me/contacts`. A text's number is asked whether it is wanted; the others get a code.
pub(super) async fn add(visit: Visit) -> Outcome {
    let id = visit.voter()?;
    let (Some((channel, address)), Some("yes")) = (visit.place(), visit.field("consent")) else {
        return shown(&visit, StatusCode::BAD_REQUEST, vec!["signin.wrong_where"]).await;
    };
    let (now, keys) = (visit.now(), visit.site.keys().clone());
    let (language, words) = (visit.lang.name(), visit.words().of("contact.consent").to_owned());
    let may = visit.write(move |tx| {
        let about = format!("{}/{}", id.county, id.voter);
        let is_full = voter::contacts(tx, &id)?.len() >= CONTACTS_MAX;
        if is_full || !one_more(tx, &keys, &[(ADDED, &about)], now)? {
            return Ok(false);
        }
        let contact = voter::add_contact(tx, &id, (channel, &address), FirstOrNext::First, now)?;
        match channel {
            Channel::Text => {
                voter::show(tx, &contact, &words)?;
                notice::owe_confirm(tx, &id, &contact, language, now)?;
            }
            Channel::Email | Channel::Voice => {
                let (code, purpose) = (new_id(now), purpose(&contact));
                let made =
                    Made { id: &code, voter: &id, to: (channel, &address), purpose: &purpose };
                made.write(tx, now)?;
                made.owe(tx, language, now)?;
            }
        }
        Ok(true)
    });
    if !may.await? {
        return Err(Refusal::TooOften);
    }
    visit.site.relay.owed.notify_waiters();
    Visit::see_other("/me/contacts?done=added")
}

/// What a code for a contact is for.
fn purpose(contact: &str) -> String {
    format!("contact:{contact}")
}

/// `POST /me/contacts/{id}/confirm`.
pub(super) async fn confirm(visit: Visit) -> Outcome {
    let id = visit.voter()?;
    let contact = visit.param("id")?.to_owned();
    let code = visit.field("code").unwrap_or_default().to_owned();
    let (keys, now, from) = (visit.site.keys().clone(), visit.now(), visit.from.to_string());
    let words = visit.words().of("contact.consent").to_owned();
    let is_confirmed = visit.write(move |tx| {
        let newest = tx.row(
            "SELECT id FROM one_time_code WHERE county = $1 AND voter = $2 AND purpose = $3 \
             ORDER BY created_at DESC LIMIT 1",
            params![&id.county, &id.voter, purpose(&contact)],
        )?;
        let Some(newest) = newest else { return Ok(false) };
        let entered = Entered {
            id: newest.text(0)?,
            code: code.clone(),
            purpose: purpose(&contact),
            from: from.clone(),
            keys: keys.clone(),
            now,
        };
        let Some(proven) = entered.check(tx)? else { return Ok(false) };
        voter::confirm(tx, &contact, ("page", &words), now)?;
        suppress::want_again(tx, (proven.channel, &proven.address))?;
        Ok(true)
    });
    if is_confirmed.await? {
        return Visit::see_other("/me/contacts?done=confirmed");
    }
    shown(&visit, StatusCode::FORBIDDEN, vec!["code.wrong"]).await
}

/// `POST /me/contacts/{id}/order`.
pub(super) async fn order(visit: Visit) -> Outcome {
    let id = visit.voter()?;
    let contact = visit.param("id")?.to_owned();
    let (is_first, now) = (visit.field("first") == Some("yes"), visit.now());
    let n = visit.write(move |tx| {
        tx.run(
            "UPDATE contact SET first = $4, changed_at = $5 WHERE id = $1 AND county = $2 AND voter = $3",
            params![&contact, &id.county, &id.voter, is_first, now],
        )
    });
    if n.await? == 0 {
        return Err(Refusal::NotFound);
    }
    Visit::see_other("/me/contacts?done=saved")
}

/// `POST /me/contacts/{id}/remove`. What is owed there is not sent; the consent stays on record.
pub(super) async fn remove(visit: Visit) -> Outcome {
    let id = visit.voter()?;
    let contact = visit.param("id")?.to_owned();
    let now = visit.now();
    let is_removed = visit.write(move |tx| {
        let own = voter::contacts(tx, &id)?.into_iter().find(|own| own.id == contact);
        let Some(Contact { channel, address, .. }) = own else { return Ok(false) };
        tx.run("DELETE FROM contact WHERE id = $1", params![&contact])?;
        voter::end_consents(tx, Some(&id), (channel, &address), "removed", now)?;
        tx.run(
            "UPDATE notice SET state = 'withdrawn', why = 'removed', changed_at = $4 \
             WHERE contact = $1 AND county = $2 AND voter = $3 AND state = 'owed'",
            params![&contact, &id.county, &id.voter, now],
        )?;
        Ok(true)
    });
    if is_removed.await? {
        Visit::see_other("/me/contacts?done=removed")
    } else {
        Err(Refusal::NotFound)
    }
}

/// `POST /me/end`.
pub(super) async fn end(visit: Visit) -> Outcome {
    let id = visit.voter()?;
    let now = visit.now();
    visit
        .write(move |tx| {
            tx.run(
                "UPDATE enrolment SET ended_at = $3, changed_at = $3 WHERE county = $1 AND voter = $2",
                params![&id.county, &id.voter, now],
            )?;
            tx.run(
                "UPDATE notice SET state = 'withdrawn', why = 'ended', changed_at = $3 \
                 WHERE county = $1 AND voter = $2 AND state = 'owed'",
                params![&id.county, &id.voter, now],
            )
        })
        .await?;
    Visit::see_other("/me/contacts?done=ended")
}

/// `POST /me/resume`.
pub(super) async fn resume(visit: Visit) -> Outcome {
    let id = visit.voter()?;
    let now = visit.now();
    visit
        .write(move |tx| {
            tx.run(
                "UPDATE enrolment SET ended_at = NULL, changed_at = $3 WHERE county = $1 AND voter = $2",
                params![&id.county, &id.voter, now],
            )
        })
        .await?;
    Visit::see_other("/me/contacts?done=resumed")
}
