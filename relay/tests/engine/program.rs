//! The program's own commands, as the county and its mail server type them.

use crate::killed::{first_line, kill};
use crate::on_both;
use crate::rig::{NOON, Rig, World, client, event, eventually, written};
use crate::sink::Manners;
use ballot_relay::news::Channel;
use ballot_relay::stand_in::Settings;
use relay_wire::Status::Received;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A bounce as Postfix writes it, of a mailbox that is not there.
const BOUNCE: &str = "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.org (Mail Delivery System)\r\n\
    Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"4F1A/mx.example.org\"\r\n\r\n\
    This is a MIME-encapsulated message.\r\n\r\n--4F1A/mx.example.org\r\nContent-Description: Notification\r\n\
    Content-Type: text/plain; charset=us-ascii\r\n\r\nThe mail system\r\n\r\n<ana@example.org>: unknown user\r\n\r\n\
    --4F1A/mx.example.org\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n\
    Reporting-MTA: dns; mx.example.org\r\nArrival-Date: Tue, 20 Oct 2026 12:00:01 -0600 (MDT)\r\n\r\n\
    Final-Recipient: rfc822; ana@example.org\r\nOriginal-Recipient: rfc822;ana@example.org\r\nAction: failed\r\n\
    Status: 5.1.1\r\nDiagnostic-Code: x-unix; user unknown\r\n\r\n--4F1A/mx.example.org--\r\n";

on_both! {
    /// The mail server pipes a bounce to the command: the address is parked. Forged, repeated, or none, it changes nothing.
    fn a_bounce_comes_by_the_command(rig) {
        let world = rig.whole(NOON, Settings::default(), Manners::default());
        world.voter("1", &[(Channel::Email, "ana@example.org")]);
        world.take(&event("1", Received, 1, NOON));
        let mut mails = Vec::new();
        eventually("an e-mail", || {
            mails.extend(world.sink.as_ref().unwrap().take());
            !mails.is_empty()
        });
        world.settled();
        let to = mails[0].return_path.clone();
        let forged = "bounce+00000000000000000000000000000000.00000000000000000000@bounce.example.org".to_owned();
        let config = config(&rig, &world);
        for (recipient, message, expected) in [
            (&forged, BOUNCE, "nothing of ours\n"),
            (&to, "Subject: hello\r\n\r\nAction: failed\r\n", "no bounce\n"),
            (&to, BOUNCE, "taken\n"),
            (&to, BOUNCE, "nothing of ours\n"),
        ] {
            let done = run(&config, &["bounce", recipient], message.as_bytes());
            assert_eq!((done.status.code(), said(&done.stdout).as_str()), (Some(0), expected), "{}", said(&done.stderr));
        }
        assert_eq!(world.notices(), ["received bad_address"]);
        assert_eq!(world.count("SELECT COUNT(*) FROM contact WHERE state = 'parked'"), 1);
    }

    /// Files come by name or by standard input, for those that the relay's own user may not open.
    fn files_come_by_the_command(rig) {
        let mut rig = rig;
        written(rig.folder.path(), "usps", "secret");
        rig.more = format!(
            "[postal]\nuser = 'usps'\npassword_file = '{}/usps'\noperations = {{ '893' = 'moving' }}\n",
            rig.folder.path().display()
        );
        let world = rig.quiet(NOON);
        let config = config(&rig, &world);
        let import = |arguments: &[&str], file: &str| {
            let done = run(&config, &[&["import"], arguments].concat(), file.as_bytes());
            assert_eq!(done.status.code(), Some(0), "{}", said(&done.stderr));
            serde_json::from_str::<serde_json::Value>(&said(&done.stdout)).unwrap()
        };
        let voters = "voter,first_name,last_name,birth_date,zip\n1,Ana,Diaz,1980-02-29,80302\n2,,Diaz,1980-02-29,80302\n";
        let told = import(&["voters", "-", "--county", "boulder"], voters);
        assert_eq!((&told["changed"], &told["refusals"][0]["line"]), (&1.into(), &3.into()), "{told}");
        let ballots = "ballot,voter,mailed,imb\nb1,1,2025-10-17,00778123456000000001\n";
        let told = import(&["ballots", "-", "--county", "boulder", "--election", "202611"], ballots);
        assert_eq!(told["changed"], 1, "{told}");
        let scans = "80204,893,10/20/2025 09:00:00,80204123456,00778123456000000001\nnonsense\n";
        let file = written(rig.folder.path(), "scans.csv", scans);
        let told = import(&["postal", file.to_str().unwrap()], "");
        let counts = ["rows", "changed", "refused"].map(|count| told[count].as_i64().unwrap());
        assert_eq!(counts, [2, 1, 1], "{told}");
        assert_eq!(world.rows("SELECT status FROM ballot")[0].text(0).unwrap(), "on_its_way_back");
        let done = run(&config, &["import", "postal", "/nowhere.csv"], b"");
        assert_eq!(done.status.code(), Some(66));
    }
}

