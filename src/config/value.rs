//! What single values of a configuration may be: durations, names, addresses, paths and where a secret lies.

use super::SecretSource;
use super::read::{Misfit, hint};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Longest name of a facility or a station, in characters.
const NAME_CHARACTERS_MAX: usize = 32;
/// Longest name of a scanner or an envelope format, in characters.
const LABEL_CHARACTERS_MAX: usize = 64;
/// Longest address of the relay, in characters.
const URL_CHARACTERS_MAX: usize = 2_048;
/// How a secret begins in Standard Webhooks; it has no place in a configuration, nor in a message about one.
const SECRET_PREFIX: &str = "whsec_";

/// A name that stands in addresses, events and file names: 1 to 32 of `A-Z a-z 0-9 . _ -`.
pub(super) fn name(text: &str) -> Result<String, Misfit> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty()
        || text.len() > NAME_CHARACTERS_MAX
        || !text.chars().all(is_plain)
        || text.chars().all(|c| c == '.')
    {
        return Err(Misfit::new(format!(
            "not a name of 1 to {NAME_CHARACTERS_MAX} letters, digits, dots, hyphens and underscores"
        )));
    }
    Ok(text.to_owned())
}

/// What a scanner or an envelope format is called: 1 to 64 visible ASCII characters.
pub(super) fn label(text: &str) -> Result<String, Misfit> {
    let is_visible = text.chars().all(|c| c.is_ascii_graphic());
    if text.is_empty() || text.len() > LABEL_CHARACTERS_MAX || !is_visible {
        return Err(Misfit::new(format!(
            "not 1 to {LABEL_CHARACTERS_MAX} visible ASCII characters without a space"
        )));
    }
    Ok(text.to_owned())
}

/// One of a closed list of names.
pub(super) fn one_of<T>(
    text: &str,
    known: &[&str],
    from_name: impl Fn(&str) -> Option<T>,
) -> Result<T, Misfit> {
    from_name(text).ok_or_else(|| {
        Misfit::new(format!("unknown name; {}", hint(text, known.iter().copied(), "one of")))
    })
}

/// A whole number and its unit, not above `max`: `500ms`, `2s`, `10m`, `1h`.
pub(super) fn duration(text: &str, max: Duration) -> Result<Duration, Misfit> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(no_duration()),
    };
    if digits.is_empty() {
        return Err(no_duration());
    }
    let too_long = || Misfit::new(format!("too long; at most {}", spoken(max)));
    let count: u64 = digits.parse().map_err(|_overflow| too_long())?;
    let duration = Duration::from_millis(count.checked_mul(unit_ms).ok_or_else(too_long)?);
    if duration > max { Err(too_long()) } else { Ok(duration) }
}

/// An absolute path: the daemon's working directory is nobody's choice.
pub(super) fn path(text: &str) -> Result<PathBuf, Misfit> {
    let path = PathBuf::from(text);
    if !path.is_absolute() || text.contains('\0') {
        return Err(Misfit::new("not an absolute path; it begins with /"));
    }
    Ok(path)
}

/// An address and a port to listen on.
pub(super) fn socket(text: &str) -> Result<SocketAddr, Misfit> {
    text.parse().map_err(|_none| {
        Misfit::new("not an IP address and a port, such as 127.0.0.1:8760 or [::1]:8760")
    })
}

/// An IP address.
pub(super) fn ip(text: &str) -> Result<IpAddr, Misfit> {
    text.parse().map_err(|_none| Misfit::new("not an IP address, such as 192.0.2.7"))
}

/// A host and a port to connect to.
pub(super) fn host_and_port(text: &str) -> Result<String, Misfit> {
    let misfit = || Misfit::new("not a host and a port, such as 192.0.2.7:51236");
    let (host, port) = text.rsplit_once(':').ok_or_else(misfit)?;
    match port.parse::<u16>() {
        Ok(port) if port > 0 && is_host(host) => Ok(text.to_owned()),
        _ => Err(misfit()),
    }
}

/// Where the relay is: `https://`, or `http://` to this machine.
pub(super) fn relay_url(text: &str) -> Result<String, Misfit> {
    let misfit = || Misfit::new("not an address such as https://relay.example.gov/events");
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>' | '#');
    if text.len() > URL_CHARACTERS_MAX || !text.chars().all(is_plain) {
        return Err(misfit());
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(misfit)?;
    let (authority, _) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Misfit::new("a name or a password has no place in it"));
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            port.parse::<u16>().map_err(|_none| misfit())?;
            host
        }
        _ => authority,
    };
    if !is_host(host) {
        return Err(misfit());
    }
    match scheme {
        "https" => Ok(text.to_owned()),
        "http" if is_loopback(host) => Ok(text.to_owned()),
        "http" => Err(Misfit::new("http only to this machine; to another, https")),
        _ => Err(misfit()),
    }
}

