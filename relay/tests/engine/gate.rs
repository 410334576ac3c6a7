//! The gate of the pages, route by route, and what is too long, forged or meant to steer something.

use crate::browser::{ANA, Browser, EMAIL, PASSWORD, facts, furnish, hire_all, serve_pages};
use crate::rig::{NOON, Rig, World};
use ballot_relay::clock::Clock as _;
use ballot_relay::voter::{self, VoterId};
use ballot_relay::web::{Access, Method, Role, Route};
use ballot_relay::{office, pages};
use std::time::Duration;

fn open(rig: &Rig) -> World {
    let world = rig.quiet(NOON);
    furnish(&world);
    hire_all(&world);
    serve_pages(&world);
    world
}

fn routes() -> impl Iterator<Item = &'static Route> {
    pages::ROUTES.iter().chain(office::ROUTES)
}

/// Every part that varies is `1`.
fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "1".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_asks_who_comes() {
    let rig = Rig::sqlite();
    let world = open(&rig);
    let (mut guest, mut ana, mut ada) =
        (Browser::new(&world), Browser::new(&world), Browser::new(&world));
    assert_eq!(ana.sign_in(ANA, EMAIL).location, "/me");
    assert_eq!(ada.sign_in_office("ada", PASSWORD).location, "/office");
    let mut n_closed = 0;
    for route in routes() {
        let path = filled(route.path);
        let ask = |browser: &mut Browser<'_>| match route.method {
            Method::Get => browser.get(&path),
            Method::Post => browser.post_raw(&path, &[]),
        };
        let door = match route.access {
            Access::Anyone | Access::Link => continue,
            Access::Voter => "/signin",
            Access::Office(_) => "/office/signin",
        };
        n_closed += 1;
        assert_eq!(ask(&mut guest).location, door, "{route:?}");
        if let Access::Office(role) = route.access {
            assert_eq!(ask(&mut ana).location, door, "{route:?}");
            if role > Role::Auditor {
                assert_eq!(ask(&mut ada).status, 403, "{route:?}");
            }
        } else {
            assert_eq!(ask(&mut ada).location, door, "{route:?}");
        }
    }
    assert!(n_closed > 20, "{n_closed}");
}

#[test]
fn every_form_comes_from_a_page_of_ours() {
    let rig = Rig::sqlite();
    let world = open(&rig);
    let (mut guest, mut ana, mut sue) =
        (Browser::new(&world), Browser::new(&world), Browser::new(&world));
    assert_eq!(ana.sign_in(ANA, EMAIL).location, "/me");
    assert_eq!(sue.sign_in_office("sue", PASSWORD).location, "/office");
    let (of_ana, of_sue, of_guest) = (ana.csrf("/me"), sue.csrf("/office"), guest.csrf("/signin"));
    let origin = world.relay.config.public_url.clone();
    let mut n_forms = 0;
    for route in
        routes().filter(|route| route.method == Method::Post && route.access != Access::Link)
    {
        let path = filled(route.path);
        n_forms += 1;
        let (browser, own, others) = match route.access {
            Access::Voter => (&mut ana, &of_ana, [&of_sue, &of_guest]),
            Access::Office(_) => (&mut sue, &of_sue, [&of_ana, &of_guest]),
            _ => (&mut guest, &of_guest, [&of_ana, &of_sue]),
        };
        assert_eq!(browser.post_raw(&path, &[]).status, 403, "{route:?}");
        for other in others {
            assert_eq!(browser.post_raw(&path, &[("csrf", other)]).status, 403, "{route:?}");
        }
        for forged in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            browser.more = vec![(forged.0, forged.1.to_owned())];
            assert_eq!(browser.post_raw(&path, &[("csrf", own)]).status, 403, "{route:?}");
        }
        browser.more =
            vec![("origin", origin.clone()), ("sec-fetch-site", "same-origin".to_owned())];
        let kind =
            browser.post_body(&path, "text/plain", format!("csrf={own}").into_bytes()).status;
        assert_eq!(kind, 400, "{route:?}");
        browser.more.clear();
    }
    assert!(n_forms > 12, "{n_forms}");
    assert_eq!(ana.get("/me").status, 200, "nothing was signed out");
    assert_eq!(sue.get("/office").status, 200);
}

#[test]
fn what_is_too_long_or_no_form_is_refused() {
    let rig = Rig::sqlite();
    let world = open(&rig);
    let mut guest = Browser::new(&world);
    let csrf = guest.csrf("/signin");
    let form = "application/x-www-form-urlencoded";
    for (body, expected) in [
        ("a".repeat(16 << 10), 403),
        ("a".repeat((16 << 10) + 1), 413),
        ("a".repeat(60 << 10), 413),
        (format!("csrf={csrf}&{}", "a=1&".repeat(64)), 400),
        (format!("csrf={csrf}&first=%zz"), 400),
        (format!("csrf={csrf}&first=%ff%fe"), 400),
        (format!("csrf={csrf}"), 400),
    ] {
        let what: String = body.chars().take(60).collect();
        assert_eq!(guest.post_body("/signin", form, body.into_bytes()).status, expected, "{what}");
    }
    assert_eq!(guest.post_body("/signin", form, vec![0xff, 0xfe]).status, 400);
    guest.more.push(("x-long", "x".repeat(20 << 10)));
    assert_eq!(guest.get("/").status, 431);
    guest.more.clear();
    assert_eq!(guest.get("/nowhere").status, 404);
    assert_eq!(guest.post_raw("/", &[("csrf", &csrf)]).status, 405);
}

