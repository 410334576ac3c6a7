//! `ballot-relay stand-in`: the provider that stands in, as a process of its own.

use super::{Failure, say};
use crate::clock::SystemClock;
use crate::stand_in::{Options, PostBox, Settings, StandIn};
use crate::told::chain;
use clap::Args;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct StandInArguments {
    /// Where it listens: on the loopback interface.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The account.
    #[arg(long, default_value = "AC00000000000000000000000000000000")]
    account: String,
    /// A file with the account's token.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// What was accepted; read when it starts, so that it may be killed.
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Where texts that come in are posted to.
    #[arg(long, value_name = "URL")]
    inbound: Option<String>,
    /// What goes wrong, as JSON; see `/control/settings`.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

pub(super) fn run(arguments: StandInArguments) -> Result<(), Failure> {
    let StandInArguments { listen, account, token_file, log, inbound, settings } = arguments;
    let token = read(&token_file)?.trim().to_owned();
    let settings = match settings {
        Some(file) => serde_json::from_str(&read(&file)?)
            .map_err(|error| Failure::new(64, format!("{}: {error}", file.display())))?,
        None => Settings::default(),
    };
    let options = Options { account, token, log, inbound, settings };
    let runtime = super::run::runtime()?;
    runtime.block_on(async {
        let (clock, post_box) = (Arc::new(SystemClock), PostBox::default());
        let smtp = post_box.open().await.map_err(|error| Failure::new(69, chain(&error)))?;
        let stand_in = StandIn::bind(listen, options, clock, post_box);
        let stand_in = stand_in.await.map_err(|error| Failure::new(69, chain(&error)))?;
        say(&format!("listening on {}", stand_in.url()))?;
        say(&format!("mail at {smtp}"))?;
        stand_in.serve(super::run::asked_to_stop()).await;
        Ok(())
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::new(66, format!("cannot read {}: {error}", file.display())))
}
