//! One envelope format: how a payload spells which ballot the envelope belongs to.

use super::Check;
use crate::ballot::{BallotId, ElectionId};
use crate::imb;
use crate::scan::{Capture, CodeKind, Direction, Named, Symbol, Symbology, Unreadable};
use regex::bytes::{Captures, Regex, RegexBuilder};
use std::sync::Arc;

/// Largest compiled pattern, in bytes: hundreds of times what any county's format needs, and a bound on every start.
const PATTERN_SIZE_MAX: usize = 1 << 20;

/// Longest name of a format, in bytes: it stands in reports and verdicts.
const NAME_BYTES_MAX: usize = 64;

/// A format as it is written down.
#[derive(Debug, Clone)]
pub struct FormatSpec {
    /// What reports and verdicts call it: 1 to 64 visible ASCII characters.
    pub name: String,
    /// The symbologies it may come in.
    pub symbologies: Vec<Symbology>,
    /// A regular expression over the bytes of the *whole* payload, with `\d`, `\w` and the like in ASCII. Its named groups:
    /// `ballot` (or `imb` or `voter` where that is what the format names) is the capture; `election`, where there is one,
    /// must be the configured election; `check` is the check. None: the 20 to 31 digits of an Intelligent Mail bar code.
    pub pattern: Option<String>,
    /// The check over all that stands before the group `check`.
    pub check: Check,
    /// What kind of code the capture is.
    pub names: CodeKind,
    /// Intelligent Mail service types of return envelopes, three digits each.
    pub return_service_types: Vec<String>,
    /// Intelligent Mail service types of outbound packets, three digits each.
    pub outbound_service_types: Vec<String>,
    /// Intelligent Mail mailer ids of this office's ballot mail.
    pub mailer_ids: Vec<String>,
}

/// Why a format cannot work.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FormatError {
    /// The name is empty, longer than 64 bytes, or not visible ASCII.
    #[error("the name {0:?} is not 1 to {NAME_BYTES_MAX} visible ASCII characters")]
    Name(String),
    /// No symbology can carry it.
    #[error("it has no symbologies, so no symbol can match")]
    NoSymbology,
    /// Only Intelligent Mail formats go without a pattern.
    #[error("it names a {0} and has no pattern")]
    NoPattern(String),
    /// The pattern is no regular expression over bytes, or too large a one.
    #[error("the pattern is no regular expression")]
    Pattern(#[source] Box<regex::Error>),
    /// The pattern has a named group that means nothing: a misspelt `election` would let another election's envelopes in.
    #[error("the pattern has a group named {0:?}, which means nothing here")]
    UnknownGroup(String),
    /// The pattern captures nothing.
    #[error("the pattern has no group named {0:?}")]
    NoCapture(String),
    /// A check is asked for, and nothing says where it stands.
    #[error("it has the check {0} and no group named \"check\"")]
    CheckWithoutGroup(Check),
    /// A group `check` that nothing would look at.
    #[error("the pattern has a group named \"check\" and the check is none")]
    GroupWithoutCheck,
    /// A check covers what stands before it, so here it would not cover the capture.
    #[error("the group named \"check\" stands before the capture, which it would not cover")]
    CheckBeforeCapture,
    /// Service types or mailer ids that nothing would look at.
    #[error("service types and mailer ids belong to a format that names an imb and has no pattern")]
    MailFieldsUnused,
    /// Anybody's mail would match.
    #[error("it has no mailer ids")]
    NoMailerId,
    /// Six digits, or nine of which the first is a 9 (USPS-B-3200).
    #[error("the mailer id {0:?} is not 6 digits, nor 9 that begin with a 9")]
    MailerId(String),
    /// No mail at all would match.
    #[error("it has no service types")]
    NoServiceType,
    /// Service types have three digits.
    #[error("the service type {0:?} is not 3 digits")]
    ServiceType(String),
    /// One service type cannot be both.
    #[error("the service type {0:?} is both return and outbound")]
    BothDirections(String),
}

/// A format that can work.
#[derive(Debug, Clone)]
pub struct Format {
    name: Arc<str>,
    symbologies: Vec<Symbology>,
    names: CodeKind,
    spelling: Spelling,
}

/// What a format, or all of them, make of one symbol.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A code of a ballot.
    Names(Capture),
    /// An envelope of another election, by this format.
    WrongElection(Arc<str>),
    /// It does not match; the reason has a format where that one's pattern held.
    Unreadable(Unreadable),
}

