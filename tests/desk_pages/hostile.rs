//! What strangers wrote is text on every page.

use crate::support::eventually;
use crate::support::web::Web;
use crate::{SECOND, done, signed_in, staffed};
use std::fs;

/// Ballots whose ids a browser or a spreadsheet would rather do than show.
const BALLOTS: [&str; 4] = [
    "<script>alert(1)</script>",
    "=HYPERLINK(\"x\")",
    "\"><img/src=x/onerror=a()>",
    "{{7*7}}'&amp;/../",
];

/// Texts that people may type: markup, a formula, marks that turn the direction of writing.
const TEXTS: [&str; 3] = [
    "<script>alert(2)</script>",
    "=1+1\u{202e}</bdi>\u{2066}",
    "</textarea><svg/onload=alert(3)>'\"",
];

/// Nothing of it is markup, and what turns the direction of writing turns nothing around it.
#[track_caller]
fn is_harmless(path: &str, body: &str) {
    for live in
        ["<script>alert", "<img", "<svg/", "onerror=a()>", "\"><img", "</textarea><svg", "\u{1b}"]
    {
        assert!(!body.contains(live), "{path}: {live}: {body}");
    }
    let mut outside = String::new();
    for (n, part) in body.split("<bdi>").enumerate() {
        outside.push_str(if n == 0 { part } else { part.split_once("</bdi>").unwrap().1 });
    }
    let outside: String = outside.split('"').step_by(2).collect();
    assert!(!outside.contains(['\u{202e}', '\u{2066}']), "{path}: {outside}");
}

fn every_page(web: &mut Web) -> Vec<(String, String)> {
    let mut pages: Vec<String> = [
        "/",
        "/day",
        "/day/print",
        "/batches",
        "/batches/1",
        "/batches/1/print",
        "/exceptions",
        "/imports",
        "/reconciliation",
        "/reconciliation/print",
        "/outbox",
        "/scanners",
        "/proof",
        "/operators",
        "/proposals",
        "/ballots?number=V1",
    ]
    .map(str::to_owned)
    .into();
    let imports = web.get("/imports").body;
    let links =
        imports.split("href=\"/imports/").skip(1).map(|rest| rest.split('"').next().unwrap());
    pages.extend(links.map(|number| format!("/imports/{number}")));
    pages.extend(BALLOTS.map(|ballot| format!("/ballots/202611/{}", encoded(ballot))));
    pages.extend(
        TEXTS.map(|text| format!("/ballots?number={}&election={}", encoded(text), encoded(text))),
    );
    pages.extend(TEXTS.map(|text| format!("/day?done={}", encoded(text))));
    pages
        .into_iter()
        .map(|path| {
            let page = web.get(&path);
            assert_eq!(page.status, 200, "{path}: {page:?}");
            (path, page.body)
        })
        .collect()
}

fn encoded(text: &str) -> String {
    let bytes: Vec<_> = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    bytes.concat()
}

#[test]
fn what_strangers_wrote_is_text_on_every_page() {
    let station = staffed();
    let import = |name: &str, voter: &str| {
        let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let rows = BALLOTS.map(|ballot| format!("{},{voter},{}\n", cell(ballot), cell(TEXTS[0])));
        let file = station.path(name);
        fs::write(&file, format!("ballot,voter,style\n{}", rows.concat())).unwrap();
        let file = file.to_str().unwrap().to_owned();
        assert!(station.run(&["import", &file, "--layout", "generic"]).status.success());
    };
    import("<img src=x onerror=a()>\u{202e}\u{1b}[2J.csv", "V1");
    import("=1+1.csv", "<b>V2</b>");
    let daemon = station.start();
    let (mut sue, mut root) = (signed_in(&station, "sue"), signed_in(&station, "root"));
    for text in TEXTS {
        let opening = [("place", text), ("seals", text)];
        done(&mut sue, "/batches", &opening);
        let open = sue.get("/batches").body;
        let (_, rest) = open.split_once("href=\"/batches/intake-1-").unwrap();
        let number = rest.split('"').next().unwrap().to_owned();
        let closing = [("counted", "1"), ("explanation", text)];
        done(&mut sue, &format!("/batches/{number}/close"), &closing);
        let why = [&[("reason", text)], &SECOND[..]].concat();
        done(&mut sue, &format!("/batches/{number}/reverse"), &why);
    }
    for (ballot, text) in BALLOTS.iter().zip(TEXTS) {
        let set = format!("/ballots/202611/{}/set", encoded(ballot));
        done(&mut sue, &set, &[("status", "accepted"), ("reason", text)]);
        done(&mut sue, &set, &[("status", "received"), ("reason", text)]);
        let refused = sue.post(
            &set,
            &[("status", "received"), ("reason", "\u{1b}[2J"), ("second_operator", text)],
        );
        is_harmless(&set, &refused.body);
    }
    let new = ("operator", "O'Brien \"Bob\"; <b onclick=x>");
    done(&mut root, "/operators", &[new, ("role", "clerk"), ("secret", "bob-password")]);
    for lang in ["en", "es"] {
        root.cookies.push(("lang".to_owned(), lang.to_owned()));
        for (path, body) in every_page(&mut root) {
            is_harmless(&path, &body);
        }
        root.cookies.pop();
    }
    let all: String = every_page(&mut root).into_iter().map(|(_, body)| body).collect();
    for shown in
        ["&#60;script&#62;alert(1)", "=HYPERLINK(", "{{7*7}}", "&#60;b onclick=x&#62;", "=1+1.csv"]
    {
        assert!(all.contains(shown), "{shown}");
    }
    eventually("the ledger", || station.run(&["ledger", "verify"]).status.success());
    daemon.stop();
}
