#!/usr/bin/env bash
# Installs the program of a release, or takes the one that the input `program` names. Nothing is
# compiled, and nothing of the repository under review is run or read.
set -euo pipefail
# shellcheck source=action/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# The release that belongs to these files. People pin an action by hash, so its ref is no tag.
own_version() {
  local line in_package=no
  while IFS= read -r line; do
    case "$line" in
      '[package]'*) in_package=yes ;;
      '['*) in_package=no ;;
      'version = "'*)
        if [ "$in_package" = yes ]; then
          line="${line#*\"}"
          printf '%s' "${line%%\"*}"
          return
        fi
        ;;
    esac
  done < "$(portable "$GITHUB_ACTION_PATH")/Cargo.toml"
}

target_of_runner() {
  case "$RUNNER_OS/$RUNNER_ARCH" in
    Linux/X64) echo x86_64-unknown-linux-musl ;;
    Linux/ARM64) echo aarch64-unknown-linux-musl ;;
    macOS/X64) echo x86_64-apple-darwin ;;
    macOS/ARM64) echo aarch64-apple-darwin ;;
    Windows/X64) echo x86_64-pc-windows-msvc ;;
    Windows/ARM64) echo aarch64-pc-windows-msvc ;;
    *)
      die "no release for $RUNNER_OS on $RUNNER_ARCH" \
        "There are releases for Linux, macOS and Windows on X64 and ARM64. The input \`program\` takes a program that is there already."
      ;;
  esac
}

# Of what comes through standard input.
sha256() {
  local sum
  if command -v sha256sum > /dev/null; then
    sum=$(sha256sum)
  elif command -v shasum > /dev/null; then
    sum=$(shasum -a 256)
  else
    die "nothing to check a checksum with" "Neither sha256sum nor shasum is on the PATH."
  fi
  printf '%s' "${sum%%[[:space:]]*}"
}

get() {
  local status
  status=$(download "$1" "$2") && return
  case "$status" in
    404) die "there is no $2" "$1 does not exist (HTTP 404). Is $tag a release? The input \`version\` takes another one, \`releases\` another place, \`program\` a program that is there already." ;;
    *) die "$2 cannot be downloaded" "$1 (HTTP ${status:-000}): see the error of curl above. The input \`releases\` takes a mirror, \`program\` a program that is there already." ;;
  esac
}

# The checksum of the file $1, of a list as sha256sum writes it.
listed() {
  local sum name
  # The last line may have no end.
  while read -r sum name || [ -n "$sum" ]; do
    name="${name%$'\r'}"
    # An asterisk says that the file was read as bytes.
    if [ "${name#\*}" = "$1" ] && fits "$sum" '^[0-9a-f]{64}$'; then
      printf '%s' "$sum"
      return
    fi
  done < SHA256SUMS
  die "no checksum of $1" "$from/SHA256SUMS does not list it."
}

# Fails where nobody can tell; that is no failure unless it was required.
unknown_origin() {
  if [ "$attestation" = required ]; then
    die "the attestation cannot be verified" "$1; the input \`attestation\` says that it is required."
  fi
  message notice "attestation not verified" \
    "$1. The checksum is right; \`attestation: required\` makes this a failure, \`attestation: never\` silences it."
  return 1
}

# What the help of gh has tells its age better than its version, which distributions change.
can_attest() {
  local help
  if ! command -v gh > /dev/null; then
    unknown_origin "gh is not on the PATH"
  elif [ -z "$TOKEN" ]; then
    unknown_origin "gh needs a token, and the input \`github-token\` is empty"
  elif ! fits "${GITHUB_SERVER_URL:-https://github.com}" '^https://(github\.com|[^/]*\.ghe\.com)$'; then
    unknown_origin "a GitHub Enterprise Server has no attestations"
  else
    help=$(as_token attestation verify --help 2>&1) || true
    case "$help" in
      *--cert-identity*) ;;
      *) unknown_origin "this gh is too old for \`gh attestation verify --cert-identity\`, which comes with version 2.49" ;;
    esac
  fi
}

# Whether the archive $1 was built by the workflow that makes the releases of the action's repository, for the
# tag of this release: any workflow may run for whoever can push a branch.
#
# gh ends with 1 for all that is wrong and 4 without a login (`gh help exit-codes`), so what it says has to
# tell a refusal from a network that is not there. Whatever is not known counts as a refusal. Versions
# before 2.67 end with 0 where no attestation is of the right kind (cli/cli#10418), but print no result
# then.
is_attested() {
  local said status=0
  if [ "$attestation" = never ]; then return 1; fi
  can_attest || return 1
  said=$(as_token attestation verify "$1" --repo "$repository" \
    --cert-identity "${GITHUB_SERVER_URL:-https://github.com}/$repository/.github/workflows/release.yml@refs/tags/$tag" \
    --format json 2>&1 > attestation.json) || status=$?
  if [ "$status" = 0 ] && [ -s attestation.json ]; then return 0; fi
  if [ "$status" = 4 ] || fits "$said" "$unreachable"; then
    unknown_origin "gh cannot ask for it: $said"
    return 1
  fi
  die "the attestation of $1 is refused" \
    "gh does not find that release.yml of $repository built it for the tag $tag: ${said:-no attestation is of the right kind}. For releases that have none the input \`attestation\` takes \`never\`."
}
unreachable='HTTP (401|403|407|429|5[0-9][0-9])|error connecting to|dial tcp|no such host|tls: failed to verify|TUF client|tuf refresh|verifiers could be initialized|initialization may have failed|[Tt]imeout|deadline exceeded'

