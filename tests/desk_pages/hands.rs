//! What is done by hand from the pages: a typed number, a scan that is taken back, and sheets, badges and labels that are printed.

use super::{SECOND, SURE, done, payload, refused, signed_in, staffed};
use crate::support::relay::{Behavior, Relay, SECRET};
use crate::support::station::{Station, files};
use crate::support::web::{Reply, Web};
use crate::support::{BAD, GOOD, NOTICE, eventually, wrong_payload};
use ballot_intake::control::{Answer, Command, Desk};
use ballot_intake::decode::find;
use ballot_intake::decode::image::Picture;
use ballot_intake::ledger::{Renewal, SheetCodes};
use ballot_intake::scan::Symbology;
use ballot_intake::sheet::Order;

fn look_up(number: &str) -> [(&str, &str); 2] {
    [("act", "look_up"), ("number", number)]
}

fn confirm(number: &str) -> [(&str, &str); 2] {
    [("act", "confirm"), ("number", number)]
}

/// Looks a number up that names a ballot; the second screen.
#[track_caller]
fn looks_up(web: &mut Web, number: &str) -> Reply {
    let page = web.post("/manual", &look_up(number));
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("value=\"confirm\""), "{}", page.body);
    page
}

/// Confirms it; the verdict.
#[track_caller]
fn confirms(web: &mut Web, number: &str) -> String {
    let page = web.post("/manual", &confirm(number));
    assert_eq!(page.status, 200, "{page:?}");
    let (_, rest) = page.body.split_once("data-verdict=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[test]
fn a_torn_envelope_is_recorded_once_its_number_was_looked_up_and_typed_again() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut kim = signed_in(&station, "kim");
    for (number, why) in [
        ("", "type the number"),
        (&*wrong_payload(1), "the check digit of county does not hold"),
        ("2024110000000179", "another election"),
        (&payload(77), "no ballot with this number"),
        ("=1+1", "the code fits no envelope of this office"),
        ("BIS1:4Q7K:1:U:0123456789ABCDEF", "scanned and not typed"),
    ] {
        refused(&mut kim, "/manual", &look_up(number), why);
    }
    let number = payload(3);
    let (election, rest) = number.split_at(6);
    let page = looks_up(&mut kim, &format!("{election} {rest}"));
    assert!(page.body.contains("<bdi>000000003</bdi>") && page.body.contains("mailed"));
    assert!(!page.body.contains(&number), "the number is typed from the envelope");
    assert!(station.look().scans().is_empty());
    // What is typed the second time must be the same; then it is looked up anew.
    refused(&mut kim, "/manual", &confirm(&payload(4)), "look the number up first");
    refused(&mut kim, "/manual", &confirm(&number), "look the number up first");
    // A number that names nothing takes the place of the one before, too.
    looks_up(&mut kim, &number);
    refused(&mut kim, "/manual", &look_up(&wrong_payload(1)), "the check digit of county");
    refused(&mut kim, "/manual", &confirm(&number), "look the number up first");
    looks_up(&mut kim, &number);
    refused(&mut kim, "/manual", &look_up(""), "type the number");
    refused(&mut kim, "/manual", &confirm(&number), "look the number up first");
    looks_up(&mut kim, &number);
    // Another one's session has nothing to confirm.
    let mut sue = signed_in(&station, "sue");
    refused(&mut sue, "/manual", &confirm(&number), "look the number up first");
    assert_eq!(confirms(&mut kim, &number), "received");
    refused(&mut kim, "/manual", &confirm(&number), "look the number up first");
    let scan = station.look().scans().pop().unwrap().body;
    assert_eq!((&scan["method"], &scan["by"]), (&"manual".into(), &"kim".into()), "{scan}");
    looks_up(&mut sue, &number);
    assert_eq!(confirms(&mut sue, &number), "already_received");
    assert_eq!(scanner.ask(number.as_bytes()), NOTICE);
    assert_eq!(signed_in(&station, "ada").post("/manual", &look_up(&number)).status, 403);
    assert!(!signed_in(&station, "ada").get("/manual").body.contains("name=\"number\""));
    daemon.stop();
    station.verify();
    assert_eq!(station.report()["ballots"]["received"], 1);
}

/// Before there are operators nobody has a session: one begins with the look-up, and what is open elsewhere stays good.
#[test]
fn whoever_is_not_signed_in_is_known_again_by_what_they_looked_up() {
    let station = Station::new("");
    let text = std::fs::read_to_string(station.config()).unwrap();
    std::fs::write(station.config(), text.replace("page = 'off'", "page = '127.0.0.1:0'")).unwrap();
    station.import(3);
    let daemon = station.start();
    let (mut left, mut right) = (Web::at(&station), Web::at(&station));
    let csrf = left.get("/manual").csrf();
    looks_up(&mut left, &payload(1));
    assert_eq!(left.get("/batches").csrf(), csrf);
    refused(&mut right, "/manual", &confirm(&payload(1)), "look the number up first");
    assert_eq!(confirms(&mut left, &payload(1)), "received");
    station.add_operator("root", "administrator");
    eventually("the operators", || {
        let led = left.post("/manual", &look_up(&payload(2)));
        led.header("location").is_some_and(|place| place.starts_with("/signin"))
    });
    daemon.stop();
    station.verify();
}

#[test]
fn a_number_without_a_check_digit_is_typed_twice_before_it_is_looked_up() {
    let station = Station::with(
        "[facility]\nid = 'boulder'\n[station]\nid = 'intake-1'\npage = '127.0.0.1:0'\n[election]\nid = '202611'\n\
         [[envelope]]\nname = 'plain'\nsymbologies = ['code39']\npattern = '^(?<ballot>\\d{9})$'\nnames = 'ballot'\n",
    );
    station.import(3);
    let daemon = station.start();
    let mut web = Web::at(&station);
    let number = "000000001";
    refused(&mut web, "/manual", &look_up(number), "type it twice");
    let twice = |again| [("act", "look_up"), ("number", number), ("again", again)];
    refused(&mut web, "/manual", &twice("000000002"), "the two numbers differ");
    assert_eq!(web.post("/manual", &twice(number)).status, 200);
    assert_eq!(confirms(&mut web, number), "received");
    daemon.stop();
    station.verify();
}

/// What a hidden field of the page holds.
fn hidden(web: &mut Web, path: &str, name: &str) -> Option<String> {
    let body = web.get(path).body;
    let (_, rest) = body.split_once(&format!("name=\"{name}\" value=\""))?;
    Some(rest.split('"').next().unwrap().to_owned())
}

/// The id of the scan that the page shows.
fn shown(web: &mut Web) -> Option<String> {
    hidden(web, "/undo", "of")
}

/// Whether a second press on the page would take something back.
fn is_live(page: &Reply) -> bool {
    page.body.contains("name=\"of\"") || page.body.contains("name=\"second_secret\"")
}

#[test]
fn the_scan_that_was_shown_is_taken_back_and_no_other() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut kim = signed_in(&station, "kim");
    assert_eq!(shown(&mut kim), None);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    let first = shown(&mut kim).unwrap();
    assert_eq!(scanner.ask(payload(2).as_bytes()), GOOD);
    assert_eq!(scanner.ask(payload(99).as_bytes()), BAD);
    let since = refused(&mut kim, "/undo", &[("of", &first)], "000000002 was scanned since");
    assert!(!is_live(&since), "{}", since.body);
    refused(&mut kim, "/undo", &[], "say which scan");
    let page = kim.get("/undo").body;
    for part in ["000000002", "1 scans came after it", "received", "mailed"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let second = shown(&mut kim).unwrap();
    // Whoever presses twice takes one scan back, and is told so; the next one is behind a link.
    for again in [
        done(&mut kim, "/undo", &[("of", &second)]),
        refused(&mut kim, "/undo", &[("of", &second)], "this scan was taken back already"),
    ] {
        assert!(!is_live(&again), "{}", again.body);
        assert!(again.body.contains("<a href=\"/undo\">Look at the scan"), "{}", again.body);
    }
    assert_eq!(shown(&mut kim).as_ref(), Some(&first));
    done(&mut kim, "/undo", &[("of", &first)]);
    refused(&mut kim, "/undo", &[("of", &first)], "this scan was taken back already");
    refused(&mut kim, "/undo", &[("of", "another")], "no scan to take back");
    assert!(kim.get("/undo").body.contains("There is no scan to take back."));
    assert!(kim.get("/").body.contains("<p class=\"acts\"><a href=\"/undo\">"));
    let mut ada = signed_in(&station, "ada");
    assert!(!ada.get("/").body.contains("class=\"acts\""));
    assert_eq!(ada.post("/undo", &[("of", &first)]).status, 403);
    daemon.stop();
    station.verify();
    assert_eq!(station.report()["ballots"]["mailed"], 10);
}

#[test]
fn what_takes_two_to_take_back_is_signed_by_two_there_and_then() {
    let relay = Relay::start(Behavior::Ok);
    let station = staffed();
    let secret = station.path("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let (url, file) = (relay.url(), secret.display().to_string());
    station.add(&format!("[relay]\nurl = '{url}'\nsecret_file = '{file}'\nhold_back = '0s'"));
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut sue = signed_in(&station, "sue");
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    done(&mut sue, "/batches", &[("mode", "accept")]);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    let mut takes_two = String::new();
    eventually("the relay", || {
        takes_two = sue.get("/undo").body;
        takes_two.contains("name=\"second_secret\"")
    });
    assert!(takes_two.contains("action=\"/ballots/202611/000000001/set\""), "{takes_two}");
    assert!(!signed_in(&station, "kim").get("/undo").body.contains("second_secret"));
    // What is set is what was shown: a ballot that stands elsewhere by now stays there.
    assert!(takes_two.contains("name=\"from\" value=\"accepted\""), "{takes_two}");
    let (back, from) = ([("status", "received"), ("reason", "the wrong pile")], "from");
    let moved = [&back[..], &[(from, "rejected")], &SECOND].concat();
    refused(&mut sue, "/ballots/202611/000000001/set", &moved, "000000001 was moved since");
    let moved = [&back[..], &[(from, "nowhere")], &SECOND].concat();
    refused(&mut sue, "/ballots/202611/000000001/set", &moved, "no such status");
    let back = [&back[..], &[(from, "accepted")]].concat();
    let page = done(&mut sue, "/ballots/202611/000000001/set", &[&back[..], &SECOND].concat());
    assert!(page.body.contains("confirmed by sam"), "{}", page.body);
    daemon.stop();
    station.verify();
}

#[test]
fn a_scan_after_which_its_ballot_was_moved_or_its_batch_closed_is_not_offered() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let (mut kim, mut sue) = (signed_in(&station, "kim"), signed_in(&station, "sue"));
    let mut offers = |why: &str, code: &str| {
        let page = sue.get("/undo");
        assert!(page.body.contains(why) && !is_live(&page), "{}", page.body);
        let last: serde_json::Value = serde_json::from_str(&sue.get("/api/v1/undo").body).unwrap();
        assert_eq!(last["last"]["refused"]["code"], code, "{last}");
        assert_eq!(last["last"]["takes_two"], false, "{last}");
    };
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    done(&mut kim, "/batches/1/close", &[("counted", "1")]);
    offers("000000001, which was scanned last, is in batch", "in_closed_batch");
    assert_eq!(scanner.ask(payload(2).as_bytes()), GOOD);
    let spoiled = [("status", "voided"), ("reason", "spoiled")];
    done(&mut signed_in(&station, "sam"), "/ballots/202611/000000002/set", &spoiled);
    offers("000000002 was moved again after its scan, to voided", "moved_since");
    kim.cookies.push(("lang".to_owned(), "es".to_owned()));
    assert!(kim.get("/undo").body.contains("despu\u{e9}s de su escaneo, a: anulada"));
    daemon.stop();
    station.verify();
}

fn codes(station: &Station) -> SheetCodes {
    let mut desk = Desk::of_daemon(&station.ledger()).unwrap();
    match desk.ask(Command::Sheet { renewal: Renewal::Keep, of: None }).unwrap() {
        Answer::Sheet(codes) => codes,
        other => panic!("{other:?}"),
    }
}

fn undo_of(codes: &SheetCodes) -> &str {
    &codes.codes.iter().find(|code| code.order == Order::Undo).unwrap().payload
}

/// What a reader reads in the pages of a PDF file, drawn at 300 dots to the inch: fewer than any printer's, and enough that no
/// bar's width is a matter of rounding.
fn symbols_of(file: &str) -> Vec<String> {
    const PX: f64 = 300.0 / 72.0;
    let (width, height) = (2_550_usize, 3_300_usize);
    let mut found = Vec::new();
    for page in file.split("\nstream\n").skip(1).map(|rest| rest.split("endstream").next().unwrap())
    {
        let mut luma = vec![255; width * height];
        for line in page.lines().filter_map(|line| line.strip_suffix(" re")) {
            let sides: Vec<f64> = line.split(' ').map(|n| n.parse::<f64>().unwrap() * PX).collect();
            let pixel = |at: f64| format!("{:.0}", at.round()).parse::<usize>().unwrap();
            let columns = pixel(sides[0])..pixel(sides[0] + sides[2]);
            let rows = height - pixel(sides[1] + sides[3])..height - pixel(sides[1]);
            for row in rows {
                luma[row * width..][columns.clone()].fill(0);
            }
        }
        let picture = Picture::from_luma(2_550, 3_300, luma).unwrap();
        let symbols = find(&picture, &[Symbology::Code128]).unwrap();
        found.extend(symbols.into_iter().map(|f| String::from_utf8(f.symbol.payload.0).unwrap()));
    }
    found
}

#[track_caller]
fn is_pdf(reply: &Reply) {
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/pdf")));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.body.starts_with("%PDF-1.4") && reply.body.ends_with("%%EOF\n"));
}

#[test]
fn sheets_are_drawn_for_a_clerk_and_made_stale_by_a_supervisor_who_was_asked() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let (mut kim, mut sue) = (signed_in(&station, "kim"), signed_in(&station, "sue"));
    let inline = kim.post("/labels/commands", &[]);
    is_pdf(&inline);
    assert!(inline.header("content-disposition").unwrap().starts_with("inline"));
    let saved = kim.post("/labels/commands", &[("as", "file")]);
    assert!(saved.header("content-disposition").unwrap().starts_with("attachment"));
    assert_eq!(saved.body, inline.body);
    let old = codes(&station);
    let mut printed = symbols_of(&inline.body);
    let mut expected: Vec<_> = printed_of(&old);
    printed.sort();
    expected.sort();
    assert_eq!(printed, expected);
    assert_eq!(signed_in(&station, "ada").post("/labels/commands", &[]).status, 403);
    assert_eq!(kim.post("/labels/renew", &[("sure", "yes")]).status, 403);
    refused(&mut sue, "/labels/renew", &[], "all earlier sheets shall become stale");
    assert_eq!(codes(&station).generation, 1);
    refused(&mut sue, "/labels/renew", &[("sure", "yes")], "which printing");
    let shown = hidden(&mut sue, "/labels/renew", "generation").unwrap();
    let fields = [("sure", "yes"), ("generation", &*shown)];
    is_pdf(&sue.post("/labels/renew", &fields));
    // A second press leaves what was just printed good.
    let again = refused(&mut sue, "/labels/renew", &fields, "printing 2 is what is good now");
    assert!(again.body.contains("name=\"generation\" value=\"2\""), "{}", again.body);
    let new = codes(&station);
    assert_eq!(new.generation, 2);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    assert_eq!(scanner.ask(undo_of(&old).as_bytes()), BAD);
    assert_eq!(scanner.ask(undo_of(&new).as_bytes()), NOTICE);
    daemon.stop();
    station.verify();
    for file in files(&station.state()) {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let secrets = || new.codes.iter().chain(&old.codes).map(|code| code.payload.as_str());
        assert!(secrets().all(|secret| !text.contains(secret)), "{}", file.display());
    }
    assert!(old.codes.iter().chain(&new.codes).all(|code| !station.log().contains(&code.payload)));
}

