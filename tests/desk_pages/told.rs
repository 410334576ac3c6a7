//! What the pages tell of what happened, in both languages: nothing that the ledger or the command line tells is left out there.

use super::{SECOND, done, payload, signed_in, staffed};
use crate::support::station::Station;
use crate::support::web::Web;
use crate::support::{BAD, GOOD};

/// Who reads in Spanish.
fn in_spanish(station: &Station, name: &str) -> Web {
    let mut web = signed_in(station, name);
    web.cookies.push(("lang".to_owned(), "es".to_owned()));
    web
}

/// Has the station take in a mail ballot file of that name, given as its lines.
#[track_caller]
fn import(station: &Station, name: &str, lines: &[&str]) {
    let file = station.path(name);
    std::fs::write(&file, lines.join("\n")).unwrap();
    let done = station.run(&["import", file.to_str().unwrap(), "--layout", "generic"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[track_caller]
fn has(body: &str, parts: &[&str]) {
    for part in parts {
        assert!(body.contains(part), "{part}: {body}");
    }
}

/// The work list hid an envelope that must not be counted: without words, as settled, with a link to nowhere.
#[test]
fn an_envelope_to_pull_stands_open_on_top_of_the_exceptions_with_its_reason() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    for ballot in [1, 2] {
        assert_eq!(scanner.ask(payload(ballot).as_bytes()), GOOD);
    }
    let voided = "000000001,V00000001,voided,voted_in_person";
    import(&station, "late.csv", &["ballot,voter,status,reason", voided]);
    let (mut sue, set) = (signed_in(&station, "sue"), "/ballots/202611/000000002/set");
    done(&mut sue, set, &[("status", "voided"), ("reason", "replaced")]);
    let page = sue.get("/exceptions").body;
    assert_eq!(page.matches("<strong>OPEN</strong>").count(), 2, "{page}");
    assert_eq!(page.matches("<th scope=\"row\">envelope to pull</th>").count(), 2, "{page}");
    has(
        &page,
        &[
            "now voided (the voter voted in person), by the file late.csv",
            "now voided (it was replaced by another ballot), by sue",
            "<a href=\"/batches/intake-1-1\">intake-1-1</a>",
        ],
    );
    assert!(!page.contains("to_pull"), "{page}");
    let page = in_spanish(&station, "sue").get("/exceptions").body;
    has(&page, &["<strong>PENDIENTE</strong>", "sobre que sacar", "por el archivo late.csv"]);
    has(&page, &["ahora anulada (el votante vot\u{f3} en persona)"]);
    daemon.stop();
    station.verify();
}

/// A code of a command that is refused is in no batch: there is nothing to lead to.
#[test]
fn what_is_in_no_batch_leads_to_none() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    assert_eq!(scanner.ask(b"BIS1:4Q7K:1:U:0123456789ABCDEF"), BAD);
    let (mut ada, mut spanish) = (signed_in(&station, "ada"), in_spanish(&station, "ada"));
    for path in ["/exceptions", "/reconciliation", "/day"] {
        let page = ada.get(path).body;
        assert!(page.contains("in no batch") && !page.contains("/batches/none"), "{path}: {page}");
        assert!(spanish.get(path).body.contains("en ning\u{fa}n lote"), "{path}");
    }
    daemon.stop();
    station.verify();
}

/// Of two ballots of one voter one counts: that both do is a decision, and the page kept quiet about it.
#[test]
fn whoever_sets_a_ballot_sees_the_voters_other_one_and_what_is_decided_by_it() {
    let station = staffed();
    import(
        &station,
        "again.csv",
        &["ballot,voter,status", "000000020,V00000020,mailed", "000000021,V00000020,mailed"],
    );
    let daemon = station.start();
    let mut sue = signed_in(&station, "sue");
    let place = |ballot: u32| format!("/ballots/202611/{ballot:09}");
    let received = [("status", "received"), ("reason", "found")];
    let first = done(&mut sue, &format!("{}/set", place(20)), &received).body;
    assert!(!first.contains("class=\"told\""), "{first}");
    let before = sue.get(&place(21)).body;
    let other = format!("<a href=\"{}\"><bdi>000000020</bdi></a>: received", place(20));
    let form = before.split(&other).nth(1).unwrap();
    assert!(form.contains("action=\"/ballots/202611/000000021/set\""), "{before}");
    let decided = "000000020 of the same voter may be counted, too: that both are is now decided";
    let page = done(&mut sue, &format!("{}/set", place(21)), &received).body;
    has(&page, &[decided, &other]);
    // The page tells it of its own act, and no other page does.
    assert!(!sue.get(&format!("{}?done=moved", place(20))).body.contains(decided));
    assert!(!sue.get(&place(21)).body.contains(decided));
    daemon.stop();
    station.verify();
}

#[test]
fn whoever_reverses_a_batch_is_told_how_many_ballots_it_put_back_and_which_it_left() {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    let (mut sue, mut spanish) = (signed_in(&station, "sue"), in_spanish(&station, "sue"));
    for (batch, web) in [(1, &mut sue), (2, &mut spanish)] {
        done(web, "/batches", &[]);
        for ballot in [1, 2, 3] {
            assert_eq!(scanner.ask(payload(ballot + 3 * batch - 3).as_bytes()), GOOD);
        }
        let set = format!("/ballots/202611/{:09}/set", 3 * batch);
        done(web, &set, &[("status", "accepted"), ("reason", "by hand")]);
        done(web, &format!("/batches/{batch}/close"), &[("counted", "3")]);
        let why = [&[("reason", "recount")], &SECOND[..]].concat();
        let page = done(web, &format!("/batches/{batch}/reverse"), &why).body;
        let told: [&str; 2] = if batch == 1 {
            [
                "2 ballots were put back, 1 left alone.",
                "Ballot 000000003 was moved on since, and stays: accepted.",
            ]
        } else {
            [
                "Se devolvieron 2 boletas; 1 se dejaron",
                "boleta 000000006 se movi\u{f3} despu\u{e9}s, y se queda: aceptada.",
            ]
        };
        has(&page, &told);
    }
    daemon.stop();
    station.verify();
}

/// An import may make a ballot another voter's: whoever looks at its story must see whose it was.
#[test]
fn the_story_says_what_a_file_made_of_the_ballot_and_whose_it_became() {
    let station = staffed();
    let changed = ["ballot,voter,status", "000000001,V00000077,accepted"];
    import(&station, "moved.csv", &changed);
    let daemon = station.start();
    let path = "/ballots/202611/000000001";
    has(
        &signed_in(&station, "ada").get(path).body,
        &["The file moved.csv names it as accepted. It is voter V00000077&#39;s from then on; \
             before, it was voter V00000001&#39;s."],
    );
    has(
        &in_spanish(&station, "ada").get(path).body,
        &[
            "El archivo moved.csv la menciona como aceptada. Desde entonces es del votante V00000077; \
             antes era del votante V00000001.",
        ],
    );
    daemon.stop();
    station.verify();
}

/// The pages took a county's code as free text: the relay and the statistics then had no reason at all.
#[test]
fn a_countys_own_code_means_its_reason_on_the_pages_too() {
    let station = staffed();
    station.add("[reasons]\nNS = 'signature_missing'\n");
    let scanner = station.plug("left");
    let daemon = station.start();
    let (mut sue, mut spanish) = (signed_in(&station, "sue"), in_spanish(&station, "sue"));
    let path = "/ballots/202611/000000001";
    let page = sue.get(path).body;
    has(&page, &["list=\"reasons\"", "<option value=\"late\">it came too late</option>"]);
    let page = done(&mut sue, &format!("{path}/set"), &[("status", "rejected"), ("reason", "NS")]);
    has(&page.body, &["from mailed to rejected (the signature is missing)"]);
    let back = [("status", "received"), ("reason", "other")];
    done(&mut sue, &format!("{path}/set"), &back);
    has(&spanish.get("/proposals").body, &["de rechazada a recibida (otro motivo)"]);
    has(&spanish.get(path).body, &["falta la firma"]);
    assert_eq!(scanner.ask(payload(2).as_bytes()), GOOD);
    done(&mut sue, "/batches/1/close", &[("counted", "1")]);
    has(&sue.get("/batches/1").body, &["list=\"reasons\""]);
    done(&mut sue, "/batches/1/reverse", &[&[("reason", "NS")], &SECOND[..]].concat());
    has(&spanish.get("/batches/1").body, &["<bdi>falta la firma</bdi>"]);
    daemon.stop();
    station.verify();
    let shown = station.json(&["ballot", "show", "000000001"]);
    assert_eq!(shown[0]["reason"], "signature_missing", "{shown:?}");
}

/// Who it was and by what stood in English on pages that are otherwise Spanish.
#[test]
fn who_did_it_and_that_it_was_typed_is_said_in_spanish() {
    let station = staffed();
    let daemon = station.start();
    let mut kim = in_spanish(&station, "kim");
    done(&mut kim, "/batches", &[]);
    for act in ["look_up", "confirm"] {
        assert_eq!(kim.post("/manual", &[("act", act), ("number", &payload(1))]).status, 200);
    }
    done(&mut kim, "/batches/1/close", &[("counted", "1")]);
    let by = "kim (sesi\u{f3}n iniciada por el usuario page)";
    let batch = kim.get("/batches/1").body;
    assert_eq!(batch.matches(by).count(), 2, "{batch}");
    has(&kim.get("/batches").body, &[by]);
    has(&kim.get("/imports").body, &["<bdi>usuario "]);
    has(
        &kim.get("/ballots/202611/000000001").body,
        &["Su n\u{fa}mero se escribi\u{f3} a mano, lote intake-1-1"],
    );
    daemon.stop();
    station.verify();
}
