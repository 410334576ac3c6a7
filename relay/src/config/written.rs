//! The file as it is written: what may stand in it, before it is known to make sense.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) relay: Relay,
    pub(super) store: Store,
    pub(super) pages: Listener,
    pub(super) stations: Listener,
    pub(super) county: Vec<County>,
    pub(super) election: Vec<Election>,
    pub(super) station: Vec<Station>,
    pub(super) postal: Option<Postal>,
    pub(super) email: Option<Email>,
    pub(super) text: Option<Provider>,
    pub(super) voice: Option<Provider>,
    pub(super) sending: Sending,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Relay {
    pub(super) public_url: String,
    pub(super) key_file: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Store {
    pub(super) url: String,
    pub(super) url_file: Option<PathBuf>,
    pub(super) connections: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Listener {
    pub(super) listen: String,
    pub(super) certificate_file: Option<PathBuf>,
    pub(super) certificate_key_file: Option<PathBuf>,
    pub(super) client_authority_file: Option<PathBuf>,
    pub(super) proxies: Vec<std::net::IpAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct County {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) timezone: String,
    pub(super) phone: String,
    #[serde(default)]
    pub(super) languages: Vec<String>,
    pub(super) templates: Option<PathBuf>,
    pub(super) contact_from: Option<String>,
    pub(super) contact_until: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Election {
    pub(super) county: String,
    pub(super) id: String,
    pub(super) name: BTreeMap<String, String>,
    pub(super) receive_until: String,
    pub(super) cure_until: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Station {
    pub(super) county: String,
    pub(super) facility: String,
    #[serde(rename = "station")]
    pub(super) id: String,
    pub(super) secret_files: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Postal {
    pub(super) user: String,
    pub(super) password_file: PathBuf,
    #[serde(default)]
    pub(super) operations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Email {
    pub(super) server: String,
    pub(super) security: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) from: String,
    pub(super) reply_to: Option<String>,
    pub(super) return_domain: String,
    pub(super) per_second: Option<f64>,
    pub(super) at_once: Option<usize>,
    pub(super) dkim: Option<Dkim>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dkim {
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) key_file: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    pub(super) api_url: String,
    pub(super) account: String,
    pub(super) token_file: PathBuf,
    pub(super) from: String,
    pub(super) per_second: Option<f64>,
    pub(super) per_day: Option<u32>,
    pub(super) at_once: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Sending {
    pub(super) call_timeout: Option<String>,
    pub(super) settle_after: Option<String>,
    pub(super) retry_after: Option<String>,
    pub(super) retry_after_max: Option<String>,
    pub(super) ask_after: Option<String>,
    pub(super) give_up_after: Option<String>,
    pub(super) news_lasts: Option<String>,
    pub(super) per_address_hour: Option<u32>,
}
