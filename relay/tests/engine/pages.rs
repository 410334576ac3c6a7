//! The voters' pages: who gets in, what is told of whom, and what nobody can do.

use crate::browser::{
    ANA, BEN, Browser, EMAIL, NOBODY, Reply, SECRET, contacts, facts, furnish, prove_ana,
    serve_pages,
};
use crate::on_both;
use crate::rig::{COUNTY, ELECTION, NOON, Rig, World, event, eventually};
use ballot_relay::clock::Clock as _;
use ballot_relay::key::Purpose;
use ballot_relay::news::Channel;

use ballot_relay::voter::{self, Voter, VoterId};
use ballot_relay::{params, suppress};
use relay_wire::Status::{NeedsAttention, Received};
use std::time::Duration;

fn open(rig: &Rig) -> World {
    let world = rig.quiet(NOON);
    furnish(&world);
    serve_pages(&world);
    world
}

/// A page without what differs each time by itself: the token of its forms.
fn told(reply: &Reply) -> (u16, String) {
    let mut text = String::new();
    let mut rest = reply.body.as_str();
    while let Some((before, after)) = rest.split_once("name=\"csrf\" value=\"") {
        text.push_str(before);
        rest = after.split_once('"').unwrap().1;
    }
    (reply.status, text + rest)
}

fn codes(world: &World) -> i64 {
    world.count("SELECT COUNT(*) FROM notice WHERE kind = 'code'")
}

/// All consents as `channel address how words; how they ended`, oldest first.
fn consents(world: &World) -> Vec<String> {
    let rows = world.rows(
        "SELECT channel || ' ' || address || ' ' || how || ' ' || words || '; ' || COALESCE(ended_how, '-')
         FROM consent ORDER BY given_at",
    );
    rows.iter().map(|row| row.text(0).unwrap()).collect()
}

/// Waits until every code that was asked for was looked for.
fn looked_for(world: &World, n: i64) {
    eventually("all codes being looked for", || {
        world.count("SELECT COUNT(*) FROM one_time_code") == n
    });
}

/// Where nothing can be sent, nobody is told that their address is wrong.
#[test]
fn without_a_channel_the_page_says_that_signing_up_is_not_possible_yet() {
    let mut rig = Rig::sqlite();
    rig.without = &["email", "text", "voice"];
    let world = open(&rig);
    for (lang, not_yet) in
        [("en", "Signing up is not possible yet"), ("es", "no es posible inscribirse")]
    {
        let mut guest = Browser::new(&world);
        guest.more.push(("accept-language", lang.to_owned()));
        let page = guest.get("/signin");
        assert_eq!(page.status, 200);
        let fields = facts(ANA, &[("channel", EMAIL.0), ("address", EMAIL.1)]);
        let answer = guest.post(("/status", "/signin"), &fields);
        assert_eq!(answer.status, 503, "{}", answer.body);
        for body in [page.body, answer.body] {
            assert!(body.contains(not_yet), "{body}");
            assert!(!body.contains("id=\"address\"") && !body.contains("role=\"alert\""), "{body}");
        }
    }
    assert_eq!(codes(&world), 0);
}