/// The codes of a sheet for batches of mode `receive`: other modes are opened for what came by mail alone.
fn printed_of(codes: &SheetCodes) -> Vec<String> {
    let is_printed = |order: Order| match order {
        Order::Open(opening) => {
            opening.mode.name() == "receive" || opening.received_by.name() == "mail"
        }
        _ => true,
    };
    let printed = codes.codes.iter().filter(|code| is_printed(code.order));
    printed.map(|code| code.payload.clone()).collect()
}

#[test]
fn a_badge_is_on_paper_alone_and_signs_its_operator_in() {
    let station = staffed();
    let daemon = station.start();
    let mut root = signed_in(&station, "root");
    let ann = [("operator", "ann"), ("role", "clerk")];
    let badge = root.post("/labels/badge", &ann);
    is_pdf(&badge);
    let code = symbols_of(&badge.body).pop().unwrap();
    assert!(code.starts_with("BIB-"), "a badge");
    refused(&mut root, "/labels/badge", &ann, "no name is used twice");
    assert_eq!(signed_in(&station, "sue").post("/labels/badge", &ann).status, 403);
    let mut web = Web::at(&station);
    assert_eq!(web.sign_in("", &code).status, 303);
    assert!(web.get("/").body.contains("ann (clerk)"));
    assert!(!station.log().contains(&code));
    daemon.stop();
    for file in files(&station.state()) {
        assert!(!String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains(&code));
    }
    station.verify();
}

