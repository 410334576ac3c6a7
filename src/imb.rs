//! The Intelligent Mail bar code (USPS-B-3200): digits to bars and back, the one code that doubtful bars can be, and the fields
//! of the 20 to 31 digits.
//!
//! - [`encode`] and [`decode`]: digits and 65 [`Bar`]s. [`decode_either_way`] sees when they are upside down.
//! - [`solve`]: bars of which some marks are in doubt, one is missing, or one is too many. It never guesses.
//! - [`fields`]: what the digits say, as hand imagers send them, too.
//!
//! It allocates nothing, and knows of nothing else here.

mod bars;
mod codec;
mod solve;
mod tables;

pub use bars::{BARS, Bar, Bars, Turn, bars_of_letters, turned};
pub use codec::{DIGITS_MAX, DecodeError, Digits, EncodeError, decode, decode_either_way, encode};
pub use solve::{
    Count, DOUBTFUL_MAX, DOUBTFUL_MAX_OF_64, DOUBTFUL_MAX_OF_66, HalfBars, Mark, Solution, Solved,
    agrees, solve,
};

/// Why digits are no Intelligent Mail bar code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ImbError {
    /// Something other than an ASCII digit.
    #[error("it holds something other than digits")]
    NotDigits,
    /// Tracking code of 20 digits and a routing code of 0, 5, 9 or 11.
    #[error("it has {0} digits, not 20, 25, 29 or 31")]
    Length(usize),
    /// The second digit of the barcode identifier is 0 to 4.
    #[error("its second digit is {0}, above 4")]
    BarcodeId(char),
}

/// The digits, split into fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImbFields<'a> {
    /// 2 digits.
    pub barcode_id: &'a str,
    /// 3 digits: what mail it is.
    pub service_type: &'a str,
    /// 6 digits, or 9 when the first is a 9.
    pub mailer_id: &'a str,
    /// 9 digits, or 6 beside a mailer id of 9.
    pub serial: &'a str,
    /// Mailer id and serial together, 15 digits: what a mailer makes unique for a piece.
    pub piece: &'a str,
    /// 0, 5, 9 or 11 digits.
    pub routing: &'a str,
}

/// Splits 20, 25, 29 or 31 digits into their fields.
pub fn fields(digits: &str) -> Result<ImbFields<'_>, ImbError> {
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ImbError::NotDigits);
    }
    if !matches!(digits.len(), 20 | 25 | 29 | 31) {
        return Err(ImbError::Length(digits.len()));
    }
    let (barcode_id, rest) = digits.split_at(2);
    let (service_type, rest) = rest.split_at(3);
    let (piece, routing) = rest.split_at(15);
    if let Some(second @ '5'..='9') = barcode_id.chars().nth(1) {
        return Err(ImbError::BarcodeId(second));
    }
    let (mailer_id, serial) = piece.split_at(if piece.starts_with('9') { 9 } else { 6 });
    Ok(ImbFields { barcode_id, service_type, mailer_id, serial, piece, routing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nine_digit_mailer_starts_with_nine() {
        let nine = fields("0077790123456700000180301").unwrap();
        assert_eq!((nine.mailer_id, nine.serial, nine.routing), ("901234567", "000001", "80301"));
        assert_eq!((nine.barcode_id, nine.service_type), ("00", "777"));
        let six = fields("00777123456000000001").unwrap();
        assert_eq!((six.mailer_id, six.serial, six.routing), ("123456", "000000001", ""));
        assert_eq!(six.piece, "123456000000001");
    }

    #[test]
    fn what_is_none_says_why() {
        assert_eq!(fields("0077712345600000000"), Err(ImbError::Length(19)));
        assert_eq!(fields("007771234560000000012"), Err(ImbError::Length(21)));
        assert_eq!(fields("05777123456000000001"), Err(ImbError::BarcodeId('5')));
        assert_eq!(fields("0077712345600000000\u{0661}"), Err(ImbError::NotDigits));
    }
}
