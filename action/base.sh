#!/usr/bin/env bash
# Downloads the tree that a pull request is merged into, and says which directory of it is the other
# version of the repository that is checked. Git is asked only what HEAD is: credentials may be
# gone, and a checkout would run hooks and filters.
set -euo pipefail
# shellcheck source=action/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

take_token "$INPUT_GITHUB_TOKEN"

# The nearest directory around $1, or itself, in which one of the names after it is.
around() {
  local dir="$1" name
  shift
  while :; do
    for name in "$@"; do
      if [ -e "$dir/$name" ]; then
        printf '%s' "$dir"
        return
      fi
    done
    case "$dir" in
      */*) dir="${dir%/*}" ;;
      *) return 1 ;;
    esac
  done
}

# The root of the check, as the program finds it: what is named, else what is around the first path.
root_of_check() {
  local path dir
  dir=$(trimmed "$INPUT_ROOT")
  if [ -n "$dir" ]; then
    cd -- "$(portable "$dir")" && pwd -P
    return
  fi
  while IFS= read -r path; do
    path=$(trimmed "$path")
    if [ -n "$path" ]; then break; fi
  done <<< "$INPUT_PATHS"
  dir=$(portable "${path:-.}")
  # What a pull request takes away lies in what is left.
  while [ ! -d "$dir" ] && [ "$dir" != . ] && [ "$dir" != / ]; do dir=$(dirname "$dir"); done
  dir=$(cd -- "$dir" && pwd -P)
  around "$dir" .git .metrics-server-lint.yaml || printf '%s' "$dir"
}

# The directory of Git by name, so that no directory of the repository can pass for one.
git_of() { GIT_NO_LAZY_FETCH=1 git --git-dir="$(portable "$top")/.git" "$@"; }

# The parents of the commit that is checked out, in their order. Only the lines before the message count.
parents() {
  local line commit
  if ! commit=$(git_of cat-file -p HEAD 2> /dev/null); then
    as_token api "repos/$GITHUB_REPOSITORY/commits/$GITHUB_SHA" --jq '.parents[].sha' 2> /dev/null
    return
  fi
  while IFS= read -r line; do
    case "$line" in
      '') return ;;
      'parent '*) echo "${line#parent }" ;;
    esac
  done <<< "$commit"
}

# What the head is compared with.
#
# On a pull request actions/checkout takes the commit with which GitHub tries the merge. Its first
# parent is the base branch as it was then, so what differs is what the pull request brings. The event's
# `base.sha` may be another one: it is not renewed when the base branch moves or a job is run again.
#
# Who checks out the branch itself has none of what the base branch got since; compared with its
# tip, a pull request would take all of that back. Where they parted is known to the API, and not to a
# shallow clone.
base_commit() {
  local head all='' base=''
  head=$(git_of rev-parse --verify --quiet HEAD 2> /dev/null) || head="$GITHUB_SHA"
  if fits "$GITHUB_REF" '^refs/pull/[0-9]+/merge$' && [ "$head" = "$GITHUB_SHA" ]; then
    all=$(parents) || all=''
    case "$all" in *$'\n'*) base="${all%%$'\n'*}" ;; esac
  elif fits "$BASE_SHA" '^[0-9a-f]+$'; then
    base=$(as_token api "repos/$GITHUB_REPOSITORY/compare/$BASE_SHA...$head" --jq .merge_base_commit.sha 2> /dev/null) || base=''
  fi
  if ! fits "$base" '^[0-9a-f]{40,64}$'; then
    base="$BASE_SHA"
    message notice "the base is that of the event" \
      "Neither Git nor gh says what $head was made from, so $base is compared with, which may be older or newer."
  fi
  printf '%s' "$base"
}

download_base() {
  local sha url status
  sha=$(base_commit)
  url="${GITHUB_API_URL:-https://api.github.com}/repos/$GITHUB_REPOSITORY/tarball/$sha"
  cd "$(workspace)"
  status=$(download "$url" base.tar.gz "$TOKEN") || die "the base cannot be downloaded" \
    "$url (HTTP ${status:-000}): see the error of curl above. A job needs \`permissions: contents: read\`; the input \`since\` takes a directory that is there already."
  mkdir tree
  tar -xzf base.tar.gz -C tree --strip-components=1 || die "the base cannot be unpacked" \
    "See the error of tar above. On Windows links may be the cause; the input \`since\` takes a directory that is there already."
  rm base.tar.gz
  echo "the base is $sha"
  tree="$PWD/tree"
}

main() {
  local root
  command -v curl > /dev/null || die "curl is missing" "The base is downloaded with it."
  root=$(root_of_check)
  top=$(around "$root" .git) || top=$(cd "$(portable "$GITHUB_WORKSPACE")" && pwd -P)
  case "$root/" in
    "$top"/*) below="${root#"$top"}" ;;
    *) die "no base" "$root is not in $top, which is what the pull request is of." ;;
  esac
  download_base
  output head "$(portable "$root")"
  if [ -d "$tree$below" ]; then
    output directory "$(portable "$tree$below")"
  else
    message notice "the base has no ${below#/}" "Everything in it is new, and all of it is reported."
  fi
}

main
