# Gets the standard library of $target, and says how it is linked.
rustup target add "$target"
case $target in
*-musl)
    name=$(printf '%s' "$target" | tr 'a-z-' 'A-Z_')
    export "CARGO_TARGET_${name}_RUSTFLAGS=-Clinker=rust-lld -Clink-self-contained=yes"
    ;;
esac
