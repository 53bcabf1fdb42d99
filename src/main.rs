//! The command-line program.

mod run;

use std::process::ExitCode;

use metrics_server_lint::cli;

#[expect(clippy::disallowed_methods, reason = "`main` is where the arguments come in")]
fn main() -> ExitCode {
    match cli::parse(std::env::args_os()) {
        Ok(options) => run::run(&options),
        Err(error) => {
            // Nothing can be said any more when the terminal is gone.
            let _ = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}
