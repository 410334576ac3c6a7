//! A browser's side of the pages: cookies, forms with the tokens of the pages that they stand on, no redirect followed.

use crate::rig::{COUNTY, ELECTION, World, client};
use ballot_relay::clock::{Clock as _, Micros};
use ballot_relay::news::Channel;
use ballot_relay::office::{self, Newcomer, hire};
use ballot_relay::pages;
use ballot_relay::serve::Door;
use ballot_relay::voter::{self, Voter, VoterId};
use ballot_relay::web::{self, Role, Site};
use std::sync::Arc;

/// Everybody's password at the office.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Opens the door of the pages; the relay's workers need not run.
pub(crate) fn serve_pages(world: &World) -> Site {
    let site = Site::new(Arc::clone(&world.relay)).unwrap();
    let router = web::router(&site, &[pages::ROUTES, office::ROUTES]);
    let door = world.runtime.block_on(Door::open(&world.relay.config.pages)).unwrap();
    drop(world.runtime.spawn(door.serve(router, std::future::pending())));
    site
}

/// Somebody with a browser.
pub(crate) struct Browser<'w> {
    world: &'w World,
    pub(crate) cookies: Vec<(String, String)>,
    /// Header lines of every request.
    pub(crate) more: Vec<(&'static str, String)>,
}

impl<'w> Browser<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        Self { world, cookies: Vec::new(), more: Vec::new() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.world.relay.config.public_url)
    }

    fn send(&mut self, request: reqwest::RequestBuilder) -> Reply {
        let cookies: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let mut request = request.header("cookie", cookies.join("; "));
        for (name, value) in &self.more {
            request = request.header(*name, value);
        }
        let reply = self.world.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let text =
                |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
                    (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
                };
            let headers: Vec<_> = response.headers().iter().map(text).collect();
            let location = headers.iter().find(|(name, _)| name == "location");
            let location = location.map(|(_, value)| value.clone()).unwrap_or_default();
            Reply { status, location, headers, body: response.text().await.unwrap() }
        });
        for (_, value) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = value.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap().to_owned();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value));
            }
        }
        reply
    }

    pub(crate) fn get(&mut self, path: &str) -> Reply {
        let request = client().get(self.url(path));
        self.send(request)
    }

    /// The token of the forms on a page.
    pub(crate) fn csrf(&mut self, page: &str) -> String {
        let body = self.get(page).body;
        let (_, rest) = body.split_once("name=\"csrf\" value=\"").expect("a page with a form");
        rest.split('"').next().unwrap().to_owned()
    }

    /// Sends a form as it is.
    pub(crate) fn post_raw(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let request = client().post(self.url(path)).form(fields);
        self.send(request)
    }

    /// Sends a body of that type.
    pub(crate) fn post_body(&mut self, path: &str, kind: &str, body: Vec<u8>) -> Reply {
        let request = client().post(self.url(path)).header("content-type", kind).body(body);
        self.send(request)
    }

    /// Sends a form from the page that it stands on.
    pub(crate) fn post(&mut self, (page, path): (&str, &str), fields: &[(&str, &str)]) -> Reply {
        let csrf = self.csrf(page);
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        self.post_raw(path, &fields)
    }

    /// Asks for a code; the id of what was asked.
    pub(crate) fn ask_code(&mut self, who: [&str; 4], (channel, address): (&str, &str)) -> String {
        let reply = self.post(
            ("/signin", "/signin"),
            &facts(who, &[("channel", channel), ("address", address)]),
        );
        assert_eq!(reply.status, 303, "{}", reply.body);
        reply.location.strip_prefix("/code?id=").unwrap().to_owned()
    }

    /// Enters a code.
    pub(crate) fn enter(&mut self, id: &str, code: &str) -> Reply {
        self.post(("/code", "/code"), &[("id", id), ("code", code)])
    }

    /// Signs a voter in; the code is made as the relay makes it, once it is known to be sent.
    pub(crate) fn sign_in(&mut self, who: [&str; 4], to: (&str, &str)) -> Reply {
        let id = self.ask_code(who, to);
        let cause = id.clone();
        crate::rig::eventually("the code's notice", || {
            let cause = cause.clone();
            let sql = "SELECT COUNT(*) FROM notice WHERE cause = $1";
            self.world
                .relay
                .store
                .read_now(move |tx| tx.count(sql, ballot_relay::params![&cause]))
                .unwrap()
                == 1
        });
        let code = self.world.relay.config.keys.one_time_code(&id);
        self.enter(&id, &code)
    }

    /// Signs somebody of the office in.
    pub(crate) fn sign_in_office(&mut self, name: &str, password: &str) -> Reply {
        self.post(("/office/signin", "/office/signin"), &[("name", name), ("password", password)])
    }
}