#[test]
fn test_envelopes_are_drawn_as_they_are_typed_or_not_at_all() {
    let station = staffed();
    let daemon = station.start();
    let mut kim = signed_in(&station, "kim");
    let (one, two) = (payload(1), payload(2));
    let both = format!("{one}\r\n{two}\r\n");
    let drawn = kim.post("/labels/envelopes", &[("payloads", &both)]);
    is_pdf(&drawn);
    assert_eq!(symbols_of(&drawn.body), [one, two]);
    assert!(drawn.body.contains("TEST envelopes: no ballots"));
    for (payloads, why) in [
        ("", "1 to 500 payloads"),
        (&*"x\n".repeat(501), "1 to 500 payloads"),
        ("\u{20ac}", "cannot be drawn"),
        (&"x".repeat(5_000), "cannot be drawn"),
    ] {
        refused(&mut kim, "/labels/envelopes", &[("payloads", payloads)], why);
    }
    daemon.stop();
}

/// Whoever opened the batch is not whoever scans: a scan is theirs who had signed in by badge where it was scanned.
#[test]
fn the_days_figures_by_clerk_are_theirs_who_had_signed_in_at_the_scanner() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let mut root = signed_in(&station, "root");
    let badge = root.post("/labels/badge", &[("operator", "ann"), ("role", "clerk")]);
    let code = symbols_of(&badge.body).pop().unwrap();
    done(&mut signed_in(&station, "kim"), "/batches", &[]);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    assert_eq!(scanner.ask(code.as_bytes()), NOTICE);
    for ballot in [2, 3] {
        assert_eq!(scanner.ask(payload(ballot).as_bytes()), GOOD);
    }
    let json = |web: &mut Web, path: &str| -> serde_json::Value {
        serde_json::from_str(&web.get(path).body).unwrap()
    };
    let there = json(&mut root, "/api/v1/scanners")["scanners"][0]["operator"].clone();
    assert_eq!(there, "ann");
    assert!(root.get("/scanners").body.contains("<bdi>ann</bdi>"));
    assert_eq!(scanner.ask(code.as_bytes()), NOTICE);
    assert!(json(&mut root, "/api/v1/scanners")["scanners"][0]["operator"].is_null());
    assert_eq!(scanner.ask(payload(4).as_bytes()), GOOD);
    let clerks = json(&mut root, "/api/v1/day")["clerks"].clone();
    let received = |operator: Option<&str>| {
        let mut of = clerks.as_array().unwrap().iter();
        of.find(|clerk| clerk["operator"].as_str() == operator).unwrap()["scans"]["received"]
            .clone()
    };
    assert_eq!((received(Some("ann")), received(None)), (2.into(), 2.into()), "{clerks}");
    assert!(!clerks.to_string().contains("kim"), "{clerks}");
    let page = root.get("/day").body;
    assert!(page.contains("<bdi>ann</bdi>") && page.contains("nobody had signed in"), "{page}");
    daemon.stop();
    station.verify();
    assert_eq!(station.run(&["ledger", "rebuild"]).status.code(), Some(0));
    station.verify();
}

