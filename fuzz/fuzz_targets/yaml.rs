#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| metrics_server_lint::internals::yaml(text));
