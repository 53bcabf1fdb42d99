#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| metrics_server_lint::internals::fixes(bytes));