#[test]
fn what_is_refused_is_said_in_spanish_by_its_code() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let spanish = |name: &str| {
        let mut web = signed_in(&station, name);
        web.cookies.push(("lang".to_owned(), "es".to_owned()));
        web
    };
    let (mut kim, mut sue, mut root) = (spanish("kim"), spanish("sue"), spanish("root"));
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    let set = "/ballots/202611/000000001/set";
    refused(&mut kim, "/batches/1/close", &[("counted", "3")], "se contaron 3 sobres");
    refused(&mut kim, "/batches/1/close", &[], "Diga cu\u{e1}ntos sobres se contaron.");
    refused(&mut kim, "/manual", &look_up(&wrong_payload(1)), "el d\u{ed}gito de control");
    refused(&mut kim, "/undo", &[("of", "another")], "se escane\u{f3} despu\u{e9}s");
    let same = [("status", "received"), ("reason", "x")];
    refused(&mut sue, set, &same, "ya est\u{e1} en: recibida");
    refused(&mut sue, "/proposals/99/confirm", &[], "no hay ninguna propuesta 99");
    refused(&mut sue, "/outbox/99/drop", &[("reason", "x")], "no hay ning\u{fa}n cambio 99");
    refused(&mut root, "/operators/disable", &[("operator", "root"), SURE], "\u{fa}ltima persona");
    let short = [("operator", "ann"), ("role", "clerk"), ("secret", "short")];
    refused(&mut root, "/operators", &short, "al menos 8 caracteres");
    // The API says the code, too, whatever the language.
    let session: serde_json::Value =
        serde_json::from_str(&sue.get("/api/v1/session").body).unwrap();
    let more = format!(
        "content-type: application/json\r\nx-csrf-token: {}\r\n",
        session["csrf"].as_str().unwrap()
    );
    let body = r#"{"status": "received", "reason": "x"}"#;
    let problem = sue.ask(&format!("POST /api/v1{set}"), &more, body);
    let problem: serde_json::Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!(problem["code"], "ballot_stands_there", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("recibida"), "{problem}");
    daemon.stop();
    station.verify();
}