/// A file, or the name of a credential that systemd hands over.
pub(super) fn secret_source(text: &str) -> Result<SecretSource, Misfit> {
    if text.contains(SECRET_PREFIX) {
        return Err(Misfit::new(
            "the secret itself; put it into a file that only the service may read, and name the file",
        ));
    }
    if text.starts_with('/') {
        return path(text).map(SecretSource::Path);
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || !text.chars().all(is_plain) || text.chars().all(|c| c == '.') {
        return Err(Misfit::new(
            "neither an absolute path nor the name of a credential of the service",
        ));
    }
    Ok(SecretSource::Credential(text.to_owned()))
}

/// Whether what was written may hold a secret or a password, so that no message repeats it.
pub(super) fn is_private(written: &str) -> bool {
    written.contains(SECRET_PREFIX)
        || written.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

/// Three digits of an Intelligent Mail bar code (USPS-B-3200, section 3).
pub(super) fn service_type(text: &str) -> Result<String, Misfit> {
    if text.len() == 3 && is_digits(text) {
        return Ok(text.to_owned());
    }
    Err(Misfit::new("not a service type of 3 digits"))
}

/// 9 digits that begin with a 9, or 6 that do not (USPS-B-3200, section 3).
pub(super) fn mailer_id(text: &str) -> Result<String, Misfit> {
    let digits = if text.starts_with('9') { 9 } else { 6 };
    if text.len() == digits && is_digits(text) {
        return Ok(text.to_owned());
    }
    Err(Misfit::new("not a mailer id: 9 digits that begin with a 9, or 6 that do not"))
}

fn no_duration() -> Misfit {
    Misfit::new("not a duration: a whole number and ms, s, m or h, such as 500ms or 2s")
}

fn spoken(duration: Duration) -> String {
    match duration.as_secs() {
        secs if secs >= 3_600 && secs % 3_600 == 0 => format!("{}h", secs / 3_600),
        secs => format!("{secs}s"),
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// A host name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_number = host.chars().all(|c| c.is_ascii_digit() || c == '.');
    !host.is_empty()
        && (!is_number || host.parse::<std::net::Ipv4Addr>().is_ok())
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        let day = Duration::from_hours(24);
        for (text, ms) in
            [("0s", 0), ("500ms", 500), ("2s", 2_000), ("10m", 600_000), ("24h", 86_400_000)]
        {
            assert_eq!(duration(text, day), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "2", "2 s", "-2s", "1.5s", "2S", "2sec", "\u{0662}s", "+2s"] {
            assert_eq!(duration(text, day), Err(no_duration()), "{text}");
        }
        for text in ["25h", "86400001ms", "18446744073709551616s", "18446744073709551615h"] {
            assert_eq!(duration(text, day), Err(Misfit::new("too long; at most 24h")), "{text}");
        }
    }

    #[test]
    fn the_relay_is_reached_in_clear_only_on_this_machine() {
        for text in [
            "https://relay.example.gov/events",
            "https://relay.example.gov:8443",
            "https://192.0.2.7/x?y=1",
            "http://127.0.0.1:9000/events",
            "http://localhost/",
            "http://[::1]:9000/events",
        ] {
            assert_eq!(relay_url(text), Ok(text.to_owned()), "{text}");
        }
        for text in [
            "",
            "relay.example.gov",
            "ftp://relay.example.gov",
            "https://",
            "https:///events",
            "https://relay.example.gov:99999/",
            "https://user:word@relay.example.gov/",
            "https://relay.example.gov/ events",
            "http://relay.example.gov/",
            "http://localhost.example.gov/",
            "http://localhost\\@relay.example.gov/",
            "http://127.0.0.1@relay.example.gov/",
            "http://0.0.0.0/",
        ] {
            assert!(relay_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_has_a_port() {
        for text in ["192.0.2.7:51236", "tunnel.example.gov:1", "[2001:db8::7]:51236"] {
            assert_eq!(host_and_port(text), Ok(text.to_owned()));
        }
        for text in ["", "192.0.2.7", "192.0.2.7:0", "192.0.2.7:65536", ":51236", "a b:1", "::1:5"]
        {
            assert!(host_and_port(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_lies_in_a_file_or_a_credential() {
        assert_eq!(secret_source("/etc/x"), Ok(SecretSource::Path(PathBuf::from("/etc/x"))));
        assert_eq!(secret_source("relay"), Ok(SecretSource::Credential("relay".to_owned())));
        for text in ["", "etc/x", "../x", "..", "a b"] {
            assert!(secret_source(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_private() {
        for text in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZI", "https://me:word@relay.example.gov/"] {
            assert!(is_private(text), "{text}");
        }
        assert!(!is_private("https://relay.example.gov/events"));
        assert!(secret_source("whsec_MfKQ9r8GKYqrTwjUPD8ILPZI").is_err());
    }

    #[test]
    fn a_label_is_visible_ascii() {
        assert_eq!(label("left/2"), Ok("left/2".to_owned()));
        for text in ["", "a b", "\u{e9}", "a\u{1b}", &"x".repeat(65)] {
            assert!(label(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_fits_into_an_address() {
        for text in ["intake-1", "a", "West.Side_2"] {
            assert_eq!(name(text), Ok(text.to_owned()));
        }
        for text in ["", "a b", "a/b", "\u{e9}", "..", &"x".repeat(33)] {
            assert!(name(text).is_err(), "{text}");
        }
    }
}
