//! The command-line program.

use std::{env, io, process::ExitCode};

use metrics_server_lint::{Streams, run};

#[expect(clippy::disallowed_methods, reason = "`main` is where arguments and streams come in")]
fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    run(env::args_os(), &mut Streams::standard(&mut out, &mut err)).into()
}
