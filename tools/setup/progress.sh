# shellcheck shell=bash
# One line for each step of the setup that takes a second or more; everything else goes to a log.
# Sourced.

# log_steps FILE: the file that takes the output of the steps from here on.
log_steps() {
  setup_log=$1
  mkdir -p "$(dirname "$setup_log")"
}

# as_time SECONDS: "42 s" or "3 min 05 s".
as_time() {
  if (($1 < 60)); then
    printf '%d s' "$1"
  else
    printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
  fi
}

# The last "[done/total]" that ninja has written in this step, so that a long build shows how far it
# is.
ninja_progress() {
  tail -c 4000 "$setup_log" |
    awk '/^== / {last = ""} /^\[[0-9]+\/[0-9]+\]/ {last = $1} END {print last}'
}

# tick TITLE: redraws the line of the running step every second, as long as this script runs.
tick() {
  local start=$SECONDS
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    printf '\r\033[K%-52s %s %s' "$1" "$(as_time $((SECONDS - start)))" "$(ninja_progress)"
  done
}

# step TITLE COMMAND...: runs the command with its output in the log. Where it fails: the end of the
# log and where the log lies, and the script ends with status 1.
step() {
  local title=$1 start=$SECONDS status ticker=
  shift
  printf '\n== %s: %s\n' "$(date '+%F %T')" "$title" >>"$setup_log"
  if [ -t 1 ]; then
    tick "$title" &
    ticker=$!
  fi
  # Not "command || status=$?": inside such a list bash ignores set -e, in functions too.
  set +e
  (
    set -e
    "$@"
  ) >>"$setup_log" 2>&1
  status=$?
  set -e
  if [ -n "$ticker" ]; then
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    printf '\r\033[K'
  fi
  ((status == 0)) || step_failed "$title"
  ((SECONDS == start)) || printf '%-52s %s\n' "$title" "$(as_time $((SECONDS - start)))"
}

step_failed() {
  {
    printf '%s: failed. The end of %s:\n' "$1" "$setup_log"
    tail -n 20 "$setup_log" | sed 's/^/    /'
  } >&2
  exit 1
}