#[test]
fn nothing_typed_steers_a_header_a_page_or_a_template() {
    let rig = Rig::sqlite();
    let world = open(&rig);
    let hostile = "<script>alert(1)</script>{{ 7*7 }}\u{202e}";
    let now = world.clock.now();
    world.write(move |tx| {
        let id = VoterId { county: "boulder".to_owned(), voter: "<b>9</b>".to_owned() };
        let voter = voter::Voter {
            id,
            first_name: hostile.to_owned(),
            last_name: "O'Hara\r\nBcc: x@example.org".to_owned(),
            identity: "x".to_owned(),
            is_confidential: false,
        };
        voter::put(tx, &voter, now)
    });
    let mut guest = Browser::new(&world);
    let csrf = guest.csrf("/signin");
    for address in [
        "x@example.org\r\nBcc: y@example.org",
        "x@example.org%0d%0aBcc: y",
        "<x@example.org>",
        hostile,
    ] {
        let more = [("channel", "email"), ("address", address), ("csrf", csrf.as_str())];
        let reply = guest.post_raw("/signin", &facts([hostile, "b", "1980-01-01", "80302"], &more));
        assert_eq!(reply.status, 400, "{address}");
        assert!(
            !reply.body.contains("<script>") && reply.body.contains("{{ 7*7 }}"),
            "{}",
            reply.body
        );
    }
    for next in
        ["//evil.example", "https://evil.example", "/\r\nset-cookie: a=b", "/\\evil.example"]
    {
        let reply = guest.post_raw("/language", &[("lang", "es"), ("next", next), ("csrf", &csrf)]);
        assert_eq!((reply.status, reply.location.as_str()), (303, "/"), "{next}");
        assert!(reply.headers.iter().all(|(_, value)| !value.contains("a=b")));
    }
    let mut sue = Browser::new(&world);
    assert_eq!(sue.sign_in_office("sue", PASSWORD).location, "/office");
    for path in ["/office/voters?q=%3Cb%3E9%3C%2Fb%3E", "/office/voters/boulder/%3Cb%3E9%3C%2Fb%3E"]
    {
        let body = sue.get(path).body;
        assert!(
            !body.contains("<script>") && !body.contains("<b>9") && body.contains("7*7"),
            "{body}"
        );
    }
}

#[test]
fn every_answer_has_the_headers_that_protect_it() {
    let rig = Rig::sqlite();
    let world = open(&rig);
    let mut guest = Browser::new(&world);
    for path in ["/", "/signin", "/me", "/nowhere", "/office", "/not-me/1/1"] {
        let reply = guest.get(path);
        let header = |name: &str| {
            reply.headers.iter().find(|(known, _)| known == name).map(|(_, v)| v.as_str())
        };
        let policy = header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("script-src"),
            "{path}"
        );
        assert_eq!(header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(header("referrer-policy"), Some("same-origin"), "{path}");
    }
    let cookie = Browser::new(&world).get("/signin").headers;
    let cookie = cookie.into_iter().find(|(name, _)| name == "set-cookie").unwrap().1;
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
}

/// A hash takes memory: few are made at once, and none for who tried too often.
#[test]
fn passwords_are_hashed_a_few_at_a_time() {
    let rig = Rig::sqlite();
    let world = rig.quiet(NOON);
    hire_all(&world);
    let site = serve_pages(&world);
    let mut sue = Browser::new(&world);
    let places = site.hashing.available_permits();
    assert!((2..=4).contains(&places), "{places}");
    let taken = std::sync::Arc::clone(&site.hashing).try_acquire_many_owned(4).unwrap();
    for expected in [503, 503, 503, 503, 503, 403, 403] {
        assert_eq!(sue.sign_in_office("sue", PASSWORD).status, expected);
    }
    drop(taken);
    assert_eq!(Browser::new(&world).sign_in_office("sam", PASSWORD).location, "/office");
}

/// No database keeps a NUL: it is refused before one is asked.
#[test]
fn a_nul_is_refused() {
    let rig = Rig::postgres();
    let world = open(&rig);
    let mut guest = Browser::new(&world);
    let csrf = guest.csrf("/signin");
    for fields in [
        facts(["A\0na", "Diaz", "1980-02-29", "80302"], &[("csrf", &csrf)]),
        vec![("csrf", csrf.as_str()), ("na\0me", "x")],
    ] {
        assert_eq!(guest.post_raw("/status", &fields).status, 400);
    }
    let mut sue = Browser::new(&world);
    assert_eq!(sue.sign_in_office("sue", PASSWORD).location, "/office");
    for (path, expected) in [
        ("/office/voters?q=a%00b", 400),
        ("/office/voters/boulder/a%00b", 404),
        ("/office/bulks/%00", 404),
    ] {
        assert_eq!(sue.get(path).status, expected, "{path}");
    }
}

#[test]
fn guessing_passwords_is_refused_and_costs_the_same_for_a_name_that_nobody_has() {
    let rig = Rig::sqlite();
    let world = open(&rig);
    let mut guest = Browser::new(&world);
    for name in ["sue", "nobody"] {
        for _ in 0..5 {
            let reply = guest.sign_in_office(name, "wrong horse battery");
            assert_eq!(reply.status, 403);
            assert!(reply.body.contains("Nobody signed in"));
        }
    }
    assert_eq!(guest.sign_in_office("sue", PASSWORD).status, 403, "after five failures");
    world.clock.advance(Duration::from_mins(11));
    assert_eq!(guest.sign_in_office("sue", PASSWORD).location, "/office");
}
