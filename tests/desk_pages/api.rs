//! The API against its own description.

use crate::support::station::Station;
use crate::support::web::{Reply, Web};
use crate::support::{GOOD, payload};
use crate::{SECOND, signed_in, staffed, there};
use ballot_intake::desk::{Access, Method, ROUTES, Route};
use serde_json::{Value, json};

/// Why the value is none of that schema; nothing when it is one.
fn wrong(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    if *schema == json!({}) {
        return None;
    }
    if let Some(name) = schema["$ref"].as_str() {
        let found = document.pointer(name.trim_start_matches('#')).unwrap();
        return wrong(document, found, value);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let all: Vec<_> = any.iter().map(|schema| wrong(document, schema, value)).collect();
        return all.iter().all(Option::is_some).then(|| format!("{all:?}"));
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => Vec::new(),
        kind => vec![kind.clone()],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !kinds.is_empty() && !kinds.contains(&json!(kind)) {
        return Some(format!("{value} is none of {kinds:?}"));
    }
    if let Some(names) = schema["enum"].as_array().filter(|names| !names.contains(value)) {
        return Some(format!("{value} is none of {names:?}"));
    }
    let items = value.as_array().into_iter().flatten();
    let mut item = items.filter(|_| schema.get("items").is_some());
    if let Some(why) = item.find_map(|item| wrong(document, &schema["items"], item)) {
        return Some(why);
    }
    let object = value.as_object()?;
    for name in schema["required"].as_array().into_iter().flatten() {
        if !object.contains_key(name.as_str().unwrap()) {
            return Some(format!("{name} is missing in {value}"));
        }
    }
    object.iter().find_map(|(name, value)| {
        let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        match known {
            Some(schema) => wrong(document, schema, value).map(|why| format!("{name}: {why}")),
            // What is not described is not answered.
            None => Some(format!("{name} is not described")),
        }
    })
}

#[track_caller]
fn is_described(document: &Value, route: &Route, reply: &Reply) {
    let method = if route.method == Method::Get { "get" } else { "post" };
    let operation = &document["paths"][route.path][method];
    let answer = &operation["responses"][reply.status.to_string()];
    assert!(answer.is_object(), "{route:?} answered {}: {}", reply.status, reply.body);
    let kind = reply.header("content-type").unwrap();
    let schema = &answer["content"][kind]["schema"];
    assert!(schema.is_object(), "{route:?}: {kind}");
    let value: Value = serde_json::from_str(&reply.body).unwrap();
    let why = wrong(document, schema, &value);
    assert_eq!(why, None, "{route:?}: {}", reply.body);
}

/// Sends an object as the county's own program would.
#[track_caller]
fn send(web: &mut Web, path: &str, body: &str) -> Reply {
    let session: Value = serde_json::from_str(&web.get("/api/v1/session").body).unwrap();
    let csrf = session["csrf"].as_str().unwrap().to_owned();
    let more = format!("content-type: application/json\r\nx-csrf-token: {csrf}\r\n");
    web.ask(&format!("POST {path}"), &more, body)
}

fn document(web: &mut Web) -> Value {
    let reply = web.get("/api/v1/openapi.json");
    assert_eq!(reply.status, 200);
    serde_json::from_str(&reply.body).unwrap()
}

fn api() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.is_api())
}

/// A station at which all kinds of things happened.
fn busy() -> Station {
    let station = staffed();
    let scanner = station.plug("left");
    let daemon = station.start();
    for ballot in [1, 2, 3] {
        assert_eq!(scanner.ask(payload(ballot).as_bytes()), GOOD);
    }
    scanner.ask(payload(99).as_bytes());
    let mut sue = signed_in(&station, "sue");
    let closed = send(
        &mut sue,
        "/api/v1/batches/1/close",
        r#"{"counted": 5, "explanation": "two are blank"}"#,
    );
    assert_eq!(closed.status, 200, "{closed:?}");
    let path = "/api/v1/ballots/202611/000000001/set";
    for status in ["accepted", "received"] {
        let body = json!({"status": status, "reason": "by hand"}).to_string();
        assert_eq!(send(&mut sue, path, &body).status, 200);
    }
    assert_eq!(send(&mut sue, "/api/v1/proof/checkpoint", "").status, 200);
    daemon.stop();
    station
}

