#!/usr/bin/env bash
# What muster-judge prints and returns, for good, bad and malformed histories.
#   judge_test.sh PROGRAM
set -euo pipefail
judge="$1"
said="" code=0

# judge_it TEXT: its output and its exit code.
judge_it() {
  code=0
  said="$(printf '%s\n' "$1" | "$judge" - 2>&1)" || code=$?
}

# expect CODE WORDS
expect() {
  if [[ "$code" != "$1" || "$said" != *"$2"* ]]; then
    printf 'expected %s and "%s", but %s: %s\n' "$1" "$2" "$code" "$said" >&2
    exit 1
  fi
}

judge_it $'1 10 20 SET k a => +OK\n2 30 40 GET k => $a'
expect 0 "OK (2 operations)"
judge_it $'1 10 20 RPUSH q a => :1\n2 30 40 LPOP q => $a\n3 30 50 LPOP q => $a'
expect 1 $'no order of these explains the last answer\n1 10 20 RPUSH q a => :1'
judge_it "1 10 20 FLY k => +OK"
expect 2 "line 1: a command that the judge does not know"
said="$("$judge" /nowhere/none 2>&1)" && code=0 || code=$?
expect 2 "cannot be read"
said="$("$judge" 2>&1)" && code=0 || code=$?
expect 2 "muster-judge FILE"
said="$("$judge" --help)" && code=0 || code=$?
expect 0 "muster-judge FILE"