# Only the program, so nothing else of an archive is ever written. Names are relative: to tar a
# colon, as in `C:`, is another machine.
unpack() {
  case "$1" in
    *.tar.gz) tar -xzf "$1" "$2" ;;
    *)
      if command -v unzip > /dev/null; then
        unzip -q "$1" "$2"
      else
        "$(portable "${SYSTEMROOT:-C:\\Windows}")/System32/tar.exe" -xf "$1" "$2"
      fi
      ;;
  esac || die "$1 cannot be unpacked" "See the error above. Its checksum is right, so either that program is missing or the release is broken: $from/$1"
}

# actions/cache is not used: a few megabytes are downloaded as fast as a cache is restored, and what is in
# a cache may come from any other workflow. The tool cache of the runner is its owner's: who can write
# there can also replace gh and bash, so the checksum kept in it is against damage, not against them.
#
# Whether the program in the cache is of this release and undamaged.
is_cached() {
  local url archive sum origin
  [ -f "$cache.complete" ] && [ -f "$cache/$program" ] && [ -f "$cache/release" ] || return 1
  { read -r url && read -r archive && read -r sum && read -r origin; } < "$cache/release" || return 1
  [ "$url" = "$from" ] && [ -n "$archive" ] && [ "$sum" = "$(sha256 < "$cache/$program")" ] || return 1
  [ "$attestation" != required ] || [ "$origin" = attested ]
}

# Moves the directory $1 to its place in the cache at once, so that nobody finds half of it. Of several jobs
# that install at once the one that makes the directory of the lock does so; what the others have is as good, and
# they take it from where they work.
keep() {
  if ! mkdir "$cache.lock" 2> /dev/null; then
    mv "$1" own
    installed="$PWD/own/$program"
    return
  fi
  if is_cached; then
    rm -rf "$1"
  else
    rm -rf "$cache" "$cache.complete"
    mv "$1" "$cache"
    : > "$cache.complete"
  fi
  installed="$cache/$program"
  rm -rf "$cache.lock"
}

install() {
  local archive="$name.tar.gz" sum found origin=unknown new
  if [ "$RUNNER_OS" = Windows ]; then archive="$name.zip"; fi
  cd "$(workspace)"
  get "$from/SHA256SUMS" SHA256SUMS
  sum=$(listed "$archive")
  get "$from/$archive" "$archive"
  found=$(sha256 < "$archive")
  if [ "$found" != "$sum" ]; then
    die "wrong checksum" "$from/$archive has the SHA-256 $found, but its release lists $sum. It is not used."
  fi
  if is_attested "$archive"; then origin=attested; fi
  unpack "$archive" "$name/$program"
  new=$(mktemp -d "${cache%/*}/install.XXXXXX")
  chmod 755 "$new"
  mv "$name/$program" "$new/$program"
  chmod 755 "$new/$program"
  printf '%s\n' "$from" "$sum" "$(sha256 < "$new/$program")" "$origin" > "$new/release"
  keep "$new"
  echo "metrics-server-lint $tag: $from/$archive, SHA-256 $sum, origin $origin"
}

# A tool cache that is not there, or that only another user may write, is no reason to fail.
cache_of() {
  local dir
  for dir in "${RUNNER_TOOL_CACHE:-}" "$RUNNER_TEMP"; do
    if [ -z "$dir" ]; then continue; fi
    dir="$(portable "$dir")/metrics-server-lint/${tag#v}"
    if mkdir -p "$dir" 2> /dev/null && [ -w "$dir" ]; then
      printf '%s/%s' "$dir" "$(word "$RUNNER_ARCH")"
      return
    fi
  done
  die "no place to install to" "Neither RUNNER_TOOL_CACHE nor RUNNER_TEMP can be written to."
}

released() {
  tag=$(trimmed "$INPUT_VERSION")
  tag="${tag:-v$(own_version)}"
  if [ "$tag" = v ]; then die "no version" "The Cargo.toml beside action.yml has none; the input \`version\` takes a tag."; fi
  name="metrics-server-lint-$tag-$(target_of_runner)"
  program=metrics-server-lint
  if [ "$RUNNER_OS" = Windows ]; then program=metrics-server-lint.exe; fi
  # Empty where the action lies in the workflow's own repository.
  repository="${ACTION_REPOSITORY:-metrics-server-lint/metrics-server-lint}"
  from=$(trimmed "$INPUT_RELEASES")
  from="${from:-${GITHUB_SERVER_URL:-https://github.com}/$repository/releases/download}"
  from="${from%/}/$tag"
  attestation=$(word "$INPUT_ATTESTATION")
  cache=$(cache_of)
  if is_cached; then
    echo "metrics-server-lint $tag: from the cache, $cache"
    installed="$cache/$program"
  else
    install
  fi
}

# The version that the program says it has, which shows too that it runs here.
said_version() {
  local said
  said=$("$1" --version) || die "the program does not run" "$1 --version fails on $RUNNER_OS, $RUNNER_ARCH."
  printf '%s' "$(trimmed "${said#metrics-server-lint}")"
}

main() {
  local version given
  take_token "$INPUT_GITHUB_TOKEN"
  given=$(trimmed "$INPUT_PROGRAM")
  if [ -n "$given" ]; then
    tag=''
    installed="$(cd "$(dirname "$(portable "$given")")" && pwd)/$(basename "$(portable "$given")")"
  else
    command -v curl > /dev/null || die "curl is missing" "The action downloads a release with it; the input \`program\` takes a program that is there already."
    released
  fi
  # What does not run is not taken again.
  if ! version=$(said_version "$installed"); then
    if [ -n "$tag" ]; then rm -f "$cache.complete"; fi
    exit 2
  fi
  if [ -n "$tag" ] && [ "v$version" != "$tag" ]; then
    rm -f "$cache.complete"
    die "wrong version" "The release $tag at $from holds the version $version."
  fi
  output program "$(portable "$installed")"
  output version "$version"
}

main
