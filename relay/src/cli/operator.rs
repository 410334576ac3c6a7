//! `ballot-relay operator`: lets the first people of the office in; they let in the others on the page.

use super::{Failure, open, say};
use crate::office::{Newcomer, hire};
use crate::told::chain;
use crate::web::Role;
use clap::Subcommand;
use std::io::{self, BufRead as _};
use std::path::Path;

#[derive(Debug, Subcommand)]
pub(super) enum Operator {
    /// Lets somebody in; the password is the first line of standard input.
    Add {
        /// Their name.
        name: String,
        /// auditor, clerk or supervisor.
        #[arg(long, default_value = "supervisor")]
        role: String,
        /// The county whose voters they see; `*` is all of them.
        #[arg(long, default_value = "*")]
        county: String,
    },
}

pub(super) fn carry_out(operator: Operator, config: &Path) -> Result<(), Failure> {
    let Operator::Add { name, role, county } = operator;
    let Some(role) = Role::from_name(&role) else {
        return Err(Failure::new(64, "a role is auditor, clerk or supervisor"));
    };
    let mut password = String::new();
    io::stdin()
        .lock()
        .read_line(&mut password)
        .map_err(|error| Failure::new(66, error.to_string()))?;
    let relay = open(config)?;
    let newcomer = Newcomer::new(
        &relay.config,
        (&name, &county, role),
        password.trim_end_matches(['\r', '\n']),
    )
    .map_err(|error| Failure::new(64, chain(&error)))?;
    let now = relay.clock.now();
    let is_new = relay.store.write_now(move |tx| hire(tx, &newcomer, now));
    if is_new.map_err(|error| Failure::new(69, chain(&error)))? {
        say(&format!("{name} may sign in at {}/office", relay.config.public_url))
    } else {
        Err(Failure::new(1, format!("there is somebody called {name} already")))
    }
}
