#!/usr/bin/env bash
# Mutants are in the test program that picks them, and in nothing else.
#
#   tests/sim/has_no_mutants.sh MUSTER MUSTER-SIM MUTANTS-TEST
set -euo pipefail
symbol=active_mutant
for program in "$1" "$2"; do
  if [[ ! -f $program ]]; then
    echo "$program is not there"
    exit 1
  fi
  if grep -qF "$symbol" "$program"; then
    echo "$program has mutants ($symbol)"
    exit 1
  fi
done
# What is looked for can be found.
grep -qF "$symbol" "$3" || { echo "$3 has no mutants"; exit 1; }
