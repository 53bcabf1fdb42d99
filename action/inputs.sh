#!/usr/bin/env bash
# Judges inputs before anything is downloaded, all of them at once, and says which of the later
# steps there are.
set -euo pipefail
# shellcheck source=action/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

wrong=0

reject() {
  message error "the input $1 is wrong" "\`$2\`: $3"
  wrong=1
}

one_of() {
  local input="$1" value allowed
  value=$(word "$2")
  shift 2
  # Empty is the default.
  for allowed in "" "$@"; do
    if [ "$value" = "$allowed" ]; then return; fi
  done
  allowed="$*"
  reject "$input" "$value" "allowed is ${allowed// /, }"
}

matches() {
  local value
  value=$(trimmed "$2")
  if [ -n "$value" ] && ! fits "$value" "$3"; then reject "$1" "$value" "allowed is $4"; fi
}

judge_words() {
  one_of format "$INPUT_FORMAT" text concise json sarif github gitlab junit rdjson markdown
  one_of fail-on "$INPUT_FAIL_ON" error warning note never
  one_of min-severity "$INPUT_MIN_SEVERITY" error warning note
  one_of attestation "$INPUT_ATTESTATION" auto required never
  one_of upload-sarif "$INPUT_UPLOAD_SARIF" true false
  one_of comment "$INPUT_COMMENT" true false
  one_of fail-on-empty "$INPUT_FAIL_ON_EMPTY" true false
  one_of pedantic "$INPUT_PEDANTIC" true false
}

# Whether a file or directory of the repository is there. What paths and patterns mean is the program's to say.
exists() {
  local value
  value=$(trimmed "$2")
  if [ -n "$value" ] && [ ! -e "$value" ]; then reject "$1" "$value" "there is no such $3"; fi
}

judge_texts() {
  local program since
  matches version "$INPUT_VERSION" '^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$' \
    "a tag of a release, such as v1.2.3"
  matches releases "$INPUT_RELEASES" '^https?://[A-Za-z0-9._-]+(:[0-9]+)?(/[A-Za-z0-9._~%+/-]*)?$' \
    "an address with https:// or http://, below which v1.2.3/SHA256SUMS lies"
  # It becomes the name of a comment, and part of one in HTML.
  matches category "$INPUT_CATEGORY" '^[A-Za-z0-9._/:@ -]+$' \
    "letters, digits, blanks and any of ._/:@-"
  # It goes into a header, and no token has anything else. What is wrong is not said: it is a secret.
  if ! fits "$(trimmed "$INPUT_GITHUB_TOKEN")" '^[A-Za-z0-9._~+/=:-]*$'; then
    reject github-token '***' "a token has no blanks and no quotes"
  fi
  exists root "$INPUT_ROOT" directory
  exists config "$INPUT_CONFIG" file
  exists baseline "$INPUT_BASELINE" file
  program=$(trimmed "$INPUT_PROGRAM")
  if [ -n "$program" ] && { [ ! -f "$program" ] || [ ! -x "$program" ]; }; then
    reject program "$program" "there is no such program"
  fi
  since=$(trimmed "$INPUT_SINCE")
  if [ -n "$since" ] && [ "$since" != base ] && [ ! -d "$since" ]; then
    reject since "$since" "there is no such directory; \`base\` is the tree that a pull request is merged into"
  fi
}

# The token of a fork's pull request can only read, whatever the workflow says, but for the event
# `pull_request_target`. A repository that is a fork itself has pull requests of its own, so what counts is where
# the branch is.
is_of_a_fork() {
  case "${GITHUB_EVENT_NAME:-}" in
    pull_request_target) return 1 ;;
    pull_request*) [ "$HEAD_REPOSITORY" != "$GITHUB_REPOSITORY" ] ;;
    *) return 1 ;;
  esac
}

plan() {
  local upload=false comment=false base=false
  if is_on "$INPUT_UPLOAD_SARIF"; then upload=true; fi
  if is_on "$INPUT_COMMENT"; then comment=true; fi
  if [ "$comment" = true ] || [ "$(trimmed "$INPUT_SINCE")" = base ]; then base=true; fi
  if [ "$upload" = true ] && is_of_a_fork; then
    upload=false
    message notice "no upload" \
      "The token of a fork's pull request cannot write to code scanning; annotations and the summary have all of it."
  fi
  if [ "$base" = true ] && [ -z "$PULL_REQUEST" ]; then
    base=false comment=false
    message notice "no base" \
      "The event ${GITHUB_EVENT_NAME:-} has no pull request: everything is reported, and there is no comment."
  fi
  output upload "$upload"
  output comment "$comment"
  output base "$base"
}

judge_words
judge_texts
if [ "$wrong" = 1 ]; then exit 2; fi
plan