on_both! {
    /// Who a voter is, whether confidential, signed up, or nobody: no answer tells.
    fn no_answer_tells_whom_the_file_holds(rig) {
        let world = open(&rig);
        prove_ana(&world);
        let mut pages = Vec::new();
        let mut shapes = Vec::new();
        for who in [ANA, BEN, SECRET, NOBODY] {
            let mut browser = Browser::new(&world);
            let id = browser.ask_code(who, ("email", "else@example.org"));
            shapes.push(id.len());
            pages.push(told(&browser.get("/code?id=x")));
            pages.push(told(&browser.enter(&id, "000000")));
        }
        looked_for(&world, 4);
        assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{shapes:?}");
        let pairs: Vec<_> = pages.chunks(2).collect();
        assert!(pairs.iter().all(|pair| pair[0] == pairs[0][0]));
        let of = |pair: &[(u16, String)]| (pair[1].0, pair[1].1.split("name=\"id\"").next().unwrap().to_owned());
        assert!(pairs.iter().all(|pair| of(pair) == of(pairs[0])));
        // Ben alone, who has no contact yet, is sent one.
        assert_eq!(codes(&world), 1);
        let mut looks = Vec::new();
        for who in [SECRET, NOBODY] {
            looks.push(told(&Browser::new(&world).post(("/status", "/status"), &facts(who, &[]))));
        }
        assert_eq!(looks[0], looks[1]);
        assert!(looks[0].1.contains("No current mail ballot status."));
        let ana = Browser::new(&world).post(("/status", "/status"), &facts(ANA, &[])).body;
        assert!(ana.contains("Your ballot was mailed to you") && !ana.contains("ana@example.org"));
    }

    /// Whoever voted in person has nothing to track.
    fn who_votes_in_person_has_no_status(rig) {
        let world = open(&rig);
        let now = world.clock.now();
        world.write(move |tx| {
            let sql = "INSERT INTO in_person (county, election, voter, cause, since) VALUES ($1, $2, '1', 'test', $3)";
            tx.run(sql, params![COUNTY, ELECTION, now])
        });
        let look = |who| told(&Browser::new(&world).post(("/status", "/status"), &facts(who, &[])));
        assert_eq!(look(ANA), look(NOBODY));
        let mut ana = Browser::new(&world);
        assert_eq!(ana.sign_in(ANA, EMAIL).status, 303);
        assert!(ana.get("/me").body.contains("No current mail ballot status."));
    }

    /// A code is good once, for ten minutes, for five tries, and for whom it was made.
    fn a_code_is_good_once_soon_and_for_few_tries(rig) {
        let world = open(&rig);
        let mut ana = Browser::new(&world);
        let code = |id: &str| world.relay.config.keys.one_time_code(id);
        let wrong = |id: &str| if code(id) == "123456" { "123457" } else { "123456" };
        let ask = |ana: &mut Browser<'_>, n| {
            let id = ana.ask_code(ANA, EMAIL);
            looked_for(&world, n);
            id
        };
        let id = ask(&mut ana, 1);
        for _ in 0..5 {
            assert_eq!(ana.enter(&id, wrong(&id)).status, 403);
        }
        assert_eq!(ana.enter(&id, &code(&id)).status, 403, "after five tries");
        let id = ask(&mut ana, 2);
        world.clock.advance(Duration::from_mins(10));
        assert_eq!(ana.enter(&id, &code(&id)).status, 403, "after ten minutes");
        let id = ask(&mut ana, 3);
        let digits = code(&id);
        let (first, last) = digits.split_at(3);
        let formatted = format!(" {first} {last} ");
        assert_eq!(ana.enter(&id, &formatted).location, "/me");
        assert_eq!(Browser::new(&world).enter(&id, &code(&id)).status, 403, "a second time");
        assert_eq!(contacts(&world, "1"), ["email ana@example.org confirmed"]);
    }

    /// Whoever knows a voter's birth date does not get the voter's notices.
    fn a_code_goes_to_nobody_else_once_a_contact_is_proven(rig) {
        let world = open(&rig);
        assert_eq!(Browser::new(&world).sign_in(ANA, EMAIL).status, 303);
        let id = Browser::new(&world).ask_code(ANA, ("text", "303-555-0177"));
        looked_for(&world, 2);
        assert_eq!(codes(&world), 1);
        let code = world.relay.config.keys.one_time_code(&id);
        assert_eq!(Browser::new(&world).enter(&id, &code).status, 403);
        assert_eq!(contacts(&world, "1"), ["email ana@example.org confirmed"]);
    }

    /// Many tries are refused: from one address, about one voter, whoever asks.
    fn trying_names_and_codes_in_bulk_is_refused(rig) {
        let world = open(&rig);
        let mut browser = Browser::new(&world);
        let csrf = browser.csrf("/signin");
        let mut ask = |who: [&str; 4], path: &str| {
            let more = [("channel", "email"), ("address", "x@example.org"), ("csrf", csrf.as_str())];
            browser.post_raw(path, &facts(who, &more)).status
        };
        for _ in 0..5 {
            assert_eq!(ask(ANA, "/signin"), 303);
        }
        assert_eq!(ask(ANA, "/signin"), 429, "about one voter");
        let n_refused = (0..60).filter(|n| {
            let birth = format!("19{:02}-01-01", 20 + n);
            ask(["Ana", &format!("Diaz{n}"), &birth, "80302"], "/status") == 429
        });
        assert_eq!(n_refused.count(), 5, "from one address");
        assert_eq!(ask(BEN, "/signin"), 429);
        browser.more.push(("x-forwarded-for", "192.0.2.1".to_owned()));
        let elsewhere = browser.post_raw("/status", &facts(BEN, &[("csrf", csrf.as_str())]));
        assert_eq!(elsewhere.status, 429, "whoever is no proxy of ours does not say for whom they ask");
        world.clock.advance(Duration::from_mins(31));
        let again = browser.post_raw("/status", &facts(BEN, &[("csrf", csrf.as_str())]));
        assert_eq!(again.status, 200);
    }

    /// Behind a proxy of ours the last address of the last line counts, whatever the visitor wrote before it; of IPv6 the network.
    fn a_visitor_behind_a_proxy_has_one_address(rig) {
        let mut rig = rig;
        "proxies = ['127.0.0.1']".clone_into(&mut rig.pages_more);
        let world = open(&rig);
        let mut browser = Browser::new(&world);
        let csrf = browser.csrf("/signin");
        let mut ask = |n: usize, lines: &[String]| {
            browser.more = lines.iter().map(|line| ("x-forwarded-for", line.clone())).collect();
            let name = format!("Nobody{n}");
            let who = ["Ana", name.as_str(), "1980-02-29", "80302"];
            browser.post_raw("/status", &facts(who, &[("csrf", csrf.as_str())])).status
        };
        let made_up = |n: usize| [format!("192.0.2.{n}"), format!("198.51.100.{n}, 203.0.113.7")];
        let refused = (0..61).filter(|n| ask(*n, &made_up(*n)) == 429);
        assert_eq!(refused.count(), 1, "a made-up line before the proxy's");
        let network = |n: usize| [format!("2001:db8:1:2:{n:x}::{n:x}")];
        let refused = (0..61).filter(|n| ask(100 + *n, &network(*n)) == 429);
        assert_eq!(refused.count(), 1, "one network of IPv6");
        assert_eq!(ask(200, &["2001:db8:1:3::1".to_owned()]), 200, "the next network");
        for n in 0..2 {
            assert_eq!(ask(210 + n, &[format!("::ffff:192.0.2.{n}")]), 200, "IPv4 within IPv6");
        }
    }

    /// A name and a ZIP code are known to many: birth dates are not tried one after the other, from however many addresses.
    fn trying_birth_dates_is_refused(rig) {
        let mut rig = rig;
        "proxies = ['127.0.0.1']".clone_into(&mut rig.pages_more);
        let world = open(&rig);
        let mut browser = Browser::new(&world);
        let csrf = browser.csrf("/signin");
        let mut ask = |n: usize, who: [&str; 4]| {
            browser.more = vec![("x-forwarded-for", format!("192.0.2.{n}"))];
            browser.post_raw("/status", &facts(who, &[("csrf", csrf.as_str())])).status
        };
        let refused = (0..40).filter(|n| {
            let birth = format!("19{:02}-02-28", 40 + n);
            ask(*n, ["Ana", "Diaz", &birth, "80302"]) == 429
        });
        assert_eq!(refused.count(), 20);
        assert_eq!(ask(50, BEN), 200, "anybody else");
        world.clock.advance(Duration::from_mins(61));
        assert_eq!(ask(51, ANA), 200);
    }

    /// One voter's session does nothing to another's contacts and shows nothing of them.
    fn another_voters_data_is_neither_shown_nor_changed(rig) {
        let world = open(&rig);
        let (mut ana, mut ben) = (Browser::new(&world), Browser::new(&world));
        assert_eq!(ana.sign_in(ANA, EMAIL).status, 303);
        assert_eq!(ben.sign_in(BEN, ("email", "ben@example.org")).status, 303);
        let bens = world.rows("SELECT id FROM contact WHERE voter = '2'")[0].text(0).unwrap();
        for (act, fields) in [("remove", vec![]), ("order", vec![("first", "no")]), ("confirm", vec![("code", "1")])] {
            let path = format!("/me/contacts/{bens}/{act}");
            let status = ana.post(("/me/contacts", &path), &fields).status;
            assert!([403, 404].contains(&status), "{act}: {status}");
        }
        assert_eq!(contacts(&world, "2"), ["email ben@example.org confirmed"]);
        for path in ["/me", "/me/contacts", "/me/preferences"] {
            let body = ana.get(path).body;
            for told in ["ben@example.org", "Ben", "Okafor", "1975"] {
                assert!(!body.contains(told), "{path}: {told}");
            }
        }
        assert_eq!(ana.get("/office").location, "/office/signin");
        assert_eq!(ana.get("/office/voters/boulder/2").location, "/office/signin");
    }

    /// Several voters share one address, each with notices of their own.
    fn two_voters_share_an_address(rig) {
        let world = open(&rig);
        let (mut ana, mut ben) = (Browser::new(&world), Browser::new(&world));
        assert_eq!(ana.sign_in(ANA, EMAIL).location, "/me");
        assert_eq!(ben.sign_in(BEN, EMAIL).location, "/me");
        let own = ["email ana@example.org confirmed"];
        assert_eq!((contacts(&world, "1"), contacts(&world, "2")), (own.map(str::to_owned).to_vec(), own.map(str::to_owned).to_vec()));
        let id = world.rows("SELECT id FROM contact WHERE voter = '1'")[0].text(0).unwrap();
        assert_eq!(ana.post(("/me/contacts", &format!("/me/contacts/{id}/remove")), &[]).status, 303);
        assert_eq!((contacts(&world, "1").len(), contacts(&world, "2").len()), (0, 1));
    }

    /// A voter chooses language, hours and what to hear of; what lies outside the county's hours is refused.
    fn a_voters_wishes_are_kept_within_the_countys_hours(rig) {
        let world = open(&rig);
        let mut ana = Browser::new(&world);
        assert_eq!(ana.sign_in(ANA, EMAIL).location, "/me");
        let wish = |from, until| {
            [("language", "es"), ("zone", "America/Phoenix"), ("from", from), ("until", until), ("kind", "received")]
        };
        let page = ("/me/preferences", "/me/preferences");
        for (from, until, expected) in
            [("07:59", "20:00", 400), ("09:00", "21:01", 400), ("12:00", "12:00", 400), ("x", "20:00", 400), ("09:30", "18:00", 303)]
        {
            assert_eq!(ana.post(page, &wish(from, until)).status, expected, "{from} {until}");
        }
        let mut wrong = wish("09:30", "18:00");
        wrong[1].1 = "Mars/Olympus";
        assert_eq!(ana.post(page, &wrong).status, 400);
        let row = &world.rows("SELECT language || ' ' || timezone || ' ' || kinds, from_minute, until_minute FROM enrolment")[0];
        assert_eq!(row.text(0).unwrap(), "es America/Phoenix received");
        assert_eq!((row.int(1).unwrap(), row.int(2).unwrap()), (570, 1_080));
        assert_eq!(ana.post(("/me/contacts", "/me/end"), &[]).status, 303);
        assert_eq!(world.count("SELECT COUNT(*) FROM enrolment WHERE ended_at IS NULL"), 0);
        assert_eq!(ana.post(("/me/contacts", "/me/resume"), &[]).status, 303);
        assert_eq!(world.count("SELECT COUNT(*) FROM enrolment WHERE ended_at IS NULL"), 1);
    }

    /// A session ends when it is not used, when it is signed out of, and with the voter's secrecy.
    fn a_session_ends(rig) {
        let world = open(&rig);
        let mut ana = Browser::new(&world);
        assert_eq!(ana.sign_in(ANA, EMAIL).status, 303);
        assert_eq!(ana.get("/me").status, 200);
        let stolen = ana.cookies.clone();
        assert_eq!(ana.post(("/me", "/signout"), &[]).location, "/");
        let mut thief = Browser::new(&world);
        thief.cookies = stolen;
        assert_eq!(thief.get("/me").location, "/signin");
        assert_eq!(ana.sign_in(ANA, EMAIL).status, 303);
        world.clock.advance(Duration::from_mins(31));
        assert_eq!(ana.get("/me").location, "/signin");
    }

    /// Whoever unsubscribed and wants notices again proves the address and consents once more. Signing in alone is no such wish.
    fn whoever_unsubscribed_can_want_notices_again(rig) {
        let world = open(&rig);
        let mut ana = Browser::new(&world);
        assert_eq!(ana.sign_in(ANA, EMAIL).location, "/me");
        let now = world.clock.now();
        world.write(move |tx| suppress::suppress(tx, (Channel::Email, EMAIL.1), "unsubscribed", now));
        world.clock.advance(Duration::from_mins(1));
        assert_eq!(ana.sign_in(ANA, EMAIL).location, "/me");
        let blocks = || world.count("SELECT COUNT(*) FROM suppression");
        assert_eq!((contacts(&world, "1"), blocks()), (vec!["email ana@example.org off".to_owned()], 1));
        world.clock.advance(Duration::from_mins(1));
        let fields = [("channel", "email"), ("address", EMAIL.1), ("consent", "yes")];
        assert_eq!(ana.post(("/me/contacts", "/me/contacts"), &fields).status, 303);
        assert_eq!(blocks(), 1, "nothing is proven yet");
        let contact = world.rows("SELECT id FROM contact")[0].text(0).unwrap();
        let confirm = format!("/me/contacts/{contact}/confirm");
        assert!(ana.get("/me/contacts").body.contains(&confirm), "there is a place for the code");
        let code = world.rows("SELECT id FROM one_time_code ORDER BY created_at DESC LIMIT 1")[0].text(0).unwrap();
        let digits = world.relay.config.keys.one_time_code(&code);
        let wrong = if digits == "123456" { "123457" } else { "123456" };
        assert_eq!(ana.post(("/me/contacts", &confirm), &[("code", wrong)]).status, 403);
        assert_eq!(blocks(), 1);
        assert_eq!(ana.post(("/me/contacts", &confirm), &[("code", &digits)]).status, 303);
        assert_eq!((contacts(&world, "1"), blocks()), (vec!["email ana@example.org confirmed".to_owned()], 0));
        world.take(&event("1", Received, 1, NOON));
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE kind = 'received' AND state = 'owed'"), 1);
        // What a provider or a complaint blocks, no code lifts.
        world.write(move |tx| {
            suppress::suppress(tx, (Channel::Email, EMAIL.1), "complaint", now)?;
            suppress::want_again(tx, (Channel::Email, EMAIL.1))
        });
        assert_eq!(blocks(), 1);
    }

    /// A voter's page looks up the newest news of the county: it reads no whole table.
    fn the_newest_news_of_a_county_stands_in_an_index(rig) {
        let world = open(&rig);
        let (explain, column) = if rig.cluster.is_some() { ("EXPLAIN", 0) } else { ("EXPLAIN QUERY PLAN", 3) };
        let plan = world.write(move |tx| {
            if column == 0 {
                // PostgreSQL reads an empty table whole if it may.
                tx.run("SET LOCAL enable_seqscan = off", &[])?;
            }
            let sql = format!("{explain} SELECT MAX(received_at) FROM event WHERE county = 'boulder'");
            tx.rows(&sql, &[])?.iter().map(|row| row.text(column)).collect::<Result<Vec<_>, _>>()
        });
        assert!(plan.join("\n").contains("event_newest"), "{plan:?}");
    }

    /// What somebody of the office typed stays in the office, and what was a mistake is told as one.
    fn a_ballots_story_tells_no_free_text_and_marks_mistakes(rig) {
        let world = open(&rig);
        world.take(&event("1", Received, 1, NOON));
        let mut typed = event("1", NeedsAttention, 2, NOON);
        typed.reason = Some("Mrs. Diaz shouted at us".to_owned());
        typed.corrects = Some("1-1".to_owned());
        world.take(&typed);
        let ana = Browser::new(&world).post(("/status", "/status"), &facts(ANA, &[])).body;
        assert!(!ana.contains("shouted") && ana.contains("another reason"), "{ana}");
        let story = ana.split_once("<ol").unwrap().1;
        let mark = "(it was a mistake, and put right)";
        let lines: Vec<_> = story.split("<li>").skip(1).map(|line| line.contains(mark)).collect();
        assert_eq!(lines, [true, false], "{story}");
        assert!(story.contains("A correction: "), "{story}");
        let mut known = event("1", NeedsAttention, 3, NOON);
        known.reason = Some("signature_missing".to_owned());
        world.take(&known);
        let ana = Browser::new(&world).post(("/status", "/status"), &facts(ANA, &[])).body;
        assert!(ana.contains("the signature is missing"), "{ana}");
    }

    /// A way by which nothing can be sent is neither offered nor taken.
    fn a_channel_that_is_not_configured_is_not_offered(rig) {
        let mut rig = rig;
        rig.without = &["voice", "text"];
        let world = open(&rig);
        let mut ana = Browser::new(&world);
        let offered = |page: &str| ["email", "text", "voice"].map(|channel| page.contains(&format!("value=\"{channel}\"")));
        assert_eq!(offered(&ana.get("/signin").body), [true, false, false]);
        let voice = facts(ANA, &[("channel", "voice"), ("address", "303-555-0177")]);
        assert_eq!(ana.post(("/signin", "/signin"), &voice).status, 400);
        assert_eq!(ana.sign_in(ANA, EMAIL).location, "/me");
        assert_eq!(offered(&ana.get("/me/contacts").body), [true, false, false]);
        let text = [("channel", "text"), ("address", "303-555-0177"), ("consent", "yes")];
        assert_eq!(ana.post(("/me/contacts", "/me/contacts"), &text).status, 400);
        assert_eq!(contacts(&world, "1"), ["email ana@example.org confirmed"]);
    }

    /// A number at which a code was read is the voter's own from then on, before it says YES.
    fn a_number_is_proven_by_its_code(rig) {
        let world = open(&rig);
        assert_eq!(Browser::new(&world).sign_in(ANA, ("text", "303-555-0101")).location, "/me");
        assert_eq!(contacts(&world, "1"), ["text +13035550101 pending"]);
        Browser::new(&world).ask_code(ANA, ("email", "thief@example.org"));
        looked_for(&world, 2);
        assert_eq!(codes(&world), 1, "no code goes elsewhere");
        assert_eq!(Browser::new(&world).sign_in(ANA, ("text", "303-555-0101")).location, "/me");
    }

    /// Who ended all notices changes wishes without getting any; they come when they are resumed.
    fn saving_wishes_resumes_nothing(rig) {
        let world = open(&rig);
        let mut ana = Browser::new(&world);
        assert_eq!(ana.sign_in(ANA, EMAIL).location, "/me");
        let page = ("/me/preferences", "/me/preferences");
        let wish = |zone| [("language", "es"), ("zone", zone), ("from", "09:30"), ("until", "18:00"), ("kind", "received")];
        assert_eq!(ana.post(page, &wish("America/Phoenix")).status, 303);
        assert_eq!(ana.post(("/me/contacts", "/me/end"), &[]).status, 303);
        assert!(ana.get("/me/preferences").body.contains("value=\"America/Phoenix\" selected"));
        assert_eq!(ana.post(page, &wish("America/Chicago")).status, 303);
        assert_eq!(world.count("SELECT COUNT(*) FROM enrolment WHERE ended_at IS NULL"), 0);
        world.take(&event("1", Received, 1, NOON));
        assert_eq!(world.count("SELECT COUNT(*) FROM notice WHERE kind = 'received'"), 0);
        assert_eq!(ana.post(("/me/contacts", "/me/resume"), &[]).status, 303);
        assert_eq!(world.count("SELECT COUNT(*) FROM enrolment WHERE timezone = 'America/Chicago' AND ended_at IS NULL"), 1);
    }

    /// Who agreed to what, when and how stays on record, whatever becomes of the contact.
    fn a_consent_outlives_its_contact(rig) {
        let world = open(&rig);
        let mut ana = Browser::new(&world);
        let number = "+13035550101";
        assert_eq!(ana.sign_in(ANA, ("text", number)).location, "/me");
        assert_eq!(consents(&world), Vec::<String>::new(), "nobody said YES");
        let hear = |id: &'static str, reply| {
            world.clock.advance(Duration::from_secs(1));
            let now = world.clock.now();
            world.write(move |tx| suppress::hear(tx, (id, number), reply, now))
        };
        hear("SM1", suppress::Reply::Yes);
        let shown = "By signing up you agree to get automated messages about your ballot there. You can end them at any time.";
        assert_eq!(consents(&world), [format!("text +13035550101 reply {shown} / YES; -")]);
        hear("SM2", suppress::Reply::Stop);
        hear("SM3", suppress::Reply::Start);
        let id = world.rows("SELECT id FROM contact")[0].text(0).unwrap();
        assert_eq!(ana.post(("/me/contacts", &format!("/me/contacts/{id}/remove")), &[]).status, 303);
        assert_eq!(contacts(&world, "1"), Vec::<String>::new());
        let place = format!("text +13035550101 reply {shown} / YES");
        assert_eq!(consents(&world), [format!("{place}; stop"), format!("{place} / START; removed")]);
        // Of who became confidential no address is kept.
        let (secret, now) = (VoterId { county: COUNTY.to_owned(), voter: "1".to_owned() }, world.clock.now());
        world.write(move |tx| {
            let voter = Voter {
                id: secret.clone(),
                first_name: String::new(),
                last_name: String::new(),
                identity: String::new(),
                is_confidential: true,
            };
            voter::put(tx, &voter, now)
        });
        assert!(consents(&world).iter().all(|consent| !consent.contains("+1")), "{:?}", consents(&world));
    }

    /// A link of a message acts once its button is pressed, by whoever has it, and no made-up link does.
    fn links_act_when_posted_and_only_ours_do(rig) {
        let world = open(&rig);
        let mut ana = Browser::new(&world);
        assert_eq!(ana.sign_in(ANA, EMAIL).status, 303);
        let notice = world.rows("SELECT id FROM notice")[0].text(0).unwrap();
        let tag = |purpose| world.relay.config.keys.tag(purpose, &notice);
        let mut mailer = Browser::new(&world);
        for (path, purpose, other) in [
            ("not-me", Purpose::NotMe, Purpose::Unsubscribe),
            ("unsubscribe", Purpose::Unsubscribe, Purpose::NotMe),
        ] {
            let good = format!("/{path}/{notice}/{}", tag(purpose));
            assert_eq!(mailer.get(&good).status, 200);
            for bad in [tag(other), String::from("x"), format!("{}A", tag(purpose))] {
                let bad = format!("/{path}/{notice}/{bad}");
                assert_eq!(mailer.get(&bad).status, 404, "{bad}");
                assert_eq!(mailer.post_raw(&bad, &[]).status, 404, "{bad}");
            }
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm"), 0);
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression"), 0);
        for _ in 0..2 {
            let one_click = [("List-Unsubscribe", "One-Click")];
            let link = format!("/unsubscribe/{notice}/{}", tag(Purpose::Unsubscribe));
            assert_eq!(mailer.post_raw(&link, &one_click).status, 200);
            let link = format!("/not-me/{notice}/{}", tag(Purpose::NotMe));
            assert_eq!(mailer.post_raw(&link, &[]).status, 200);
        }
        assert_eq!(world.count("SELECT COUNT(*) FROM alarm WHERE kind = 'not_me'"), 1);
        assert_eq!(world.count("SELECT COUNT(*) FROM suppression WHERE channel = 'email'"), 1);
        assert_eq!(contacts(&world, "1"), ["email ana@example.org off"]);
        // Whoever wants no more can sign in still, and wants it again.
        let mut again = Browser::new(&world);
        assert_eq!(again.sign_in(ANA, EMAIL).location, "/me");
    }
}
