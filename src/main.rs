//! The command-line program.

use std::{env, io, process::ExitCode};

use metrics_server_lint::{Streams, run};

/// With that of musl, which has one lock for all threads, a run takes half as long again.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::disallowed_methods, reason = "`main` is where arguments and streams come in")]
fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    run(env::args_os(), &mut Streams::standard(&mut out, &mut err)).into()
}
