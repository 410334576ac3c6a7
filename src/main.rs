//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    ballot_intake::cli::main(std::env::args_os())
}