/// The facts of a voter with what else a form has.
pub(crate) fn facts<'a>(
    [first, last, birth, zip]: [&'a str; 4],
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let own = [("first", first), ("last", last), ("birth", birth), ("zip", zip)];
    own.into_iter().chain(more.iter().copied()).collect()
}

/// Who is whom: first name, last name, birth date, ZIP code.
pub(crate) const ANA: [&str; 4] = ["Ana", "Diaz", "1980-02-29", "80302"];
pub(crate) const BEN: [&str; 4] = ["Ben", "Okafor", "1975-05-05", "80301"];
pub(crate) const SECRET: [&str; 4] = ["Carla", "Secreto", "1969-09-09", "80302"];
pub(crate) const NOBODY: [&str; 4] = ["No", "Body", "1980-02-29", "80302"];

/// Writes Ana (1), Ben (2) and a confidential voter (3) into the voter file, each with a ballot that was mailed.
pub(crate) fn furnish(world: &World) {
    let (relay, now) = (Arc::clone(&world.relay), world.clock.now());
    world.write(move |tx| {
        for (id, [first, last, birth, zip], is_confidential) in
            [("1", ANA, false), ("2", BEN, false), ("3", SECRET, true)]
        {
            let identity = voter::identity(&relay.config.keys, (first, last), birth, zip).unwrap();
            let voter = Voter {
                id: VoterId { county: COUNTY.to_owned(), voter: id.to_owned() },
                first_name: first.to_owned(),
                last_name: last.to_owned(),
                identity,
                is_confidential,
            };
            voter::put(tx, &voter, now)?;
            put_ballot(tx, id, "mailed", now)?;
        }
        Ok(())
    });
}

/// A ballot of a voter.
pub(crate) fn put_ballot(
    tx: &mut ballot_relay::store::Tx<'_>,
    voter: &str,
    status: &str,
    now: Micros,
) -> Result<(), ballot_relay::store::StoreError> {
    tx.run(
        "INSERT INTO ballot (county, election, ballot, voter, status, happened_at, changed_at, event)
         VALUES ($1, $2, $3, $4, $5, $6, $6, 'x')",
        ballot_relay::params![COUNTY, ELECTION, format!("b{voter}"), voter, status, now],
    )?;
    Ok(())
}

/// Lets people of the office in: sue and sam, supervisors; cleo, a clerk; ada, an auditor; olga, a supervisor of another county.
pub(crate) fn hire_all(world: &World) {
    for (name, role) in [
        ("sue", Role::Supervisor),
        ("sam", Role::Supervisor),
        ("cleo", Role::Clerk),
        ("ada", Role::Auditor),
    ] {
        let newcomer = Newcomer::new(&world.relay.config, (name, COUNTY, role), PASSWORD).unwrap();
        let now = world.clock.now();
        assert!(world.write(move |tx| hire(tx, &newcomer, now)));
    }
}

/// The contacts of a voter as `channel address state`.
pub(crate) fn contacts(world: &World, voter: &str) -> Vec<String> {
    let id = VoterId { county: COUNTY.to_owned(), voter: voter.to_owned() };
    let found = world.relay.store.read_now(move |tx| voter::contacts(tx, &id)).unwrap();
    found.iter().map(|c| format!("{} {} {}", c.channel, c.address, c.state)).collect()
}

/// The channel's name.
pub(crate) const EMAIL: (&str, &str) = ("email", "ana@example.org");

/// Ana's address is known to be hers.
pub(crate) fn prove_ana(world: &World) {
    let now = world.clock.now();
    world.write(move |tx| {
        let id = VoterId { county: COUNTY.to_owned(), voter: "1".to_owned() };
        let contact =
            voter::add_contact(tx, &id, (Channel::Email, EMAIL.1), voter::FirstOrNext::First, now)?;
        voter::confirm(tx, &contact, ("page", "yes"), now)
    });
}