#[derive(Debug, Clone)]
enum Spelling {
    Pattern(Pattern),
    Imb(MailFields),
}

/// A compiled pattern, with the numbers of its groups.
#[derive(Debug, Clone)]
struct Pattern {
    regex: Regex,
    capture: usize,
    election: Option<usize>,
    check: Option<(Check, usize)>,
}

/// Which Intelligent Mail is this office's ballot mail.
#[derive(Debug, Clone)]
struct MailFields {
    returning: Vec<String>,
    outbound: Vec<String>,
    mailer_ids: Vec<String>,
}

impl Format {
    /// Takes a format that can work, and says of another why it cannot.
    pub fn new(spec: FormatSpec) -> Result<Self, FormatError> {
        let is_visible = spec.name.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || !(1..=NAME_BYTES_MAX).contains(&spec.name.len()) {
            return Err(FormatError::Name(spec.name));
        }
        if spec.symbologies.is_empty() {
            return Err(FormatError::NoSymbology);
        }
        let spelling = match &spec.pattern {
            Some(pattern) => Spelling::Pattern(Pattern::new(pattern, &spec)?),
            None if spec.names == CodeKind::Imb => Spelling::Imb(MailFields::new(&spec)?),
            None => return Err(FormatError::NoPattern(spec.names.name().to_owned())),
        };
        let FormatSpec { name, symbologies, names, .. } = spec;
        Ok(Self { name: name.into(), symbologies, names, spelling })
    }

    /// What kind of code its capture is.
    pub const fn names(&self) -> &CodeKind {
        &self.names
    }

    /// What reports and verdicts call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has a check digit.
    pub const fn is_checked(&self) -> bool {
        matches!(&self.spelling, Spelling::Pattern(Pattern { check: Some(_), .. }))
    }

    /// Whether a symbol of this symbology can match.
    pub fn reads(&self, symbology: Symbology) -> bool {
        self.symbologies.contains(&symbology)
    }

    /// What a whole symbol says by this format, in this election.
    pub(super) fn read(&self, symbol: &Symbol, election: Option<&ElectionId>) -> Reading {
        let may_carry = match symbol.symbology {
            Named::One(symbology) => self.symbologies.contains(&symbology),
            Named::Untold => true,
            Named::Foreign => false,
        };
        if !may_carry {
            return Reading::Unreadable(Unreadable::NoFormat);
        }
        match &self.spelling {
            Spelling::Pattern(pattern) => self.read_pattern(pattern, &symbol.payload.0, election),
            Spelling::Imb(mail) => self.read_imb(mail, &symbol.payload.0),
        }
    }

    fn read_pattern(
        &self,
        pattern: &Pattern,
        payload: &[u8],
        election: Option<&ElectionId>,
    ) -> Reading {
        let Some(groups) = pattern.regex.captures(payload) else {
            return Reading::Unreadable(Unreadable::NoFormat);
        };
        if !pattern.check_holds(payload, &groups) {
            return Reading::Unreadable(Unreadable::CheckFailed(Arc::clone(&self.name)));
        }
        if !pattern.is_of(election, &groups) {
            return Reading::WrongElection(Arc::clone(&self.name));
        }
        match pattern.code(&groups) {
            Some(code) => Reading::Names(self.capture(code, Direction::Return)),
            None => Reading::Unreadable(Unreadable::NoId(Arc::clone(&self.name))),
        }
    }

    fn read_imb(&self, mail: &MailFields, payload: &[u8]) -> Reading {
        let fields = str::from_utf8(payload).ok().and_then(|digits| imb::fields(digits).ok());
        let Some(fields) = fields else {
            return Reading::Unreadable(Unreadable::NoFormat);
        };
        match mail.direction(&fields) {
            Some(direction) => Reading::Names(self.capture(fields.piece, direction)),
            None => Reading::Unreadable(Unreadable::NotBallotMail(Arc::clone(&self.name))),
        }
    }

    fn capture(&self, code: &str, direction: Direction) -> Capture {
        Capture {
            format: Arc::clone(&self.name),
            names: self.names.clone(),
            code: code.to_owned(),
            direction,
        }
    }
}

