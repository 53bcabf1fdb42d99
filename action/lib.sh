#!/usr/bin/env bash
# What the scripts of the action share. All of it runs in the bash 3.2 of macOS, which has neither
# `mapfile` nor `${x,,}` and to which an empty array is undefined, and in the one that Git brings
# to Windows.

# What `cd` prints would become part of a value.
unset CDPATH

# What is passed to a program of Windows stays as it is, also where it looks like a path of Unix.
export MSYS_NO_PATHCONV=1 MSYS2_ARG_CONV_EXCL='*'

# Without what stands around it: YAML and other systems leave blanks and carriage returns.
trimmed() {
  local text="${1#"${1%%[![:space:]]*}"}"
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# As a word of ours, which people may type with capitals.
word() { printf '%s' "$1" | tr -d '[:space:]' | tr '[:upper:]' '[:lower:]'; }

# As a list of them with commas, which may stand in lines.
words() { word "$(trimmed "$1" | tr '\n' ',')"; }

# Whether a text fits a regular expression, which is a variable here: what it is when it is written out
# differs between versions of bash.
fits() { [[ "$1" =~ $2 ]]; }

is_on() { [ "$(word "$1")" = true ]; }

# Lets nothing of a text become a workflow command of its own.
escaped() {
  local text="${1//[%]/%25}"
  text="${text//$'\r'/%0D}"
  printf '%s' "${text//$'\n'/%0A}"
}

# To standard error, which the runner reads for commands too: standard output may be somebody's value.
# In a title colons and commas are part of the command.
message() {
  local title
  title=$(escaped "metrics-server-lint: $2")
  title="${title//:/%3A}"
  printf '::%s title=%s::%s\n' "$1" "${title//,/%2C}" "$(escaped "$3")" >&2
}

# 2, as the program has it where something could not be done.
die() {
  message error "$1" "$2"
  exit 2
}

# Values of several lines would be other outputs.
output() {
  case "$2" in *[$'\r\n']*) die "the output $1 has several lines" "$2" ;; esac
  printf '%s=%s\n' "$1" "$2" >> "$GITHUB_OUTPUT"
}

# Paths with slashes are understood by bash, by programs of Windows, and by later steps alike.
portable() {
  if [ "${RUNNER_OS:-}" != Windows ]; then
    printf '%s' "$1"
  elif command -v cygpath > /dev/null; then
    cygpath -m -- "$1"
  else
    printf '%s' "${1//\\//}"
  fi
}

# A new directory for one script, outside of the repository; the runner empties the place around it.
workspace() {
  local temp
  temp=$(portable "$RUNNER_TEMP")
  mkdir -p "$temp" && mktemp -d "$temp/metrics-server-lint.XXXXXX"
}

# Writes what is at the address $1 to the file $2, with the token $3 if there is one. HTTP without
# TLS is for who wrote such an address; the token is no argument, which every process could read.
# Prints the status of HTTP, and fails where there is nothing.
download() {
  local protocols='=https' header=''
  case "$1" in http://*) protocols='=http,https' ;; esac
  if [ -n "${3:-}" ]; then header="header = \"Authorization: Bearer $3\""; fi
  curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --max-time 300 \
    --proto "$protocols" --config - --write-out '%{http_code}' --output "$2" "$1" <<< "$header"
}

# Keeps the token $1 from programs that need none.
take_token() {
  TOKEN=$(trimmed "$1")
  unset INPUT_GITHUB_TOKEN
}

# The client of GitHub as the token's owner, at the server that runs the workflow.
as_token() {
  local host="${GITHUB_SERVER_URL:-https://github.com}"
  GH_HOST="${host#*://}" GH_TOKEN="$TOKEN" GH_ENTERPRISE_TOKEN="$TOKEN" NO_COLOR=1 \
    GH_PROMPT_DISABLED=1 GH_NO_UPDATE_NOTIFIER=1 gh "$@"
}
