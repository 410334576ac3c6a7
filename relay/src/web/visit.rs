//! One request that passed the gate, and what a handler may do with it.

use super::Site;
use super::fields::Fields;
use super::frame::Frame;
use super::refusal::{Refusal, answer};
use super::routes::Route;
use super::words::{Lang, Words};
use crate::clock::Micros;
use crate::news::Channel;
use crate::store::{StoreError, Tx};
use crate::told::chain;
use crate::voter::{VoterId, normalized};
use askama::Template;
use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode};
use std::net::IpAddr;

/// What comes of a request.
pub type Outcome = Result<Response<Body>, Refusal>;

/// What somebody of the office may do: each what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Auditor,
    /// Prepares reminders, and helps voters.
    Clerk,
    /// Releases, ends access and lets people in.
    Supervisor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auditor, Self::Clerk, Self::Supervisor];

    /// Its name in the database and of its words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Clerk => "clerk",
            Self::Supervisor => "supervisor",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visitor {
    /// Nobody who signed in.
    Nobody,
    /// A voter.
    Voter {
        /// The county.
        county: String,
        /// The voter, as the county numbers them.
        voter: String,
    },
    /// Somebody of an office.
    Operator {
        /// The county, or `*`.
        county: String,
        /// Their name.
        name: String,
        /// What they may do.
        role: Role,
    },
}

/// A request that passed the gate.
#[derive(Debug)]
pub struct Visit {
    /// What every request has.
    pub site: Site,
    pub(super) route: &'static Route,
    /// Where the request comes from.
    pub from: IpAddr,
    /// Who asks.
    pub visitor: Visitor,
    /// The token of the session, or of a visitor who has none.
    pub(super) token: String,
    /// Whether the token has to be given.
    pub(super) is_new: bool,
    /// The language of the pages.
    pub lang: Lang,
    /// The path and the query as they were asked for.
    pub(super) target: String,
    /// What stands for the names in the route's path.
    pub(super) params: Vec<(String, String)>,
    pub(super) query: Fields,
    /// The fields of the form.
    pub(super) form: Fields,
    /// What the browser has already, by its tag.
    pub(super) has_already: Option<HeaderValue>,
}

/// A control character is no text of a page, whoever wrote it.
fn without_controls(text: String) -> String {
    let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.contains(is_control) { text.replace(is_control, "\u{fffd}") } else { text }
}

fn find<'v>(values: &'v Fields, name: &str) -> Option<&'v str> {
    values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

impl Visit {
    /// What stands for a name in the route's path.
    pub fn param(&self, name: &str) -> Result<&str, Refusal> {
        find(&self.params, name).ok_or(Refusal::NotFound)
    }

    /// A value of the query, if it was given.
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A field of the form, without white space around it; none where it was left empty.
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.form, name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.form
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The ways of `order` by which messages can go.
    pub fn channels(&self, order: [Channel; 3]) -> Vec<&'static str> {
        let configured = order.into_iter().filter(|channel| self.site.relay.config.has(*channel));
        configured.map(Channel::name).collect()
    }

    /// Where the form says that messages go: a way that there is, and an address of that way.
    pub fn place(&self) -> Option<(Channel, String)> {
        let channel = Channel::from_name(self.field("channel")?)?;
        let address = normalized(channel, self.field("address")?)?;
        self.site.relay.config.has(channel).then_some((channel, address))
    }

    /// The words of the visitor's language.
    pub fn words(&self) -> Words<'_> {
        self.site.words(self.lang)
    }

    /// Now.
    pub fn now(&self) -> Micros {
        self.site.relay.clock.now()
    }

    /// The voter who asks.
    pub fn voter(&self) -> Result<VoterId, Refusal> {
        match &self.visitor {
            Visitor::Voter { county, voter } => {
                Ok(VoterId { county: county.clone(), voter: voter.clone() })
            }
            _ => Err(Refusal::NotSignedIn),
        }
    }

    /// Who of the office asks: the county, or `*`, and the name.
    pub fn operator(&self) -> Result<(String, String), Refusal> {
        match &self.visitor {
            Visitor::Operator { county, name, .. } => Ok((county.clone(), name.clone())),
            _ => Err(Refusal::NotSignedIn),
        }
    }

    /// Whether somebody of the office may do what takes that role.
    pub const fn may(&self, least: Role) -> bool {
        match &self.visitor {
            Visitor::Operator { role, .. } => *role as u8 >= least as u8,
            Visitor::Nobody | Visitor::Voter { .. } => false,
        }
    }

    /// The token of the session.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Writes.
    pub async fn write<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.site.relay.store.write(job).await.map_err(|error| Refusal::Failed(chain(&error)))
    }

    /// Reads.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.site.relay.store.read(job).await.map_err(|error| Refusal::Failed(chain(&error)))
    }

    /// What stands around every page; `title` is a key of the words.
    pub fn frame<'v>(&'v self, title: &'v str) -> Frame<'v> {
        Frame::new(self, title)
    }

    /// The page.
    pub fn page(&self, page: &impl Template) -> Outcome {
        self.page_with(StatusCode::OK, page)
    }

    /// The page with another status.
    pub fn page_with(&self, status: StatusCode, page: &impl Template) -> Outcome {
        let text = page.render().map_err(|error| Refusal::Failed(error.to_string()))?;
        let mut response = answer(status, "text/html; charset=utf-8", without_controls(text));
        let lang = HeaderValue::from_static(self.lang.name());
        response.headers_mut().insert(header::CONTENT_LANGUAGE, lang);
        Ok(response)
    }

    /// Leads on to another page, after a form.
    pub fn see_other(place: &str) -> Outcome {
        let place = HeaderValue::from_str(place).map_err(|_none| Refusal::NotFound)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SEE_OTHER;
        response.headers_mut().insert(header::LOCATION, place);
        Ok(response)
    }
}