#[test]
fn what_is_read_is_as_it_is_described() {
    let station = busy();
    let daemon = station.start();
    let mut web = signed_in(&station, "ada");
    let document = document(&mut web);
    assert_eq!(document["openapi"], "3.1.0");
    for route in api().filter(|route| route.method == Method::Get) {
        let reply = web.get(&there(route.path));
        assert_eq!(reply.status, 200, "{route:?}: {reply:?}");
        is_described(&document, route, &reply);
        let nobody = Web::at(&station).get(&there(route.path));
        assert_eq!(nobody.status, if route.access == Access::Anyone { 200 } else { 401 });
        is_described(&document, route, &nobody);
    }
    for (path, query) in [
        ("/api/v1/batches", "?before=x"),
        ("/api/v1/day", "?day=tomorrow"),
        ("/api/v1/exceptions", "?after=5"),
        ("/api/v1/reconciliation", "?election=%20"),
    ] {
        let route = api().find(|route| route.path == path).unwrap();
        let reply = web.get(&format!("{path}{query}"));
        assert_eq!(reply.status, 400, "{path}{query}");
        is_described(&document, route, &reply);
    }
    daemon.stop();
}

#[test]
fn every_act_answers_as_it_is_described_whatever_is_sent() {
    let station = busy();
    let daemon = station.start();
    let mut web = signed_in(&station, "root");
    let document = document(&mut web);
    let long = format!("{{\"reason\": \"{}\"}}", "x".repeat(70_000));
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"reason": 4}"#,
        r#"{"reason": "\u0000"}"#,
        r#"{"counted": -1}"#,
        r#"{"x": 1}"#,
        r#"{"reason": "why", "status": "received"}"#,
        r#"{"operator": "nobody"}"#,
        &long,
    ];
    let acts =
        api().filter(|route| route.method == Method::Post && !route.path.contains("session"));
    for route in acts {
        for path in [there(route.path), route.path.replace(['{', '}'], "-")] {
            for body in bodies {
                let reply = send(&mut web, &path, body);
                assert!(reply.status < 500, "{path} {body}: {reply:?}");
                is_described(&document, route, &reply);
            }
        }
        let first = format!("POST {}", there(route.path));
        for (more, status) in [("", 403), ("x-csrf-token: wrong\r\n", 403)] {
            let reply = web.ask(&first, more, "{}");
            assert_eq!(reply.status, status, "{route:?}");
            is_described(&document, route, &reply);
        }
        let kim = send(&mut signed_in(&station, "ada"), &there(route.path), "{}");
        is_described(&document, route, &kim);
    }
    daemon.stop();
    station.verify();
}

