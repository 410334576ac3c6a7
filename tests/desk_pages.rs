//! The supervisor's pages of a real daemon, as a clerk and two supervisors use them; what strangers wrote, shown as text; and the API
//! against its own description.
#![cfg(test)]

#[path = "desk_pages/api.rs"]
mod api;
#[path = "desk_pages/hands.rs"]
mod hands;
#[path = "desk_pages/hostile.rs"]
mod hostile;
mod support;
#[path = "desk_pages/told.rs"]
mod told;

use ballot_intake::desk::{Access, Method, ROUTES};
use support::relay::{Behavior, Relay, SECRET};
use support::station::Station;
use support::web::{Reply, Web};
use support::{GOOD, eventually, payload};

/// Who works there; each has the password `<name>-password`.
const STAFF: [(&str, &str); 5] = [
    ("root", "administrator"),
    ("sue", "supervisor"),
    ("sam", "supervisor"),
    ("kim", "clerk"),
    ("ada", "auditor"),
];

/// A station with pages, a scanner `left`, the ballots 0 to 9, and its staff.
fn staffed() -> Station {
    let station = Station::with_scanners(&["left"], "");
    let text = std::fs::read_to_string(station.config()).unwrap();
    std::fs::write(station.config(), text.replace("page = 'off'", "page = '127.0.0.1:0'")).unwrap();
    station.import(10);
    for (name, role) in STAFF {
        station.add_operator(name, role);
    }
    station
}

#[track_caller]
fn signed_in(station: &Station, name: &str) -> Web {
    let mut web = Web::at(station);
    assert_eq!(web.sign_in(name, &format!("{name}-password")).status, 303);
    web
}

/// Sends a form that is done; the page that follows.
#[track_caller]
fn done(web: &mut Web, path: &str, fields: &[(&str, &str)]) -> Reply {
    let reply = web.post(path, fields);
    assert_eq!(reply.status, 303, "{path}: {reply:?}");
    let page = web.get(reply.header("location").unwrap());
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("class=\"done\" role=\"status\""), "{}", page.body);
    page
}

/// Sends a form that is refused; it is shown once more and says why.
#[track_caller]
fn refused(web: &mut Web, path: &str, fields: &[(&str, &str)], why: &str) -> Reply {
    let reply = web.post(path, fields);
    assert!(matches!(reply.status, 400 | 409), "{path}: {reply:?}");
    assert!(reply.body.contains("class=\"refused\" role=\"alert\""), "{}", reply.body);
    assert!(reply.body.contains(why), "{}", reply.body);
    reply
}

const SURE: (&str, &str) = ("sure", "yes");

const SECOND: [(&str, &str); 2] = [("second_operator", "sam"), ("second_secret", "sam-password")];

/// A route's path where there is a batch 1, an import 1 and a ballot 1.
fn there(path: &str) -> String {
    path.replace("{n}", "1").replace("{election}", "202611").replace("{ballot}", "000000001")
}

#[test]
fn every_page_is_there_for_its_role_in_both_languages() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    let mut anybody = Web::at(&station);
    let mut n_pages = 0;
    for route in ROUTES.iter().filter(|route| route.method == Method::Get && !route.is_api()) {
        let Access::Role(_) = route.access else { continue };
        let path = there(route.path);
        let led = anybody.get(&path);
        assert_eq!(led.status, 303, "{path}");
        assert!(led.header("location").unwrap().starts_with("/signin?next="), "{led:?}");
        for lang in ["en", "es"] {
            let mut web = signed_in(&station, "ada");
            web.cookies.push(("lang".to_owned(), lang.to_owned()));
            let page = web.get(&path);
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            assert!(page.body.contains(&format!("<html lang=\"{lang}\"")), "{path}");
            assert_eq!(page.body.matches("<h1").count(), 1, "{path}");
            let is_free = |tag: &str| page.body.matches(tag).count();
            assert_eq!(
                is_free("<table"),
                is_free("<caption") + is_free("class=\"signatures\""),
                "{path}"
            );
            assert_eq!(page.body.matches("style=").count(), 0, "{path}");
            assert!(page.body.len() < 100 << 10, "{path}");
            n_pages += 1;
        }
    }
    assert!(n_pages >= 30, "{n_pages}");
    daemon.stop();
}