/// What the daemon counted itself and what it read from the ledger were two numbers: the clerk's jumped.
#[test]
fn a_code_of_a_command_is_no_scan_of_the_day_however_that_is_counted() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let codes = codes(&station);
    let call = codes.codes.iter().find(|code| code.order == Order::CallSupervisor).unwrap();
    let mut stream = Web::at(&station).stream();
    for (payload, answer) in [
        (payload(1).as_bytes(), GOOD),
        (call.payload.as_bytes(), NOTICE),
        ("BIS1:4Q7K:1:U:0123456789ABCDEF".as_bytes(), BAD),
    ] {
        assert_eq!(scanner.ask(payload), answer);
        assert_eq!(stream.scan()["state"]["day_scans"], 1);
    }
    daemon.stop();
    let daemon = station.start();
    let (_, hello) = Web::at(&station).stream().next().unwrap();
    assert_eq!([&hello["state"]["day_scans"], &hello["state"]["day_bad"]], [&1, &0]);
    assert_eq!(hello["scans"][0]["place"], serde_json::Value::Null);
    assert_eq!(hello["scans"][2]["place"], "intake-1-1 \u{b7} 1");
    daemon.stop();
}

/// A call was gone with the next scan, whether or not anybody had come.
#[test]
fn a_supervisor_who_is_called_is_told_until_somebody_says_that_they_are_there() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let codes = codes(&station);
    let of = |order| codes.codes.iter().find(|code| code.order == order).unwrap();
    let (call, scan_on) = (of(Order::CallSupervisor), of(Order::Acknowledge));
    let mut sue = signed_in(&station, "sue");
    let mut stands = |is_called: bool| {
        for path in ["/day", "/exceptions", "/scanners"] {
            let page = sue.get(path).body;
            assert_eq!(page.contains("A supervisor is called</h2>"), is_called, "{path}: {page}");
        }
    };
    stands(false);
    assert_eq!(scanner.ask(call.payload.as_bytes()), NOTICE);
    assert_eq!(scanner.ask(payload(1).as_bytes()), GOOD);
    let mut kim = signed_in(&station, "kim");
    eventually("the call", || kim.get("/").body.contains("is called at scanner left since 20"));
    stands(true);
    done(&mut kim, "/scanners/acknowledge", &[("scanner", "left")]);
    stands(false);
    assert_eq!(scanner.ask(call.payload.as_bytes()), NOTICE);
    eventually("the call", || kim.get("/scanners").body.contains("A supervisor is called</h2>"));
    assert_eq!(scanner.ask(scan_on.payload.as_bytes()), NOTICE);
    eventually("the answer", || !kim.get("/").body.contains("is called at scanner left"));
    stands(false);
    daemon.stop();
    station.verify();
}
