#!/usr/bin/env bash
# Runs `check`: inputs become the options of their names. Nothing but our program is run.
set -euo pipefail
# shellcheck source=action/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

# One text each: what begins with a hyphen is a value too.
with() {
  local value
  value=$(trimmed "$2")
  if [ -n "$value" ]; then check+=("--$1=$value"); fi
}

options() {
  local format name since
  format=$(word "$INPUT_FORMAT")
  # Never empty: to the bash of macOS an empty array is an undefined one.
  check=("$PROGRAM" check "--format=${format:-github}")
  if is_on "$INPUT_UPLOAD_SARIF"; then check+=("--format=sarif:$sarif"); fi
  if is_on "$INPUT_PEDANTIC"; then check+=(--pedantic); fi
  if is_on "$INPUT_FAIL_ON_EMPTY"; then check+=(--fail-on-empty); fi
  with fail-on "$(word "$INPUT_FAIL_ON")"
  with root "$INPUT_ROOT"
  with config "$INPUT_CONFIG"
  with baseline "$INPUT_BASELINE"
  since=$(trimmed "$INPUT_SINCE")
  # Empty where there is no pull request, or nothing in its base.
  if [ "$since" = base ]; then since="$BASE"; fi
  with since "$since"
  with select "$(words "$INPUT_SELECT")"
  with ignore "$(words "$INPUT_IGNORE")"
  with min-severity "$(word "$INPUT_MIN_SEVERITY")"
  while IFS= read -r name; do with environment "$name"; done <<< "$INPUT_ENVIRONMENT"
}

paths() {
  local path
  check+=(--)
  while IFS= read -r path; do
    path=$(trimmed "$path")
    # With a root the default is all of it.
    if [ "$path" = . ] && [ -n "$(trimmed "$INPUT_ROOT")" ]; then continue; fi
    if [ -n "$path" ]; then check+=("$path"); fi
  done <<< "$INPUT_PATHS"
}

sarif="$(workspace)/metrics-server-lint.sarif"
options
paths
status=0
"${check[@]}" || status=$?
output exit-code "$status"
# What could not be judged has no findings, and an upload of none closes all alerts.
if [ "$status" -le 1 ] && [ -s "$sarif" ]; then output sarif-file "$sarif"; fi
exit "$status"