#[test]
fn a_program_signs_in_acts_and_signs_out() {
    let station = staffed();
    let daemon = station.start();
    let mut web = Web::at(&station);
    let document = document(&mut web);
    let route = api().find(|r| r.path == "/api/v1/session" && r.method == Method::Post).unwrap();
    let signed =
        send(&mut web, "/api/v1/session", r#"{"operator": "sue", "secret": "sue-password"}"#);
    assert_eq!(signed.status, 200, "{signed:?}");
    is_described(&document, route, &signed);
    let sent = send(
        &mut web,
        "/api/v1/batches",
        r#"{"received_by": "mail", "seals": ["A1"], "postmarked": true}"#,
    );
    let answer: Value = serde_json::from_str(&sent.body).unwrap();
    assert_eq!((&answer["answer"], &answer["batch"]), (&json!("batch"), &json!("intake-1-1")));
    let closed = send(&mut web, "/api/v1/batches/intake-1-1/close", r#"{"counted": 0}"#);
    assert_eq!(closed.status, 200, "{closed:?}");
    let second = json!({"reason": "x", SECOND[0].0: SECOND[0].1, SECOND[1].0: SECOND[1].1});
    let reversed = send(&mut web, "/api/v1/batches/1/reverse", &second.to_string());
    assert_eq!(reversed.status, 200, "{reversed:?}");
    assert_eq!(send(&mut web, "/api/v1/session/end", "").status, 200);
    assert_eq!(web.get("/api/v1/day").status, 401);
    let mut last = 0;
    for _attempt in 0..6 {
        let refused =
            send(&mut web, "/api/v1/session", r#"{"operator": "sam", "secret": "wrong-password"}"#);
        is_described(&document, route, &refused);
        last = refused.status;
    }
    assert_eq!(last, 429);
    daemon.stop();
}

#[test]
fn a_token_reads_everything_changes_nothing_and_ends_when_it_is_revoked() {
    let station = staffed();
    let token =
        |more: &[&str]| station.json(&[&["operators", "token", "ada"], more].concat()).remove(0);
    let secret = token(&[])["token"].as_str().unwrap().to_owned();
    assert_eq!(station.run(&["operators", "token", "nobody"]).status.code(), Some(1));
    let daemon = station.start();
    let mut web = Web::at(&station);
    let bearer = format!("authorization: Bearer {secret}\r\n");
    for route in api().filter(|route| route.method == Method::Get) {
        assert_eq!(
            web.ask(&format!("GET {}", there(route.path)), &bearer, "").status,
            if route.path == "/api/v1/proof/checkpoint" || route.path.contains("batches/{n}") {
                404
            } else {
                200
            },
            "{route:?}"
        );
    }
    assert_eq!(web.ask("GET /day", &bearer, "").status, 303, "pages are for people");
    assert_eq!(web.ask("GET /api/v1/day", "authorization: Bearer bit_x\r\n", "").status, 401);
    let session: Value = serde_json::from_str(&web.get("/api/v1/session").body).unwrap();
    let csrf = session["csrf"].as_str().unwrap();
    let more = format!("{bearer}x-csrf-token: {csrf}\r\ncontent-type: application/json\r\n");
    for route in api().filter(|r| r.method == Method::Post && matches!(r.access, Access::Role(_))) {
        let may = route.path == "/api/v1/proof/verify";
        let reply = web.ask(&format!("POST {}", there(route.path)), &more, "{}");
        assert_eq!(reply.status, if may { 200 } else { 403 }, "{route:?}");
    }
    assert_eq!(token(&["--revoke"])["revoked"], 1);
    assert_eq!(web.ask("GET /api/v1/day", &bearer, "").status, 401);
    // Where the event was not written, it is when that is asked again: then nothing is left to end.
    assert_eq!(token(&["--revoke"])["revoked"], 0);
    assert_eq!(station.run(&["operators", "token", "nobody", "--revoke"]).status.code(), Some(1));
    // Whoever made it and ended it stands in the ledger, with when and where; nothing of the token does.
    let events = station.look().events_after(0);
    let noted = events.iter().filter(|event| event.text("kind") == "tokens");
    let acts: Vec<_> = noted.map(|event| (event.text("act"), event.text("operator"))).collect();
    assert_eq!(acts, [("made", "ada"), ("revoked", "ada"), ("revoked", "ada")]);
    assert!(
        events
            .iter()
            .filter(|event| event.text("kind") == "tokens")
            .all(|event| { !event.text("by").is_empty() && event.body["at"].is_i64() })
    );
    let exported = station.run(&["export", "nist-1500-101"]).stdout;
    let exported = String::from_utf8_lossy(&exported);
    assert!(exported.contains("token-made") && exported.contains("tokens-revoked"), "{exported}");
    daemon.stop();
    assert_eq!(station.run(&["ledger", "rebuild"]).status.code(), Some(0));
    station.verify();
    for path in crate::support::station::files(&station.state()) {
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(
            !String::from_utf8_lossy(&bytes).contains(secret.trim_start_matches("bit_")),
            "{}",
            path.display()
        );
    }
}