impl Pattern {
    fn new(pattern: &str, spec: &FormatSpec) -> Result<Self, FormatError> {
        if !spec.mailer_ids.is_empty()
            || !spec.return_service_types.is_empty()
            || !spec.outbound_service_types.is_empty()
        {
            return Err(FormatError::MailFieldsUnused);
        }
        // By itself first: `a)|(?:b` would be an expression only inside the anchors, and slip out of them.
        compile(pattern)?;
        let regex = compile(&format!(r"\A(?:{pattern})\z"))?;
        let own = spec.names.name();
        let known = ["ballot", "election", "check", own];
        if let Some(name) = regex.capture_names().flatten().find(|name| !known.contains(name)) {
            return Err(FormatError::UnknownGroup(name.to_owned()));
        }
        let group = |wanted| regex.capture_names().position(|name| name == Some(wanted));
        let capture = group(own).or_else(|| group("ballot"));
        let capture = capture.ok_or_else(|| FormatError::NoCapture(own.to_owned()))?;
        let check = match (spec.check, group("check")) {
            (Check::None, None) => None,
            (Check::None, Some(_)) => return Err(FormatError::GroupWithoutCheck),
            (check, None) => return Err(FormatError::CheckWithoutGroup(check)),
            // Groups are numbered as they open.
            (_, Some(at)) if at < capture => return Err(FormatError::CheckBeforeCapture),
            (check, Some(at)) => Some((check, at)),
        };
        Ok(Self { capture, election: group("election"), check, regex })
    }

    /// A check that stands nowhere, because its group took no part in the match, does not hold.
    fn check_holds(&self, payload: &[u8], groups: &Captures<'_>) -> bool {
        let Some((check, group)) = self.check else {
            return true;
        };
        let Some(found) = groups.get(group) else {
            return false;
        };
        let body = payload.get(..found.start()).and_then(|body| str::from_utf8(body).ok());
        let found = str::from_utf8(found.as_bytes()).ok();
        body.zip(found).is_some_and(|(body, found)| check.holds(body, found))
    }

    /// Whether the envelope is of this election. One that should say and does not is of none.
    fn is_of(&self, election: Option<&ElectionId>, groups: &Captures<'_>) -> bool {
        let Some(group) = self.election else {
            return true;
        };
        let found = groups.get(group).map(|found| found.as_bytes());
        found.is_some() && found == election.map(|election| election.as_str().as_bytes())
    }

    fn code<'a>(&self, groups: &Captures<'a>) -> Option<&'a str> {
        let code =
            groups.get(self.capture).and_then(|code| str::from_utf8(code.as_bytes()).ok())?;
        BallotId::new(code).is_ok().then_some(code)
    }
}

impl MailFields {
    fn new(spec: &FormatSpec) -> Result<Self, FormatError> {
        if spec.check != Check::None {
            return Err(FormatError::CheckWithoutGroup(spec.check));
        }
        if spec.mailer_ids.is_empty() {
            return Err(FormatError::NoMailerId);
        }
        if let Some(mailer_id) = spec.mailer_ids.iter().find(|id| !is_mailer_id(id)) {
            return Err(FormatError::MailerId(mailer_id.clone()));
        }
        let (returning, outbound) = (&spec.return_service_types, &spec.outbound_service_types);
        if returning.is_empty() && outbound.is_empty() {
            return Err(FormatError::NoServiceType);
        }
        if let Some(odd) = returning.iter().chain(outbound).find(|it| !is_digits(it, 3)) {
            return Err(FormatError::ServiceType(odd.clone()));
        }
        if let Some(both) = returning.iter().find(|service_type| outbound.contains(service_type)) {
            return Err(FormatError::BothDirections(both.clone()));
        }
        Ok(Self {
            returning: returning.clone(),
            outbound: outbound.clone(),
            mailer_ids: spec.mailer_ids.clone(),
        })
    }

    /// Which way this office's ballot mail went; none where it is other mail.
    fn direction(&self, fields: &imb::ImbFields<'_>) -> Option<Direction> {
        let lists = |list: &[String], text: &str| list.iter().any(|listed| listed == text);
        if !lists(&self.mailer_ids, fields.mailer_id) {
            None
        } else if lists(&self.returning, fields.service_type) {
            Some(Direction::Return)
        } else if lists(&self.outbound, fields.service_type) {
            Some(Direction::Outbound)
        } else {
            None
        }
    }
}

