# shellcheck shell=bash
# Says how the programs of $target are built, after getting its standard library:
#
#     $build   the command for cargo
#     $zig     what maturin is told besides
#
# Those of Linux are built with zig for C, so that one machine makes all of them: static ones with musl, and
# dynamic ones for glibc 2.17 or newer, whatever that machine has.
rustup target add "$target"
case $target in
*-linux-musl)
    build=(zigbuild --target "$target") zig=(--zig)
    # mimalloc takes all of what it reserves at once, which doubles the memory of a run.
    export "CFLAGS_${target//-/_}=-DMI_DEFAULT_ARENA_EAGER_COMMIT=0"
    ;;
*-linux-gnu) build=(zigbuild --target "$target.2.17") zig=(--zig) ;;
*) build=(build --target "$target") zig=() ;;
esac