/// Every form names its fields, carries the token, and has a button.
#[test]
fn every_field_has_a_label_and_every_form_its_token() {
    let station = staffed();
    let daemon = station.start();
    let mut web = signed_in(&station, "root");
    for path in [
        "/batches",
        "/ballots/202611/000000001",
        "/operators",
        "/outbox",
        "/proof",
        "/ballots",
        "/manual",
        "/labels",
        "/labels/renew",
    ] {
        let body = web.get(path).body;
        for form in body.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap()) {
            assert!(form.contains("<button"), "{path}: {form}");
            let has_token = form.contains("name=\"csrf\"");
            assert_eq!(has_token, form.contains("method=\"post\""), "{path}: {form}");
            for field in form.split('<').filter(|tag| {
                ["input ", "select ", "textarea "].iter().any(|name| tag.starts_with(name))
                    && !tag.contains("type=\"hidden\"")
                    && !tag.contains("type=\"checkbox\"")
            }) {
                let id = field.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
                assert!(form.contains(&format!("<label for=\"{id}\"")), "{path}: {field}");
            }
        }
    }
    daemon.stop();
}

#[test]
fn a_batch_is_closed_with_a_difference_and_reversed_by_two_from_the_pages_alone() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut kim = signed_in(&station, "kim");
    let opening = [("received_by", "drop_box"), ("place", "Main St"), ("seals", "A1\r\nA2\r\n")];
    done(&mut kim, "/batches", &opening);
    refused(&mut kim, "/batches", &[], "intake-1-1 is open");
    for ballot in [1, 2] {
        assert_eq!(scanner.ask(payload(ballot).as_bytes()), GOOD);
    }
    refused(&mut kim, "/batches/1/close", &[], "say how many");
    let again = refused(
        &mut kim,
        "/batches/1/close",
        &[("counted", "3")],
        "3 envelopes were counted and 2 scanned",
    );
    assert!(
        again.body.contains("name=\"counted\"") && again.body.contains("value=\"3\""),
        "{}",
        again.body
    );
    let why = [("counted", "3"), ("explanation", "one is blank")];
    let page = done(&mut kim, "/batches/1/close", &why);
    for part in ["one is blank", "Main St", "<bdi>A2</bdi>", "kim (signed in by user page)"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert_eq!(kim.post("/batches/1/reverse", &[("reason", "x")]).status, 403);

    let mut sue = signed_in(&station, "sue");
    assert!(sue.get("/exceptions").body.contains("one is blank"));
    refused(&mut sue, "/batches/1/reverse", &SECOND, "say why");
    let reason = ("reason", "another county");
    let wrong = [reason, ("second_operator", "sam"), ("second_secret", "wrong-password")];
    refused(&mut sue, "/batches/1/reverse", &wrong, "not an operator");
    let same = [reason, ("second_operator", "sue"), ("second_secret", "sue-password")];
    refused(&mut sue, "/batches/1/reverse", &same, "another operator must confirm it");
    let page = done(&mut sue, "/batches/1/reverse", &[&[reason], &SECOND[..]].concat());
    assert!(page.body.contains("another county"), "{}", page.body);
    let print = sue.get("/batches/1/print").body;
    for part in ["canvass board", "Newest checkpoint: <code>", "Printed <time>20", "one is blank"] {
        assert!(print.contains(part), "{part}: {print}");
    }
    assert!(!print.contains("<form") && !print.contains("<nav"), "{print}");
    refused(&mut sue, "/batches/1/reverse", &[&[reason], &SECOND[..]].concat(), "reversed already");
    daemon.stop();
    station.verify();
    assert_eq!(station.json(&["batch", "show", "1"])[0]["reversed"]["confirmed_by"], "sam");
}

#[test]
fn an_accepted_ballot_is_corrected_by_two_there_or_by_proposal() {
    let station = staffed();
    let daemon = station.start();
    let (mut sue, mut sam) = (signed_in(&station, "sue"), signed_in(&station, "sam"));
    let ballot = "/ballots/202611/000000001";
    let set = format!("{ballot}/set");
    let accepted = [("status", "accepted"), ("reason", "by hand")];
    let page = done(&mut sue, &set, &accepted);
    assert!(page.body.contains("from mailed to accepted (by hand)"), "{}", page.body);
    let back = [("status", "received"), ("reason", "by mistake")];
    let page = done(&mut sue, &set, &back);
    assert!(page.body.contains("waits for a second person"), "{}", page.body);
    let proposals = sue.get("/proposals").body;
    let (_, rest) = proposals.split_once("/proposals/").unwrap();
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let confirm = format!("/proposals/{number}/confirm");
    refused(&mut sue, &confirm, &[], "another operator must confirm it");
    done(&mut sam, &confirm, &[]);
    refused(&mut sam, &confirm, &[], "decided already");
    assert!(sue.get(ballot).body.contains("confirmed by sam"));

    done(&mut sue, &set, &accepted);
    done(&mut sue, &set, &[&back[..], &SECOND].concat());
    done(&mut sue, &set, &accepted);
    done(&mut sue, &set, &back);
    let proposals = sue.get("/proposals").body;
    let (_, rest) = proposals.split_once("/proposals/").unwrap();
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    done(&mut sue, &format!("/proposals/{number}/confirm"), &SECOND);
    refused(&mut sue, &set, &[("status", "queen"), ("reason", "x")], "no such status");
    for (number, place) in
        [("000000001", true), ("V00000001", true), (&*payload(1), true), ("nothing", false)]
    {
        let found = sue.get(&format!("/ballots?number={number}"));
        assert_eq!(found.header("location") == Some(ballot), place, "{number}: {found:?}");
    }
    daemon.stop();
    station.verify();
}