fn compile(pattern: &str) -> Result<Regex, FormatError> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(PATTERN_SIZE_MAX)
        .build()
        .map_err(|error| FormatError::Pattern(Box::new(error)))
}

fn is_mailer_id(text: &str) -> bool {
    if text.starts_with('9') { is_digits(text, 9) } else { is_digits(text, 6) }
}

fn is_digits(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::Payload;

    fn county() -> FormatSpec {
        FormatSpec {
            name: "county".into(),
            symbologies: vec![Symbology::Code128, Symbology::Code39],
            pattern: Some(r"^(?<election>\d{6})(?<ballot>\d{9})(?<check>\d)$".into()),
            check: Check::Luhn,
            names: CodeKind::Ballot,
            return_service_types: vec![],
            outbound_service_types: vec![],
            mailer_ids: vec![],
        }
    }

    fn plain(pattern: &str, names: CodeKind) -> FormatSpec {
        FormatSpec { pattern: Some(pattern.into()), check: Check::None, names, ..county() }
    }

    fn mail() -> FormatSpec {
        FormatSpec {
            name: "return-imb".into(),
            symbologies: vec![Symbology::Imb],
            pattern: None,
            check: Check::None,
            names: CodeKind::Imb,
            return_service_types: vec!["777".into(), "780".into()],
            outbound_service_types: vec!["715".into()],
            mailer_ids: vec!["901234567".into(), "123456".into()],
        }
    }

    fn reading(spec: FormatSpec, payload: &[u8]) -> Reading {
        let election = ElectionId::new("202611").unwrap();
        Format::new(spec).unwrap().read(&Symbol::untold(payload), Some(&election))
    }

    fn names(format: &str, names: CodeKind, code: &str, direction: Direction) -> Reading {
        Reading::Names(Capture { format: format.into(), names, code: code.into(), direction })
    }

    const NO_FORMAT: Reading = Reading::Unreadable(Unreadable::NoFormat);

    #[test]
    fn a_format_that_cannot_work_says_why() {
        let with = |change: fn(&mut FormatSpec)| {
            let mut spec = county();
            change(&mut spec);
            Format::new(spec).unwrap_err()
        };
        assert_eq!(with(|it| it.name = String::new()), FormatError::Name(String::new()));
        assert_eq!(with(|it| it.name = "a b".into()), FormatError::Name("a b".into()));
        assert_eq!(with(|it| it.name = "n".repeat(65)), FormatError::Name("n".repeat(65)));
        assert_eq!(with(|it| it.symbologies.clear()), FormatError::NoSymbology);
        assert_eq!(with(|it| it.pattern = None), FormatError::NoPattern("ballot".into()));
        assert_eq!(
            with(|it| it.pattern = Some(r"(?<ballot>\d+)(?<elektion>\d)(?<check>\d)".into())),
            FormatError::UnknownGroup("elektion".into())
        );
        assert_eq!(
            with(|it| it.pattern = Some(r"(?<voter>\d+)(?<check>\d)".into())),
            FormatError::UnknownGroup("voter".into())
        );
        assert_eq!(
            with(|it| it.pattern = Some(r"\d+(?<check>\d)".into())),
            FormatError::NoCapture("ballot".into())
        );
        assert_eq!(
            with(|it| it.pattern = Some(r"(?<ballot>\d+)".into())),
            FormatError::CheckWithoutGroup(Check::Luhn)
        );
        assert_eq!(with(|it| it.check = Check::None), FormatError::GroupWithoutCheck);
        assert_eq!(
            with(|it| it.pattern = Some(r"\d(?<check>\d)(?<ballot>\d+)".into())),
            FormatError::CheckBeforeCapture
        );
        assert_eq!(with(|it| it.mailer_ids.push("123456".into())), FormatError::MailFieldsUnused);
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        for pattern in [
            r"(?<ballot>\d+",
            r"(?<ballot>\d+)|x)|(?:.*",
            r"(?x)(?<ballot>\d+) # comment",
            r"(?<ballot>\p{L}+)",
            r"(?<ballot>(\w{1000}){1000})",
        ] {
            let error = Format::new(plain(pattern, CodeKind::Ballot)).unwrap_err();
            assert!(matches!(error, FormatError::Pattern(_)), "{pattern}: {error}");
        }
    }

    #[test]
    fn an_intelligent_mail_format_that_cannot_work_says_why() {
        let with = |change: fn(&mut FormatSpec)| {
            let mut spec = mail();
            change(&mut spec);
            Format::new(spec).unwrap_err()
        };
        assert_eq!(
            with(|it| it.check = Check::Mod97),
            FormatError::CheckWithoutGroup(Check::Mod97)
        );
        assert_eq!(with(|it| it.mailer_ids.clear()), FormatError::NoMailerId);
        for odd in ["", "12345", "912345", "123456789", "12345a", "9123456789"] {
            let spec = FormatSpec { mailer_ids: vec![odd.into()], ..mail() };
            assert_eq!(Format::new(spec).unwrap_err(), FormatError::MailerId(odd.into()));
        }
        assert_eq!(
            with(|it| {
                it.return_service_types.clear();
                it.outbound_service_types.clear();
            }),
            FormatError::NoServiceType
        );
        assert_eq!(
            with(|it| it.outbound_service_types.push("71".into())),
            FormatError::ServiceType("71".into())
        );
        assert_eq!(
            with(|it| it.outbound_service_types.push("777".into())),
            FormatError::BothDirections("777".into())
        );
    }

    #[test]
    fn symbology_pattern_check_and_election_must_all_hold() {
        let county_names = || names("county", CodeKind::Ballot, "000000017", Direction::Return);
        assert_eq!(reading(county(), b"2026110000000177"), county_names());
        assert_eq!(
            reading(county(), b"2026110000000175"),
            Reading::Unreadable(Unreadable::CheckFailed("county".into()))
        );
        assert_eq!(reading(county(), b"2024110000000179"), Reading::WrongElection("county".into()));
        for other in
            ["2026110000000177\n", " 2026110000000177", "202611000000017", "A026110000000174"]
        {
            assert_eq!(reading(county(), other.as_bytes()), NO_FORMAT, "{other:?}");
        }
    }

    #[test]
    fn a_format_looks_at_its_symbologies_only() {
        let format = Format::new(plain(r"(?<ballot>\d+)", CodeKind::Ballot)).unwrap();
        let reads = |symbology| {
            let symbol = Symbol { symbology, ..Symbol::untold(b"17") };
            format.read(&symbol, None) != NO_FORMAT
        };
        assert!(reads(Named::Untold));
        assert!(reads(Named::One(Symbology::Code128)));
        assert!(reads(Named::One(Symbology::Code39)));
        assert!(!reads(Named::One(Symbology::Qr)));
        assert!(!reads(Named::Foreign));
    }

    #[test]
    fn a_pattern_spells_the_whole_payload_whatever_its_anchors() {
        for pattern in [r"(?<ballot>\d+)|x", r"(?m)^(?<ballot>\d+)$", r"^(?<ballot>\d+)$|x"] {
            let spec = || plain(pattern, CodeKind::Ballot);
            assert_eq!(
                reading(spec(), b"17"),
                names("county", CodeKind::Ballot, "17", Direction::Return),
                "{pattern}"
            );
            for other in [&b"17 "[..], b"a17", b"17\n", b"17\n18", b"17\0"] {
                assert_eq!(reading(spec(), other), NO_FORMAT, "{pattern} {other:?}");
            }
        }
    }

    #[test]
    fn digits_are_ascii() {
        let spec = || plain(r"(?<ballot>\d{2})", CodeKind::Ballot);
        assert_eq!(
            reading(spec(), b"17"),
            names("county", CodeKind::Ballot, "17", Direction::Return)
        );
        // Arabic-Indic and full-width.
        for other in ["\u{661}\u{667}", "\u{ff11}\u{ff17}", "\u{661}"] {
            assert_eq!(reading(spec(), other.as_bytes()), NO_FORMAT, "{other}");
        }
    }

    #[test]
    fn a_capture_that_is_no_id_names_nothing() {
        let no_id = Reading::Unreadable(Unreadable::NoId("county".into()));
        for payload in [&b"x"[..], b"x17 18", b"x\xff", b"x\0", "x\u{661}".as_bytes(), &[b'x'; 66]]
        {
            let spec = plain(r"x(?<ballot>(?s:.)*)", CodeKind::Ballot);
            assert_eq!(reading(spec, payload), no_id, "{payload:?}");
        }
        assert_eq!(reading(plain(r"x(?<ballot>\d+)?", CodeKind::Ballot), b"x"), no_id);
    }

    #[test]
    fn a_check_covers_all_that_stands_before_it() {
        // A prefix outside the alphabet of the check is covered too, so it never holds.
        let spec = |pattern: &str| FormatSpec { pattern: Some(pattern.into()), ..county() };
        let failed = Reading::Unreadable(Unreadable::CheckFailed("county".into()));
        assert_eq!(reading(spec(r"B?(?<ballot>\d+)(?<check>\d)"), b"B79927398713"), failed);
        assert_eq!(
            reading(spec(r"B?(?<ballot>\d+)(?<check>\d)"), b"79927398713"),
            names("county", CodeKind::Ballot, "7992739871", Direction::Return)
        );
        // The check may be part of the id.
        assert_eq!(
            reading(spec(r"(?<ballot>\d+(?<check>\d))"), b"79927398713"),
            names("county", CodeKind::Ballot, "79927398713", Direction::Return)
        );
        // An optional check that is not there does not hold, nor one over nothing.
        assert_eq!(reading(spec(r"(?<ballot>\d{10})(?<check>\d)?"), b"7992739871"), failed);
        assert_eq!(reading(spec(r"(?<ballot>\d*)(?<check>\d)"), b"0"), failed);
    }

    #[test]
    fn an_envelope_that_must_say_its_election_and_does_not_is_of_none() {
        let spec = || plain(r"(?:(?<election>\d{6})-)?(?<ballot>\d+)", CodeKind::Ballot);
        let wrong = Reading::WrongElection("county".into());
        assert_eq!(
            reading(spec(), b"202611-17"),
            names("county", CodeKind::Ballot, "17", Direction::Return)
        );
        assert_eq!(reading(spec(), b"202411-17"), wrong);
        assert_eq!(reading(spec(), b"17"), wrong);
        let format = Format::new(spec()).unwrap();
        for payload in [&b"17"[..], b"202611-17"] {
            assert_eq!(format.read(&Symbol::untold(payload), None), wrong);
        }
    }

    #[test]
    fn the_capture_has_the_name_of_its_kind_or_is_the_ballot() {
        for (kind, group) in [
            (CodeKind::Ballot, "ballot"),
            (CodeKind::Voter, "voter"),
            (CodeKind::Voter, "ballot"),
            (CodeKind::Imb, "imb"),
            (CodeKind::Imb, "ballot"),
        ] {
            let spec = plain(&format!(r"V(?<{group}>\d+)"), kind.clone());
            assert_eq!(reading(spec, b"V17"), names("county", kind, "17", Direction::Return));
        }
    }

    #[test]
    fn intelligent_mail_names_its_mailer_and_serial() {
        for (payload, code, direction) in [
            ("0077790123456700000180301", "901234567000001", Direction::Return),
            ("00777123456000000001803012200", "123456000000001", Direction::Return),
            ("0071590123456700000180301123401", "901234567000001", Direction::Outbound),
            ("00780901234567000002", "901234567000002", Direction::Return),
        ] {
            let expected = names("return-imb", CodeKind::Imb, code, direction);
            assert_eq!(reading(mail(), payload.as_bytes()), expected, "{payload}");
            let symbol = Symbol {
                symbology: Named::One(Symbology::Imb),
                payload: Payload(payload.into()),
                ..Symbol::untold(payload.as_bytes())
            };
            assert_eq!(Format::new(mail()).unwrap().read(&symbol, None), expected, "{payload}");
        }
    }

    #[test]
    fn other_mail_is_not_ballot_mail() {
        let other = Reading::Unreadable(Unreadable::NotBallotMail("return-imb".into()));
        for payload in [
            "00070901234567000001", // courtesy reply
            "00777901234568000001", // another mailer
            "00777123457000000001",
            "01234567094987654321",
        ] {
            assert_eq!(reading(mail(), payload.as_bytes()), other, "{payload}");
        }
    }

    #[test]
    fn digits_that_no_intelligent_mail_bar_code_has_do_not_match() {
        for payload in [
            "",
            "0077790123456700000",
            "007779012345670000011",
            "05777901234567000001",
            "0077790123456700000A",
            "0077790123456700000\u{661}",
            "53055494689272602879\n",
        ] {
            assert_eq!(reading(mail(), payload.as_bytes()), NO_FORMAT, "{payload:?}");
        }
        assert_eq!(reading(mail(), b"0077790123456700000\xff"), NO_FORMAT);
    }
}
