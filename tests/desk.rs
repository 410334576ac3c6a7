//! The pages of a real daemon: who may have them, what every answer carries, what a scan looks like there, and what strangers cannot.
#![cfg(test)]

mod support;

use ballot_intake::desk::{Access, Method, ROUTES, Route};
use ballot_intake::ledger::Role;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::station::Station;
use support::web::{Reply, Web};
use support::{BAD, GOOD, eventually, payload};

/// In place of `page = 'off'` of the usual station.
const AT_LOOPBACK: &str = "page = '127.0.0.1:0'";

/// Operators of a staffed station, with their roles; each has the password `<name>-password`.
const STAFF: [(&str, &str); 4] =
    [("root", "administrator"), ("sue", "supervisor"), ("kim", "clerk"), ("ada", "auditor")];

/// A station with a scanner `left` and pages there.
fn station(page: &str) -> Station {
    let station = Station::with_scanners(&["left"], "");
    let text = std::fs::read_to_string(station.config()).unwrap();
    std::fs::write(station.config(), text.replace("page = 'off'", page)).unwrap();
    station
}

/// The same with operators.
fn staffed(page: &str) -> Station {
    let station = station(page);
    for (name, role) in STAFF {
        station.add_operator(name, role);
    }
    station
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/desk").join(name)
}

/// A station whose pages other machines reach.
fn networked(staff: &[(&str, &str)]) -> Station {
    let station = station("page = '0.0.0.0:0'");
    let (certificate, key) = (fixture("page.crt"), fixture("page.key"));
    station.add(&format!(
        "[page]\ntls_certificate_file = '{}'\ntls_key_file = '{}'\n",
        certificate.display(),
        key.display()
    ));
    for (name, role) in staff {
        station.add_operator(name, role);
    }
    station
}

#[track_caller]
fn has_headers(reply: &Reply) {
    let policy = reply.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{reply:?}");
    }
    assert!(reply.header("cache-control").is_some(), "{reply:?}");
    assert_eq!(reply.header("access-control-allow-origin"), None);
}

#[test]
fn every_answer_has_the_headers_and_nothing_inline() {
    let station = station(AT_LOOPBACK);
    let daemon = station.start();
    let mut web = Web::at(&station);
    let page = web.get("/");
    assert_eq!(page.status, 200);
    assert!(page.body.len() < 100 << 10);
    for inline in ["<style", "style=", "onclick", "onload", "javascript:", "http://", "https://"] {
        assert!(!page.body.contains(inline), "{inline}");
    }
    let is_inline = |rest: &&str| !rest.starts_with(" src=\"/assets/");
    assert_eq!(page.body.split("<script").skip(1).find(is_inline), None);
    assert!(!page.body.contains("<input type=\"text\""), "the clerk's page takes nothing");
    let asset = page.body.split('"').find(|text| text.ends_with("-clerk.js")).unwrap().to_owned();
    for path in ["/", "/nowhere", "/signin", "/api/v1/now", "/assets/nothing.js", &asset] {
        has_headers(&web.get(path));
    }
    assert_eq!(web.get("/nowhere").status, 404);
    let wrong = web.ask("DELETE /", "", "");
    assert_eq!(wrong.status, 405);
    has_headers(&wrong);
    let kept = web.get(&asset);
    assert!(kept.header("cache-control").unwrap().contains("immutable"));
    let tag = kept.header("etag").unwrap().to_owned();
    let again = web.ask(&format!("GET {asset}"), &format!("if-none-match: {tag}\r\n"), "");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    daemon.stop();
}

