#!/usr/bin/env bash
# install_test.sh BUILD_DIR COMPILER: installs the build into a folder of its
# own, builds the consumer against that alone, and runs it with the installed
# node.
set -euo pipefail
build="$1"
compiler="$2"
here="$(cd "$(dirname "$0")" && pwd)"
work="$(mktemp -d)"
node=
cleanup() {
  [[ -z "$node" ]] || { kill "$node" && wait "$node"; } || true
  rm -rf "$work"
}
trap cleanup EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/install.log" ||
  { cat "$work/install.log"; exit 1; }
for file in bin/muster share/muster/v1/presence.proto \
  share/muster/v1/cluster.proto share/muster/prometheus/muster.rules.yml \
  share/muster/grafana/muster.json; do
  [[ -s "$work/prefix/$file" ]] || { echo "not installed: $file"; exit 1; }
done
"$work/prefix/bin/muster" --version

cmake -G Ninja -S "$here/consumer" -B "$work/consumer" \
  -D CMAKE_CXX_COMPILER="$compiler" -D CMAKE_PREFIX_PATH="$work/prefix" \
  >"$work/configure.log" || { cat "$work/configure.log"; exit 1; }
cmake --build "$work/consumer"

"$work/prefix/bin/muster" serve --node a --listen 127.0.0.1:0 \
  >"$work/ready" 2>"$work/node.log" &
node=$!
for ((i = 0; i < 300; ++i)); do
  [[ -s "$work/ready" ]] && break
  kill -0 "$node" || { cat "$work/node.log"; exit 1; }
  sleep 0.1
done
timeout 60 "$work/consumer/consumer" "$(sed 's/.*grpc=//' "$work/ready")"