#[test]
fn a_change_that_the_relay_refused_is_tried_again_and_dropped() {
    let relay = Relay::start(Behavior::Refuse(422));
    let station = staffed();
    let secret = station.path("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let (url, file) = (relay.url(), secret.display().to_string());
    station.add(&format!("[relay]\nurl = '{url}'\nsecret_file = '{file}'\nhold_back = '0s'"));
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    let mut sue = signed_in(&station, "sue");
    let set_aside = |web: &mut Web| {
        let body = web.get("/outbox").body;
        let (_, rest) = body
            .split_once("action=\"/outbox/")
            .filter(|(_, rest)| !rest.starts_with('r'))
            .or_else(|| {
                let (_, rest) = body.split_once("action=\"/outbox/retry")?;
                rest.split_once("action=\"/outbox/")
            })?;
        Some(rest.split('/').next().unwrap().to_owned())
    };
    eventually("the refusal", || set_aside(&mut sue).is_some());
    done(&mut sue, "/outbox/retry", &[]);
    eventually("the refusal", || set_aside(&mut sue).is_some());
    let change = set_aside(&mut sue).unwrap();
    let drop = format!("/outbox/{change}/drop");
    assert_eq!(signed_in(&station, "kim").post(&drop, &[("reason", "x")]).status, 403);
    refused(&mut sue, &drop, &[], "say why");
    refused(&mut sue, "/outbox/999999/drop", &[("reason", "x")], "no change 999999");
    done(&mut sue, &drop, &[("reason", "the voter moved away")]);
    assert_eq!(set_aside(&mut sue), None);
    let story = sue.get("/ballots/202611/000000001").body;
    assert!(story.contains("is never told"), "{story}");
    daemon.stop();
    station.verify();
}

#[test]
fn operators_checkpoints_and_a_proof_are_made_from_the_pages() {
    let station = staffed();
    let daemon = station.start();
    let mut root = signed_in(&station, "root");
    let mut new = [
        ("operator", "ann"),
        ("role", "clerk"),
        ("secret", "ann-password"),
        ("secret_again", "ann-passwort"),
    ];
    refused(&mut root, "/operators", &new, "two passwords differ");
    new[3].1 = "ann-password";
    done(&mut root, "/operators", &new);
    refused(&mut root, "/operators", &new, "no name is used twice");
    assert_eq!(signed_in(&station, "ann").get("/day").status, 200);
    // Nobody is disabled for good by a button that was pressed for another.
    refused(&mut root, "/operators/disable", &[("operator", "ann")], "never sign in again");
    assert_eq!(signed_in(&station, "ann").get("/day").status, 200);
    done(&mut root, "/operators/disable", &[("operator", "ann"), SURE]);
    refused(&mut root, "/operators/disable", &[("operator", "root"), SURE], "last administrator");
    assert_eq!(signed_in(&station, "sue").post("/operators", &new).status, 403);
    done(&mut root, "/proof/checkpoint", &[]);
    done(&mut root, "/proof/verify", &[]);
    eventually("the proof", || root.get("/proof").body.contains("Every event holds"));
    assert!(root.get("/day/print").body.contains("Newest checkpoint: <code>"));
    done(&mut root, "/scanners/acknowledge", &[("scanner", "left")]);
    refused(
        &mut root,
        "/scanners/acknowledge",
        &[("scanner", "middle")],
        "no scanner of that name",
    );
    daemon.stop();
    station.verify();
}

/// What has no event of its own is in the ledger all the same: what, who, and where.
#[test]
fn who_signs_in_acknowledges_and_prints_is_written_down() {
    let station = staffed();
    let left = station.plug("left");
    let daemon = station.start();
    let mut kim = signed_in(&station, "kim");
    done(&mut kim, "/scanners/acknowledge", &[("scanner", "left")]);
    assert_eq!(kim.post("/labels/commands", &[]).status, 200);
    assert_eq!(kim.post("/signout", &[]).status, 303);
    daemon.stop();
    drop(left);
    let events = station.look().events_after(0);
    let acts: Vec<_> = events
        .iter()
        .filter(|event| event.text("kind") == "acted")
        .map(|event| (event.text("what"), event.text("by"), event.text("os_user")))
        .collect();
    let page = acts[0].2;
    assert!(page.starts_with("page"), "{page}");
    assert_eq!(
        acts,
        ["sign_in", "acknowledge", "print_sheets", "sign_out"].map(|what| (what, "kim", page))
    );
    station.verify();
}