/// What the route's path is with something in place of what varies.
fn example(route: &Route) -> String {
    let parts = route.path.split('/').map(|part| if part.starts_with('{') { "1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Whether the answer says that this visitor may not.
fn is_kept_out(reply: &Reply) -> bool {
    let leads = reply.header("location").is_some_and(|place| place.starts_with("/signin?next="));
    leads || matches!(reply.status, 401 | 403)
}

/// Asks as a page of the station would.
fn ask(web: &mut Web, route: &Route) -> Reply {
    let path = example(route);
    match route.method {
        Method::Get if route.path == "/events" => web.stream().head,
        Method::Get => web.get(&path),
        Method::Post => web.post(&path, &[]),
    }
}

#[test]
fn every_route_asks_for_its_role() {
    let station = staffed(AT_LOOPBACK);
    let daemon = station.start();
    assert!(ROUTES.iter().any(|route| matches!(route.access, Access::Role(_))));
    let roles = [None, Some(Role::Auditor), Some(Role::Clerk), Some(Role::Supervisor)];
    for (role, name) in roles.into_iter().zip([None, Some("ada"), Some("kim"), Some("sue")]) {
        for route in ROUTES.iter().filter(|route| route.path != "/signin") {
            let mut web = Web::at(&station);
            if let Some(name) = name {
                assert_eq!(web.sign_in(name, &format!("{name}-password")).status, 303);
            }
            let may = match route.access {
                Access::Anyone | Access::Looker => true,
                Access::Role(least) => role.is_some_and(|role| role >= least),
            };
            let reply = ask(&mut web, route);
            assert_eq!(is_kept_out(&reply), !may, "{route:?} as {name:?}: {reply:?}");
        }
    }
    daemon.stop();
}

#[test]
fn nothing_changes_without_the_token_of_the_session_and_the_stations_own_origin() {
    let station = staffed(AT_LOOPBACK);
    let daemon = station.start();
    let mut web = Web::at(&station);
    assert_eq!(web.sign_in("sue", "sue-password").status, 303);
    let csrf = web.get("/").csrf();
    let origin = web.origin();
    let kind = "content-type: application/x-www-form-urlencoded\r\n";
    for route in ROUTES.iter().filter(|route| route.method == Method::Post) {
        let first = format!("POST {}", example(route));
        for (more, body) in [
            (String::new(), String::new()),
            (String::new(), "csrf=wrong".to_owned()),
            ("origin: http://evil.example\r\n".to_owned(), format!("csrf={csrf}")),
            ("origin: null\r\n".to_owned(), format!("csrf={csrf}")),
            ("sec-fetch-site: cross-site\r\n".to_owned(), format!("csrf={csrf}")),
            ("sec-fetch-site: same-site\r\n".to_owned(), format!("csrf={csrf}")),
            (format!("origin: {}\r\n", origin.replace("http", "https")), format!("csrf={csrf}")),
        ] {
            let reply = web.ask(&first, &format!("{kind}{more}"), &body);
            assert_eq!(reply.status, 403, "{first} {more} {body}: {reply:?}");
        }
    }
    assert!(web.get("/").body.contains("sue ("), "she is signed in still");
    assert!(station.logged("PageRefused") > 0);
    for host in ["evil.example", "127.0.0.1", "evil.example:80"] {
        let reply =
            web.raw(&format!("GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"));
        assert_eq!(reply.status, 421, "{host}");
    }
    daemon.stop();
}

#[test]
fn a_session_ends_by_signing_out_and_with_its_operator() {
    let station = staffed(AT_LOOPBACK);
    let daemon = station.start();
    let mut web = Web::at(&station);
    let signed = web.sign_in("kim", "kim-password");
    let cookie = signed.header("set-cookie").unwrap();
    for part in ["desk=", "HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let (cookies, first) = (web.cookies.clone(), web.get("/api/v1/now").status);
    assert_eq!(web.post("/signout", &[]).status, 303);
    assert!(web.cookies.is_empty());
    web.cookies = cookies;
    assert_eq!((first, web.get("/api/v1/now").status), (200, 401));

    web.cookies.clear();
    web.sign_in("kim", "kim-password");
    let mut stream = web.stream();
    assert_eq!(stream.next().unwrap().0, "hello");
    let mut disable = Command::new(env!("CARGO_BIN_EXE_ballot-intake"));
    disable.args(["operators", "disable", "kim", "--operator", "root", "--config"]);
    let mut child =
        disable.arg(station.config()).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"root-password\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    while let Some((name, _)) = stream.next() {
        assert_eq!(name, "state");
    }
    assert_eq!(web.get("/api/v1/now").status, 401);
    assert_eq!((station.logged("SignedIn"), station.logged("SignedOut")), (2, 1));
    daemon.stop();
}

#[test]
fn a_name_is_locked_after_five_failures_and_no_password_is_kept() {
    let station = staffed(AT_LOOPBACK);
    let daemon = station.start();
    let mut web = Web::at(&station);
    for secret in ["wrong-password"; 5].into_iter().chain(["sue-password"]) {
        let refused = web.sign_in("sue", secret);
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("Nobody signed in"), "{}", refused.body);
        assert!(web.cookies.is_empty());
    }
    assert_eq!(web.sign_in("kim", "kim-password").status, 303);
    assert_eq!(web.sign_in("nobody", "kim-password").status, 403);
    assert_eq!(station.logged("SignInRefused"), 7);
    daemon.stop();
    assert!(!station.log().contains("-password"), "{}", station.log());
}

#[test]
fn a_scan_is_told_after_its_commit_with_words_counts_and_place() {
    let station = station(AT_LOOPBACK);
    station.import(10);
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut web = Web::at(&station);
    let mut stream = web.stream();
    let (name, hello) = stream.next().unwrap();
    assert_eq!((name.as_str(), &hello["state"]["day_scans"]), ("hello", &0.into()));
    assert_eq!(scanner.ask(payload(3).as_bytes()), GOOD);
    let told = stream.scan();
    let (scan, state) = (&told["scan"], &told["state"]);
    assert_eq!((&scan["verdict"], &scan["tone"]), (&"received".into(), &"good".into()));
    assert_eq!((&scan["says"], &scan["ballot"]), (&"Ballot received".into(), &"000000003".into()));
    assert_eq!(scan["place"], "intake-1-1 \u{b7} 1");
    assert_eq!(
        (&state["day_scans"], &state["day_good"], &state["batch_scans"]),
        (&1.into(), &1.into(), &1.into())
    );

    // Somebody's driver's licence, or worse: on the page until the next scan, as text.
    let hostile = "<script>alert(1)</script>&\"\u{202e}";
    assert_eq!(scanner.ask(hostile.as_bytes()), BAD);
    let told = stream.scan();
    assert_eq!(
        (&told["scan"]["verdict"], &told["scan"]["tone"]),
        (&"unreadable".into(), &"bad".into())
    );
    assert!(told["scan"]["text"].as_str().unwrap().starts_with("<script>alert(1)"));
    let page = web.get("/");
    assert!(page.body.contains("data-tone=\"bad\"") && page.body.contains("Code not readable"));
    assert!(!page.body.contains("<script>alert"), "{}", page.body);
    assert_eq!(scanner.ask(payload(4).as_bytes()), GOOD);
    assert_eq!(stream.scan()["state"]["batch_scans"], 3);
    let (_, again) = web.stream().next().unwrap();
    assert_eq!((&again["daemon"], &again["has_verdict"]), (&hello["daemon"], &true.into()));
    let page = web.get("/");
    assert!(!page.body.contains("alert(1)"), "{}", page.body);
    assert!(page.body.contains("intake-1-1 \u{b7} 3") && page.body.contains("intake-1-1 \u{b7} 1"));
    daemon.stop();

    // A new daemon knows the last scans, and shows none of them as its own verdict: pages that are open know it by its id.
    let daemon = station.start();
    let (_, anew) = Web::at(&station).stream().next().unwrap();
    assert_ne!(hello["daemon"], anew["daemon"]);
    assert_eq!(
        (&anew["has_verdict"], &anew["scans"][0]["says"]),
        (&false.into(), &"Ballot received".into())
    );
    let page = Web::at(&station).get("/");
    assert!(page.body.contains("data-tone=\"idle\""), "{}", page.body);
    assert!(page.body.contains("intake-1-1 \u{b7} 3") && page.body.contains("Code not readable"));
    daemon.stop();
    station.verify();
}

/// In a burst scans share frames: none is left out, none comes out of order, and the last is told without another after it.
#[test]
fn a_burst_is_told_scan_by_scan() {
    let station = station(AT_LOOPBACK);
    station.import(200);
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut stream = Web::at(&station).stream();
    for ballot in 0..200 {
        assert_eq!(scanner.ask(payload(ballot).as_bytes()), GOOD);
    }
    for ballot in 0..200 {
        let told = stream.scan();
        assert_eq!(told["scan"]["ballot"], format!("{ballot:09}"));
        assert_eq!(told["state"]["batch_scans"], ballot + 1);
    }
    daemon.stop();
}

#[test]
fn a_scanner_that_is_lost_is_told_until_it_is_back() {
    let station = station(AT_LOOPBACK);
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut stream = Web::at(&station).stream();
    let mut until = |is_lost: bool| loop {
        let (_, told) = stream.next().unwrap();
        let troubles = told["state"]["troubles"].to_string();
        if troubles.contains("Scanner left cannot be reached") == is_lost {
            return;
        }
    };
    until(false);
    drop(scanner);
    until(true);
    let back = station.plug("left");
    until(false);
    drop(back);
    daemon.stop();
}

#[test]
fn the_pages_speak_english_and_spanish() {
    let station = station(AT_LOOPBACK);
    let daemon = station.start();
    let mut web = Web::at(&station);
    for (accepts, lang, says) in [
        ("", "en", "Ready to scan"),
        ("accept-language: fr, es-MX;q=0.8, en;q=0.5\r\n", "es", "Listo para escanear"),
        ("accept-language: de\r\n", "en", "Ready to scan"),
    ] {
        let page = web.ask("GET /", accepts, "");
        assert_eq!(page.header("content-language"), Some(lang), "{accepts}");
        assert!(page.body.contains(&format!("<html lang=\"{lang}\"")) && page.body.contains(says));
    }
    let csrf = web.get("/").csrf();
    let chosen = web.ask(
        "POST /language",
        "content-type: application/x-www-form-urlencoded\r\n",
        &format!("csrf={csrf}&lang=es&next=%2F"),
    );
    assert_eq!((chosen.status, chosen.header("location")), (303, Some("/")));
    let page = web.ask("GET /", "accept-language: en\r\n", "");
    assert!(page.body.contains("Listo para escanear"), "{}", page.body);
    daemon.stop();
}

/// The daemon says no, and why, and exits with 78.
#[track_caller]
fn refuses_to_start(station: &Station, why: &str) {
    let ended = station.spawn().ended();
    assert_eq!(ended.code(), Some(78), "{}", station.log());
    assert!(station.log().contains(why), "{}", station.log());
}

#[test]
fn pages_for_other_machines_take_tls_and_an_administrator() {
    let open = station("page = '0.0.0.0:0'");
    refuses_to_start(&open, "takes [page] tls_certificate_file and tls_key_file");
    let half = station("page = '0.0.0.0:0'");
    half.add("[page]\ntls_key_file = '/x'\n");
    refuses_to_start(&half, "the key `tls_certificate_file` is missing");
    let lonely = networked(&[]);
    refuses_to_start(&lonely, "nobody can sign in: add an administrator first");
    let wrong = networked(&STAFF[..1]);
    let text = std::fs::read_to_string(wrong.config()).unwrap();
    std::fs::write(wrong.config(), text.replace("page.crt", "page.key")).unwrap();
    refuses_to_start(&wrong, "there is no certificate in");
}

#[test]
fn other_machines_come_by_tls_and_sign_in_first() {
    let station = networked(&STAFF);
    let daemon = station.start();
    let mut web = Web::by_tls(&station, &fixture("page.crt"));
    for route in ROUTES.iter().filter(|route| route.access != Access::Anyone) {
        let reply = ask(&mut web, route);
        assert!(is_kept_out(&reply), "{route:?}: {reply:?}");
        assert!(reply.header("strict-transport-security").is_some());
    }
    assert_eq!(web.get("/").header("location"), Some("/signin?next=/"));
    let signed = web.sign_in("ada", "ada-password");
    let cookie = signed.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-desk=") && cookie.contains("; Secure"), "{cookie}");
    assert_eq!(web.get("/").status, 200);
    assert_eq!(web.stream().next().unwrap().0, "hello");

    // Without TLS nobody gets a word.
    let mut plain = web.connect();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut said = Vec::new();
    drop(plain.read_to_end(&mut said));
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    daemon.stop();
}

#[test]
fn who_says_little_reads_nothing_or_sends_too_much_keeps_nobody_out() {
    support::web::allow_connections();
    let station = station(AT_LOOPBACK);
    station.import(600);
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut web = Web::at(&station);
    let unread: Vec<_> = (0..200).map(|_| web.stream()).collect();
    let slow: Vec<_> = (0..2_000)
        .map(|_| {
            let mut stream = web.connect();
            // Who had to make way already cannot.
            drop(stream.write_all(b"GET / HTTP/1.1\r\nhost: "));
            stream
        })
        .collect();
    for ballot in 0..600 {
        assert_eq!(scanner.ask(payload(ballot).as_bytes()), GOOD);
    }
    eventually("the page", || web.connect_and_get("/").is_some_and(|reply| reply.status == 200));
    drop((unread, slow));
    let body = "x".repeat(70 << 10);
    let kind = "content-type: application/x-www-form-urlencoded\r\n";
    assert_eq!(web.ask("POST /signin", kind, &body).status, 413);
    let head = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(64 << 10));
    assert!(matches!(web.raw(&head).status, 0 | 414 | 431));
    daemon.stop();
    assert_eq!(station.look().scans().len(), 600);
}

/// A head came, and its body never: such a connection kept its place for as long as a form may take.
#[test]
fn whoever_withholds_what_they_announced_keeps_nobody_out() {
    support::web::allow_connections();
    let station = station(AT_LOOPBACK);
    let daemon = station.start();
    let web = Web::at(&station);
    let host = web.host();
    let csrf = Web::at(&station).get("/").csrf();
    let head = format!(
        "POST /signin HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: 1000\r\n\r\ncsrf={csrf}"
    );
    let withheld: Vec<_> = (0..600)
        .map(|_| {
            let mut stream = web.connect();
            drop(stream.write_all(head.as_bytes()));
            stream
        })
        .collect();
    let page = web.connect_and_get("/").map(|reply| reply.status);
    assert_eq!(page, Some(200), "the first that comes after them has a place");
    drop(withheld);
    daemon.stop();
}

#[test]
fn one_session_has_so_many_streams_and_no_more() {
    let station = staffed(AT_LOOPBACK);
    let daemon = station.start();
    let (mut kim, mut sue) = (Web::at(&station), Web::at(&station));
    kim.sign_in("kim", "kim-password");
    sue.sign_in("sue", "sue-password");
    let streams: Vec<_> = (0..17).map(|_| kim.stream()).collect();
    let statuses: Vec<_> = streams.iter().map(|stream| stream.head.status).collect();
    assert_eq!((&statuses[..16], statuses[16]), (&[200; 16][..], 503));
    assert_eq!(sue.stream().head.status, 200);
    drop(streams);
    eventually("a place", || kim.stream().head.status == 200);
    daemon.stop();
}

#[test]
fn practice_is_another_ledger_and_is_marked() {
    let station = station(AT_LOOPBACK);
    station.import(5);
    let scanner = station.plug("left");
    let daemon = station.start_with(&["--practice"]);
    let mut web = Web::at(&station);
    assert_eq!(scanner.ask(payload(1).as_bytes()), BAD);
    for path in ["/", "/signin", "/nowhere"] {
        let page = web.get(path);
        assert!(
            page.body.contains("class=\"practice\"") && page.body.contains("PRACTICE"),
            "{path}"
        );
    }
    assert!(web.get("/").body.contains("data-practice=\"true\""));
    let sheets = web.post("/labels/commands", &[]);
    assert!(sheets.body.contains("PRACTICE: Commands of station intake-1"), "{}", sheets.status);
    assert_eq!(web.stream().next().unwrap().1["state"]["practice"], true);
    daemon.stop();
    assert_eq!(station.logged("Practice"), 1);
    assert_eq!(station.report()["scans"]["not_issued"], 0);
    assert_eq!(station.json(&["report", "--practice"])[0]["scans"]["not_issued"], 1);
    let proof = station.run(&["ledger", "verify", "--practice"]);
    assert_eq!(proof.status.code(), Some(0));
}

/// Whoever signs in because the session ended meanwhile, or changes the language, came to an address that takes forms alone.
#[test]
fn a_form_leads_back_to_the_page_on_which_it_stands() {
    let station = staffed(AT_LOOPBACK);
    let daemon = station.start();
    let mut web = Web::at(&station);
    for (form, page) in [
        ("/operators/disable", "/operators"),
        ("/ballots/202611/000000001/set", "/ballots/202611/000000001"),
    ] {
        let led = web.post(form, &[]);
        assert_eq!(led.header("location"), Some(&*format!("/signin?next={page}")), "{led:?}");
    }
    web.sign_in("root", "root-password");
    let refused = web.post("/operators/disable", &[]);
    let next = "name=\"next\" value=\"/operators\"";
    assert!(refused.status == 400 && refused.body.contains(next), "{}", refused.body);
    daemon.stop();
}

#[test]
fn a_password_is_what_was_typed_and_nothing_less() {
    let station = staffed(AT_LOOPBACK);
    let daemon = station.start();
    let mut root = Web::at(&station);
    root.sign_in("root", "root-password");
    let secret = " a long one ";
    let new =
        [("operator", "ann"), ("role", "clerk"), ("secret", secret), ("secret_again", secret)];
    assert_eq!(root.post("/operators", &new).status, 303);
    let mut web = Web::at(&station);
    assert_eq!(web.sign_in("ann", secret.trim()).status, 403);
    assert_eq!(web.sign_in(" ann ", secret).status, 303);
    daemon.stop();
}
