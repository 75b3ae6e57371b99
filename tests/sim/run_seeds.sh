#!/usr/bin/env bash
# Runs muster-sim over seeds that belong to the commit: a thousand that no
# other commit has run, in shards.
#
#   tests/sim/run_seeds.sh MUSTER-SIM SHARD SHARDS
#
# MUSTER_SIM_COMMIT names the commit (a hexadecimal hash); else git is asked.
set -euo pipefail
sim="$1" shard="$2" shards="$3"
count=1000
commit="${MUSTER_SIM_COMMIT:-$(git -C "$(dirname "$0")" rev-parse HEAD \
  2>/dev/null || echo 0000000)}"
first=$((1000000 + 16#${commit:0:7} * count))
from=$((first + count * shard / shards))
to=$((first + count * (shard + 1) / shards - 1))
echo "seeds of commit ${commit:0:7}: $from..$to"
exec "$sim" --seeds "$from..$to" --keep-going
