//! What must hold of the envelope formats for any payload; the fuzz target and the replay of its corpus share it.

use ballot_intake::ballot::{BallotId, ElectionId};
use ballot_intake::envelope::{Check, Format, FormatSpec, Formats};
use ballot_intake::scan::{CodeKind, Face, Named, Symbol, Symbology};
use std::sync::LazyLock;

static FORMATS: LazyLock<Formats> = LazyLock::new(formats);

/// What the payload says as a symbol of an untold symbology; nothing that is no id, in whatever symbology it comes.
pub(crate) fn faces(payload: &[u8]) -> Face {
    for symbology in Symbology::ALL {
        face(Named::One(symbology), payload);
    }
    let foreign = face(Named::Foreign, payload);
    assert!(matches!(foreign, Face::Unreadable(_)), "{foreign:?}");
    face(Named::Untold, payload)
}

fn face(symbology: Named, payload: &[u8]) -> Face {
    let symbol = Symbol { symbology, ..Symbol::untold(payload) };
    let face = FORMATS.face(std::slice::from_ref(&symbol));
    if let Face::Names(captures) = &face {
        assert_eq!(captures.len(), 1);
        for capture in captures {
            assert!(BallotId::new(&capture.code).is_ok(), "{capture:?}");
        }
    }
    let cut_off = Symbol { length: symbol.length + 1, ..symbol };
    assert!(matches!(FORMATS.face(&[cut_off]), Face::Unreadable(_)));
    face
}

/// One format for each check, from the most particular to a voter's id of any form.
fn formats() -> Formats {
    let election = ElectionId::new("202611").unwrap();
    let county = r"(?<election>\d{6})(?<ballot>\d{9})(?<check>\d)";
    let formats = [
        spec("luhn", county, Check::Luhn, CodeKind::Ballot),
        spec("gs1", r"02(?<ballot>\d{11})(?<check>\d)", Check::Gs1Mod10, CodeKind::Ballot),
        spec("mod11", r"(?<ballot>\d{8})(?<check>[\dX])", Check::Mod11, CodeKind::Ballot),
        spec("mod97", r"(?<ballot>[A-Z\d]{18})(?<check>\d\d)", Check::Mod97, CodeKind::Ballot),
        spec("mod37_36", r"(?<ballot>[A-Z]\w+)(?<check>\w)", Check::Mod37_36, CodeKind::Ballot),
        spec("mod43", r"\+(?<ballot>.+)(?<check>.)", Check::Mod43, CodeKind::Ballot),
        spec("voter", r"V(?<voter>(?s:.)*)", Check::None, CodeKind::Voter),
        FormatSpec {
            symbologies: vec![Symbology::Imb],
            pattern: None,
            return_service_types: vec!["777".into()],
            outbound_service_types: vec!["715".into()],
            mailer_ids: vec!["901234567".into(), "123456".into()],
            ..spec("imb", "", Check::None, CodeKind::Imb)
        },
    ];
    Formats::new(Some(&election), formats.map(|spec| Format::new(spec).unwrap()).into())
}

fn spec(name: &str, pattern: &str, check: Check, names: CodeKind) -> FormatSpec {
    FormatSpec {
        name: name.into(),
        symbologies: Symbology::ALL.into(),
        pattern: Some(pattern.into()),
        check,
        names,
        return_service_types: vec![],
        outbound_service_types: vec![],
        mailer_ids: vec![],
    }
}