/// What would keep the relay from starting is told beforehand, all at once.
#[test]
fn check_config_tells_what_keeps_the_relay_from_starting() {
    let mut rig = Rig::sqlite();
    let dir = rig.folder.path().display().to_string();
    rig.pages_more =
        format!("certificate_file = '{dir}/pages.crt'\ncertificate_key_file = '{dir}/pages.key'\n");
    written(rig.folder.path(), "dkim.pem", "a key");
    written(rig.folder.path(), "pages.crt", "no certificate");
    let mail = "127.0.0.1:9".parse().unwrap();
    let text = rig.config(Some("http://127.0.0.1:9"), Some(mail));
    let dkim = format!(
        "dkim = {{ domain = 'example.org', selector = 'relay', key_file = '{dir}/dkim.pem' }}\n"
    );
    let check = |text: &str| {
        let config = written(rig.folder.path(), "relay.toml", text);
        let done = run(&config, &["check-config"], b"");
        (done.status.code(), said(&done.stderr))
    };
    let (code, told) = check(&format!("{text}{dkim}"));
    assert_eq!(code, Some(78), "{told}");
    for what in ["DKIM key", "pages: ", "pages.crt"] {
        assert!(told.contains(what), "{what}: {told}");
    }
    let nobody = text.replace("from = 'Boulder County <no-reply@example.org>'", "from = 'nobody'");
    let (code, told) = check(&nobody.replace(&rig.pages_more, ""));
    assert!(code == Some(78) && told.contains("from or reply_to is no address"), "{told}");
    assert_eq!(check(&text.replace(&rig.pages_more, "")), (Some(0), String::new()));
}

/// The shipped configuration has neither station nor channel: that is no fault, and it is told.
#[test]
fn what_the_relay_starts_without_is_told() {
    let rig = Rig::sqlite();
    let (whole, bare) = whole_and_bare(&rig);
    let told = |text: &str| {
        let done = run(&written(rig.folder.path(), "relay.toml", text), &["check-config"], b"");
        assert_eq!(done.status.code(), Some(0), "{}", said(&done.stderr));
        said(&done.stdout)
    };
    assert_eq!(told(&whole), "");
    let told = told(&bare);
    let told: Vec<_> = told.lines().collect();
    let starts = NOTES.map(|note| format!("note: {note}"));
    let is_so = told.len() == 2 && starts.iter().zip(&told).all(|(so, told)| told.starts_with(so));
    assert!(is_so, "{told:?}");
}

/// Whoever runs a relay reads in its log what it lacks, and by which address somebody came whose form was refused; a file's log has
/// no colors.
#[test]
fn the_log_tells_what_is_lacking_and_where_a_refused_form_came_from() {
    let rig = Rig::sqlite();
    let config = written(rig.folder.path(), "relay.toml", &whole_and_bare(&rig).1);
    let log = rig.path("relay.log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
        .args(["run", "--config"])
        .arg(config)
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let first = first_line(&mut child);
    let own = format!("http://{}", rig.pages);
    let form = client().post(format!("{own}/signin")).header("origin", "https://b.example.net");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime.block_on(async { form.form(&[("csrf", "x")]).send().await });
    kill(Some(child));
    assert!(first.starts_with("ready"), "{first}");
    assert_eq!(answer.unwrap().status(), 403);
    let log = std::fs::read_to_string(log).unwrap();
    let origins = format!("it came from https://b.example.net, and public_url is {own}");
    for what in NOTES.into_iter().chain([origins.as_str()]) {
        assert!(log.contains(what), "{what}: {log}");
    }
    assert!(!log.contains('\u{1b}'), "{log}");
}

const NOTES: [&str; 2] = ["there is no [[station]]: ", "there is no [email], [text] or [voice]: "];

/// A configuration, and the same without stations and channels.
fn whole_and_bare(rig: &Rig) -> (String, String) {
    let whole = rig.config(Some("http://127.0.0.1:9"), Some("127.0.0.1:9".parse().unwrap()));
    let (before, rest) = whole.split_once("[[station]]").unwrap();
    let (_station, rest) = rest.split_once("[sending]").unwrap();
    let (sending, _channels) = rest.split_once("[text]").unwrap();
    let bare = format!("{before}[sending]{sending}");
    (whole, bare)
}

/// The file of the relay's own configuration.
fn config(rig: &Rig, world: &World) -> PathBuf {
    let mail = world.sink.as_ref().map(|sink| sink.address);
    written(rig.folder.path(), "relay.toml", &rig.config(world.provider.as_deref(), mail))
}

fn run(config: &PathBuf, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ballot-relay"))
        .arg("--config")
        .arg(config)
        .args(arguments)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may end before it is written.
    drop(child.stdin.take().unwrap().write_all(input));
    child.wait_with_output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
