//! The real daemon on a ledger of the benchmark's, with scanners that are pseudo-terminals.

use crate::ballots::{ELECTION, ballot};
use anyhow::{Context as _, bail, ensure};
use ballot_intake::scanner::line::{Line, Moved};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio_serial::{SerialPort as _, SerialStream};

/// The answer of a scan that was received (`scanners/generic-serial.toml`).
const GOOD: u8 = 0x06;

/// The daemon; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) daemon: Child,
}

/// A scanner as the daemon sees one.
#[derive(Debug)]
pub(crate) struct Scanner {
    line: Line,
    /// Held open, so that the line does not hang up before the daemon opens it.
    port: SerialStream,
}

impl Scanner {
    /// A pseudo-terminal in raw mode. Needs a runtime.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (line, port) = SerialStream::pair()?;
        Ok(Self { line: Line::Serial(line), port })
    }

    /// Sends the frames as fast as the line takes them, until so many were answered, each of them good.
    pub(crate) async fn scan(&mut self, frames: &[u8], answers: usize) -> anyhow::Result<()> {
        let mut unsent = frames;
        let mut answered = 0;
        let mut incoming = [0; 4_096];
        while answered < answers {
            match self.line.moved(&mut incoming, unsent).await? {
                Moved::Out(n) => unsent = unsent.get(n..).unwrap_or_default(),
                Moved::In(n) => {
                    let all_good = incoming.iter().take(n).all(|answer| *answer == GOOD);
                    ensure!(all_good, "a scan was not answered good");
                    answered += n;
                }
                Moved::Deaf => bail!("the daemon reads no more"),
            }
        }
        Ok(())
    }
}

impl Station {
    /// Starts the daemon in that folder and waits until it is ready.
    pub(crate) fn start(dir: &Path, scanners: &[Scanner]) -> anyhow::Result<Self> {
        let config = dir.join("config.toml");
        std::fs::write(&config, config_text(dir, scanners)?)?;
        let daemon = Command::new(env!("CARGO_BIN_EXE_ballot-intake"))
            .arg("run")
            .arg("--config")
            .arg(&config)
            .env("RUST_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()?;
        let mut station = Self { daemon };
        let output = station.daemon.stdout.take().context("the daemon has no output")?;
        let mut first = String::new();
        BufReader::new(output).read_line(&mut first)?;
        ensure!(first == "ready\n", "the daemon is not ready: {first:?}");
        Ok(station)
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

/// The frame of the envelope of ballot `number`: election, ballot, Luhn digit, carriage return.
pub(crate) fn frame(number: usize) -> String {
    let digits = format!("{ELECTION}{}", ballot(number));
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    format!("{digits}{}\r", (10 - sum % 10) % 10)
}

fn config_text(dir: &Path, scanners: &[Scanner]) -> anyhow::Result<String> {
    let dir = dir.display();
    let mut text = format!(
        r#"
[facility]
id = "county"
timezone = "America/Denver"
[station]
id = "intake-1"
page = "off"
[election]
id = "{ELECTION}"
[ledger]
path = "{dir}/ledger.sqlite"
signing_key_file = "{dir}/signing.key"
[[envelope]]
name = "county"
symbologies = ["code128"]
pattern = '^(?<election>\d{{6}})(?<ballot>\d{{9}})(?<check>\d)$'
check = "luhn"
"#
    );
    for (number, scanner) in scanners.iter().enumerate() {
        let path = scanner.port.name().context("a pseudo-terminal without a name")?;
        write!(
            text,
            "[[scanner]]\nname = \"scanner-{number}\"\nprofile = \"generic-serial\"\npath = \"{path}\"\n"
        )?;
    }
    Ok(text)
}
