//! Signing in and out at the office.

use super::people::fits;
use crate::params;
use crate::store::StoreError;
use crate::web::{
    Frame, Limit, Outcome, Refusal, Role, Visit, Visitor, begin, end, forgive, one_more,
    with_session,
};
use askama::Template;
use axum::http::StatusCode;
use std::time::Duration;

/// Failures with one name, and from one address.
const FAILED_ONE: Limit = Limit { name: "office", n_max: 5, within: Duration::from_mins(10) };
const FAILED_FROM: Limit =
    Limit { name: "office-from", n_max: 20, within: Duration::from_mins(10) };

#[derive(Template)]
#[template(path = "office_signin.html")]
struct SignIn<'v> {
    frame: Frame<'v>,
    is_refused: bool,
}

/// `GET /office/signin`.
pub(super) fn form(visit: &Visit) -> Outcome {
    visit.page(&SignIn { frame: visit.frame("title.office_signin"), is_refused: false })
}

/// What the database says to a name.
enum Asked {
    /// It was tried too often, or too much came from there: no password is looked at.
    TooOften,
    /// Who has that name, if anybody.
    Named(Option<Known>),
}

/// Somebody as the database has them.
struct Known {
    county: String,
    role: Role,
    hash: String,
}

/// `POST /office/signin`. The hash takes the same time for a name that nobody has. Who tried too often is answered without one.
pub(super) async fn sign_in(visit: Visit) -> Outcome {
    let name = visit.field("name").unwrap_or_default().to_owned();
    let password = visit.field("password").unwrap_or_default().to_owned();
    let (keys, now, from) = (visit.site.keys().clone(), visit.now(), visit.from.to_string());
    let (asked, counted) = (name.clone(), keys.clone());
    // Counted before it is looked at, so that many at once are not each the first.
    let known = visit.write(move |tx| {
        let limits = [(FAILED_ONE, asked.as_str()), (FAILED_FROM, from.as_str())];
        if !one_more(tx, &counted, &limits, now)? {
            return Ok(Asked::TooOften);
        }
        let row = tx.row(
            "SELECT county, role, password FROM operator WHERE name = $1 AND disabled_at IS NULL",
            params![&asked],
        )?;
        let Some(row) = row else { return Ok(Asked::Named(None)) };
        let role = Role::from_name(&row.text(1)?).ok_or(StoreError::Column(1))?;
        Ok(Asked::Named(Some(Known { county: row.text(0)?, role, hash: row.text(2)? })))
    });
    let known = match known.await? {
        Asked::TooOften => None,
        Asked::Named(known) => {
            let hash = known.as_ref().map(|known| known.hash.clone());
            let is_right = fits(&visit, hash, password).await?;
            known.filter(|_| is_right)
        }
    };
    let Some(Known { county, role, .. }) = known else {
        tracing::warn!("Somebody could not sign in at the office.");
        let page = SignIn { frame: visit.frame("title.office_signin"), is_refused: true };
        return visit.page_with(StatusCode::FORBIDDEN, &page);
    };
    let visitor = Visitor::Operator { county: county.clone(), name: name.clone(), role };
    let token = visit
        .write(move |tx| {
            forgive(tx, &keys, (FAILED_ONE, &name))?;
            super::acted(tx, (&county, &name), ("signed_in", ""), now)?;
            begin(tx, &visitor, now)
        })
        .await?;
    let token = token.ok_or_else(|| Refusal::Failed("no random bytes".to_owned()))?;
    Ok(with_session(&visit, Visit::see_other("/office")?, Some(&token)))
}

/// `POST /office/signout`.
pub(super) async fn sign_out(visit: Visit) -> Outcome {
    let token = visit.token().to_owned();
    visit.write(move |tx| end(tx, &token)).await?;
    Ok(with_session(&visit, Visit::see_other("/office/signin")?, None))
}
