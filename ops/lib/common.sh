# Sourced by the scripts in ops/. Sets ROOT and goes there.
#
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cd "$ROOT" || exit

# Debian's python3 sees Debian's modules; another one on PATH may not.
# shellcheck disable=SC2034
PYTHON=/usr/bin/python3

say() { printf '== %s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# help_text: the comment at the head of the script.
help_text() {
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$ROOT/ops/${0##*/}"
}

# help_if_asked ARGUMENT…: the help text, and the end, if one asks for it.
help_if_asked() {
  local argument
  for argument in "$@"; do
    case "$argument" in
      -h | --help)
        help_text
        exit 0
        ;;
    esac
  done
}

# usage: of what cannot be understood.
usage() {
  help_text >&2
  exit 2
}

# logged NAME COMMAND…: runs the command. On a terminal it is seen; elsewhere
# its output goes to build/log/NAME.log, a line of it is shown every half
# minute, and its end if it fails.
logged() {
  local name="$1" log status=0 started=$SECONDS
  shift
  if [[ -t 1 && -z "${CI:-}" ]]; then
    "$@"
    return
  fi
  log="build/log/$name.log"
  mkdir -p build/log
  "$@" >"$log" 2>&1 &
  local pid=$! next=$((SECONDS + 30))
  while kill -0 "$pid" 2>/dev/null; do
    if ((SECONDS >= next)); then
      printf '   %s, %d s: %s\n' "$name" $((SECONDS - started)) \
        "$(tail -n 1 "$log" | tr -d '\r' | cut -c1-70)"
      next=$((SECONDS + 30))
    fi
    sleep 0.2
  done
  wait "$pid" || status=$?
  if ((status != 0)); then
    printf '== %s failed (%s); the end of %s:\n' "$name" "$status" "$log"
    tail -n 60 "$log"
    return "$status"
  fi
  printf '   %s: done in %d s\n' "$name" $((SECONDS - started))
}

# configure PRESET: prepares build/PRESET. In CI, which builds everything and
# edits nothing, ci has fewer and larger units (preset ci-whole).
configure() {
  local preset="$1"
  if [[ "$preset" == ci && -n "${CI:-}" ]]; then preset=ci-whole; fi
  logged "configure-$1" cmake --preset "$preset"
}

# build PRESET [TARGET…]
build() {
  local preset="$1"
  shift
  logged "build-$preset" cmake --build "build/$preset" -j "$(nproc)" \
    ${1:+--target "$@"}
}
