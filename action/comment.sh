#!/usr/bin/env bash
# Tells on the pull request what it changes, in one comment that is kept up to date.
set -euo pipefail
# shellcheck source=action/lib.sh
. "${BASH_SOURCE[0]%/*}/lib.sh"

take_token "$INPUT_GITHUB_TOKEN"
# What GitHub takes. It counts characters, of which there are never more than bytes.
LIMIT=65536

# What differs, as Markdown, in the file `text`.
compare() {
  local diff config
  config=$(trimmed "$INPUT_CONFIG")
  diff=("$PROGRAM" diff --format=markdown)
  if [ -n "$config" ]; then diff+=("--config=$config"); fi
  if is_on "$INPUT_PEDANTIC"; then diff+=(--pedantic); fi
  "${diff[@]}" -- "$BASE" "$HEAD" > "$dir/text" || die "the trees cannot be compared" \
    "See the error above. What is compared with lies in $BASE."
}

# Whether there is more than the heading, which says that nothing changes.
has_changes() { [ "$(grep -c . "$dir/text")" -gt 1 ]; }

write_body() {
  { printf '%s\n' "$MARKER" && cat "$dir/text"; } > "$dir/body"
  if [ "$(wc -c < "$dir/body")" -gt "$LIMIT" ]; then
    # Whole lines, since half a character or half a link is worse than one line less.
    head -c "$((LIMIT - 300))" "$dir/body" | sed '$d' > "$dir/whole"
    printf '\n_%s_\n' "This is cut: a comment holds 65,536 characters. \`metrics-server-lint diff\` shows all of it." >> "$dir/whole"
    mv "$dir/whole" "$dir/body"
  fi
}

# The comment that an earlier run made. Anybody may write the marker, so the author counts too: a bot,
# or whose token this is, which is nobody that GitHub tells of where the token is the job's own.
existing() {
  local ids
  OWNER=$(as_token api user --jq .login 2> /dev/null) || OWNER=''
  export OWNER
  ids=$(as_token api --paginate "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments?per_page=100" --jq \
    '.[] | select((.body // "") | startswith(env.MARKER)) | select(.user.type == "Bot" or .user.login == env.OWNER) | .id' \
    2> "$dir/error") || return 1
  printf '%s' "${ids%%[!0-9]*}"
}

write_comment() {
  local id
  id=$(existing) || return 1
  if [ -n "$id" ]; then
    as_token api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$id" \
      -F "body=@$dir/body" --silent 2> "$dir/error" || return 1
    echo "the comment $id says now what changes"
  elif has_changes; then
    as_token api --method POST "repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments" \
      -F "body=@$dir/body" --silent 2> "$dir/error" || return 1
    echo "a comment says what changes"
  else
    echo "nothing changes, and no comment says otherwise"
  fi
}

# What cannot be told on the pull request is told in the summary of the step.
summarize() {
  cat "$dir/text" >> "$GITHUB_STEP_SUMMARY"
  message warning "no comment" "$1 The summary of this run has the text."
}

dir=$(workspace)
MARKER="<!-- metrics-server-lint: $(trimmed "$INPUT_CATEGORY") -->"
export MARKER
compare
write_body
if ! command -v gh > /dev/null; then
  summarize "Comments are written with gh, which is not on the PATH of this runner."
elif ! write_comment; then
  summarize "GitHub refuses it: $(cat "$dir/error") A job needs \`permissions: pull-requests: write\`, which the pull request of a fork never has."
fi
