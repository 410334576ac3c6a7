//! What `read` says of a symbol: a JSON object, or a line for people.

use std::io::{self, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::{EnvelopeOf, Output};
use crate::decode::image::{Corners, Found};
use crate::event::printable;

/// One line of the answer. The keys and their order are an interface that stays.
#[derive(Serialize)]
pub(super) struct Record<'a> {
    image: &'a str,
    symbology: Option<&'static str>,
    symbology_identifier: Option<String>,
    payload: Option<&'a str>,
    payload_base64: Option<String>,
    envelope: Option<Envelope>,
    corners: Option<Corners>,
    repaired: Option<bool>,
    ms: f64,
    orientation: Option<u16>,
}

#[derive(Serialize)]
struct Envelope {
    format: String,
    ballot: String,
}

impl<'a> Record<'a> {
    /// Writes its line.
    pub(super) fn write(&self, output: Output, out: &mut dyn Write) -> io::Result<()> {
        match output {
            Output::Json => {
                serde_json::to_writer(&mut *out, self)?;
                writeln!(out)
            }
            Output::Text => writeln!(out, "{}", text(self)),
        }
    }

    /// Of a picture without a symbol.
    pub(super) fn nothing(image: &'a str, took: Duration) -> Self {
        Self {
            image,
            symbology: None,
            symbology_identifier: None,
            payload: None,
            payload_base64: None,
            envelope: None,
            corners: None,
            repaired: None,
            ms: (took.as_secs_f64() * 1e6).round() / 1e3,
            orientation: None,
        }
    }

    /// Of a symbol.
    pub(super) fn of(
        image: &'a str,
        took: Duration,
        found: &'a Found,
        envelope: &EnvelopeOf<'_>,
    ) -> Self {
        let symbol = &found.symbol;
        let bytes = &symbol.payload.0;
        let text = std::str::from_utf8(bytes).ok();
        Self {
            symbology: Some(symbol.symbology.name()),
            symbology_identifier: symbol.identifier.map(|identifier| identifier.to_string()),
            payload: text,
            payload_base64: text.is_none().then(|| STANDARD.encode(bytes)),
            envelope: envelope(symbol).map(|(format, ballot)| Envelope { format, ballot }),
            corners: Some(found.corners),
            repaired: Some(symbol.repaired),
            orientation: Some(orientation(&found.corners)),
            ..Self::nothing(image, took)
        }
    }
}

/// The way in which the symbol reads, in whole degrees from the picture's x axis, clockwise: 0 to 359.
fn orientation([from, to, ..]: &Corners) -> u16 {
    let degrees = (to[1] - from[1]).atan2(to[0] - from[0]).to_degrees().round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 360 after the remainder, and no number at all becomes 0"
    )]
    let whole = degrees.rem_euclid(360.0) as u16;
    whole % 360
}

/// `envelope.png: code128 ]C0 "2026110000000011", county ballot 000000001, 12.3 ms`.
fn text(record: &Record<'_>) -> String {
    let image = printable(record.image);
    let Some(symbology) = record.symbology else {
        return format!("{image}: no symbol, {:.1} ms", record.ms);
    };
    let identifier = record.symbology_identifier.as_deref().unwrap_or("no identifier");
    let payload = match (record.payload, &record.payload_base64) {
        (Some(payload), _) => format!("\"{}\"", printable(payload)),
        (None, base64) => format!("base64 {}", printable(base64.as_deref().unwrap_or_default())),
    };
    let envelope = record.envelope.as_ref().map_or_else(
        || "no envelope format".to_owned(),
        |envelope| {
            format!("{} ballot {}", printable(&envelope.format), printable(&envelope.ballot))
        },
    );
    format!("{image}: {symbology} {identifier} {payload}, {envelope}, {:.1} ms", record.ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Named, Symbol, Symbology};

    #[test]
    fn the_keys_stand_in_their_order() {
        let record = Record::nothing("a", Duration::from_micros(12_345));
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"image":"a","symbology":null,"symbology_identifier":null,"payload":null,"#
                .to_owned()
                + r#""payload_base64":null,"envelope":null,"corners":null,"repaired":null,"#
                + r#""ms":12.345,"orientation":null}"#
        );
    }

    #[test]
    fn bytes_that_are_no_text_come_as_base64() {
        let mut symbol = Symbol::untold(&[0xff, 0x00]);
        symbol.symbology = Named::One(Symbology::Qr);
        let found = Found { symbol, corners: [[0.0; 2]; 4] };
        let record = Record::of("a", Duration::ZERO, &found, &|_symbol| None);
        assert_eq!((record.payload, record.payload_base64.as_deref()), (None, Some("/wA=")));
    }

    #[test]
    fn degrees_run_clockwise_from_the_picture_s_right() {
        let cases = [
            ([9.0, 0.0], 0),
            ([9.0, 9.0], 45),
            ([0.0, 9.0], 90),
            ([-9.0, 0.0], 180),
            ([0.0, -9.0], 270),
            ([9.0, -0.01], 0),
            ([9.0, -0.1], 359),
            ([f32::NAN, 0.0], 0),
        ];
        for (to, degrees) in cases {
            let corners = [[5.0, 5.0], [5.0 + to[0], 5.0 + to[1]], [0.0; 2], [0.0; 2]];
            assert_eq!(orientation(&corners), degrees, "{to:?}");
        }
    }
}
