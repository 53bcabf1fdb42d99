# What a pull request must pass, as far as one Linux can tell.
ready:
    .ci/run

# The fast half of it, while working.
quick:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    cargo test

# Look at what changed in the snapshots, one by one.
review:
    cargo insta review

# The site, in target/site/book; needs mdBook.
site:
    PATH="$(.ci/tools | paste -sd: -):$PATH" site/build.py

# How long each stage takes, and the measurements that the README's figures come from.
bench:
    cargo bench --features internals --bench stages
    benches/against_ripgrep.py
    benches/overlays.py
    benches/scaling.py
    cargo test --release --lib -- --ignored time_of_all_rules --nocapture

# Licences, advisories, banned crates; needs cargo-deny.
deny:
    cargo deny check

# The findings of a test repository, as a user sees them.
scenario name="flux-platform":
    cargo run --quiet -- check --root testdata/{{name}} testdata/{{name}} || true
