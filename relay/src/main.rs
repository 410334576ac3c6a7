//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ballot_relay::cli::main(std::env::args_os())
}
