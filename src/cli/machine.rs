//! What `run` needs on this machine beside a configuration without faults: `check-config` looks at it as it is now.

use super::place::Place;
use crate::config::{Config, SecretSource, Tls};
use crate::event::chain;
use crate::forward::{can_show, shown};
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Longest secret file that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 1_024;

/// The permission that everybody has to read a file.
const READ_BY_OTHERS: u32 = 0o004;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Machine {
    /// What `run`, or what it is configured to do, would fail on.
    pub(super) faults: Vec<String>,
    /// What somebody should know.
    pub(super) notes: Vec<String>,
}

impl Machine {
    /// Looks.
    pub(super) fn look(place: &Place, config: &Config) -> Self {
        let mut machine = Self::default();
        for (what, is_missing) in [
            ("[election]", config.election.is_none()),
            ("[[envelope]]", config.envelopes.is_empty()),
        ] {
            if is_missing {
                machine.notes.push(format!("there is no {what}: no ballot will be marked"));
            }
        }
        if let Some(relay) = &config.relay {
            match (&relay.secret_file, &place.credentials_dir) {
                (SecretSource::Path(path), _) => machine.look_at_secret(path),
                (SecretSource::Credential(name), Some(folder)) => {
                    machine.look_at_secret(&folder.join(name));
                }
                // Only the service is handed it.
                (SecretSource::Credential(_), None) => {}
            }
            if let Some(client) = &relay.client {
                machine.look_at_certificate(client);
            }
        }
        for (key, folder) in
            [("backup_dir", &config.ledger.backup_dir), ("log_dir", &config.ledger.log_dir)]
        {
            if let Some(folder) = folder {
                machine.look_at_folder(key, folder);
            }
        }
        machine
    }

    fn look_at_secret(&mut self, path: &Path) {
        let name = format!("the relay's secret {}", path.display());
        match read(path) {
            Ok((text, permissions)) => {
                if let Err(error) = relay_wire::Secret::parse(&text) {
                    self.faults.push(format!("{name} is none: {}", chain(&error)));
                }
                if permissions.mode() & READ_BY_OTHERS != 0 {
                    self.faults.push(format!("{name} can be read by everybody: chmod 600"));
                }
            }
            Err(error) => self.unread(&name, &error),
        }
    }

    /// What is shown to the relay: a certificate and its own key.
    fn look_at_certificate(&mut self, client: &Tls) {
        let (certificate, key) = (&client.certificate_file, &client.key_file);
        let name = |path: &Path| {
            let what = if path == key { "key" } else { "certificate" };
            format!("the relay's client {what} {}", path.display())
        };
        match shown(certificate, key) {
            Ok(pem) => {
                if let Err(error) = can_show(&pem) {
                    self.faults.push(chain(&error));
                }
            }
            Err((path, error)) => return self.unread(&name(&path), &error),
        }
        if fs::metadata(key).is_ok_and(|found| found.permissions().mode() & READ_BY_OTHERS != 0) {
            self.faults.push(format!("{} can be read by everybody: chmod 600", name(key)));
        }
    }

    fn look_at_folder(&mut self, key: &str, folder: &Path) {
        let name = format!("{key} {}", folder.display());
        match fs::metadata(folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => self.faults.push(format!("{name} is no folder")),
            Err(error) => self.unread(&name, &error),
        }
    }

    /// What this user may not look at, the service's user may.
    fn unread(&mut self, name: &str, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                self.notes.push(format!("{name} cannot be looked at by this user"));
            }
            io::ErrorKind::NotFound => self.faults.push(format!("{name} is not there")),
            _ => self.faults.push(format!("{name} cannot be used: {error}")),
        }
    }
}

fn read(path: &Path) -> io::Result<(String, Permissions)> {
    let file = File::open(path)?;
    let permissions = file.metadata()?.permissions();
    let mut text = String::new();
    file.take(SECRET_BYTES_MAX).read_to_string(&mut text)?;
    Ok((text, permissions))
}
