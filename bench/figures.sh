#!/usr/bin/env bash
# Repeats the figures of docs/benchmarks.md: k1m and a real etcd, started fresh for each figure on the same folder (a RAM disk
# by default), under the same load in turn. Needs the peers that `node conformance/peers.ts etcd` builds.
#   bench/figures.sh [--seconds N] [--rounds N] [--folder DIR] [NAME ...]      names: see the end of this file
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH=$root/node_modules/.bin:$PATH
peers=${K1M_PEERS:-$root/.peers}
seconds=5 rounds=3 folder=/dev/shm
while [[ ${1-} == --* ]]; do
  case $1 in
    --seconds) seconds=$2 ;;
    --rounds) rounds=$2 ;;
    --folder) folder=$2 ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
[[ -x $peers/etcd ]] || { echo "no etcd in $peers: run 'node conformance/peers.ts etcd' first" >&2; exit 1; }
work=$(mktemp -d "$folder/k1m-figures-XXXXXX")
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
}
trap 'stop; rm -rf "$work"' EXIT

wait_healthy() { for _ in $(seq 200); do curl -sf "$1/health" >/dev/null && return; sleep 0.1; done; cat "$work"/*.log >&2; echo "$1 did not start" >&2; exit 1; }

# start_both [k1m flags]: fresh data, k1m on 33791, etcd on 33792
start_both() {
  rm -rf "$work"/*
  "$root/bin/k1m.js" serve --data-dir "$work/k1m" --listen-client-urls http://127.0.0.1:33791 \
    --advertise-client-urls http://127.0.0.1:33791 --log-level warn "$@" >"$work/k1m.log" 2>&1 &
  pids+=($!)
  "$peers/etcd" --data-dir "$work/etcd" --listen-client-urls http://127.0.0.1:33792 --advertise-client-urls http://127.0.0.1:33792 \
    --listen-peer-urls http://127.0.0.1:33793 --initial-advertise-peer-urls http://127.0.0.1:33793 \
    --initial-cluster default=http://127.0.0.1:33793 --quota-backend-bytes 8589934592 --log-level error >"$work/etcd.log" 2>&1 &
  pids+=($!)
  wait_healthy http://127.0.0.1:33791
  wait_healthy http://127.0.0.1:33792
}

# start_two_classes: k1m twice, buffered on 33791 and fsync on 33792
start_two_classes() {
  rm -rf "$work"/*
  local class port
  for class in fsync:33791 buffered:33792; do
    port=${class#*:}
    "$root/bin/k1m.js" serve --data-dir "$work/$port" --listen-client-urls "http://127.0.0.1:$port" \
      --advertise-client-urls "http://127.0.0.1:$port" --log-level warn --durability "${class%:*}" >"$work/$port.log" 2>&1 &
    pids+=($!)
    wait_healthy "http://127.0.0.1:$port"
  done
}

both() { # name, bench arguments
  local name=$1; shift
  echo "== $name: k1m bench $*"
  start_both
  "$root/bin/k1m.js" bench "$@" --endpoint http://127.0.0.1:33791 --against http://127.0.0.1:33792 \
    --duration "${seconds}s" --rounds "$rounds" | sed -n '/^medians/,$p'
  stop
}

# large CLASS: 3 million leases under keys of 46 bytes; the closed loop, half of its rate, and half of its rate while all history is compacted.
# An open loop may have 2,000 in flight: with 500, 2 ms of such a rate, the generator would hold back what is due.
large() {
  local class=$1 port=33791 rate
  local load="bench renew --prefix /k1 --keys 3000000 --connections 10 --keep --endpoint http://127.0.0.1:$port"
  echo "== large, $class: k1m $load"
  rm -rf "${work:?}"/*
  "$root/bin/k1m.js" serve --data-dir "$work/k1m" --listen-client-urls "http://127.0.0.1:$port" \
    --advertise-client-urls "http://127.0.0.1:$port" --log-level warn --durability "$class" >"$work/k1m.log" 2>&1 &
  pids+=($!)
  wait_healthy "http://127.0.0.1:$port"
  stalls() { curl -sf "http://127.0.0.1:$port/metrics" | awk '/^k1m_event_loop_stall_seconds/{print "longest stall, ms " $2 * 1000}'; }
  "$root/bin/k1m.js" $load --in-flight 50 --duration "${seconds}s" 2>/dev/null | tee "$work/peak" | sed -n '3,$p'
  rate=$(awk '/^renew +[0-9]/{print int($2 / 2)}' "$work/peak")
  stalls >/dev/null
  echo "-- $rate/s"
  "$root/bin/k1m.js" $load --in-flight 200 --duration "$((seconds * 3))s" --rate "$rate" 2>/dev/null | sed -n '3,$p'
  stalls
  echo "-- $rate/s, and a compaction"
  "$root/bin/k1m.js" $load --in-flight 200 --duration "$((seconds * 3))s" --rate "$rate" 2>/dev/null >"$work/during" &
  local bench=$!
  # Behind the keys' creation: when renewals have come for two seconds.
  local until=$(($(txns "$port") + 3000000 / 100 + rate * 2))
  while [[ $(txns "$port") -lt $until ]]; do sleep 0.2; done
  "$peers/etcdctl" --endpoints "http://127.0.0.1:$port" --command-timeout 60s compact --physical "$(revision "$port")"
  wait "$bench"
  sed -n '3,$p' "$work/during"
  stalls
  # What was not needed any more is let go of when nothing has changed for a second or two.
  sleep 5
  curl -sf "http://127.0.0.1:$port/metrics" | awk '/^etcd_mvcc_db_total_size_in_use_in_bytes|^process_resident_memory_bytes/{print $1, $2 / 1e6, "MB"}'
  stop
}
revision() { curl -sf "http://127.0.0.1:$1/metrics" | awk '/^etcd_debugging_mvcc_current_revision/{printf "%d", $2}'; }
txns() { curl -sf "http://127.0.0.1:$1/metrics" | awk '/^etcd_mvcc_txn_total/{printf "%d", $2}'; }

figure() {
  case $1 in
    large-fsync) large fsync ;;
    large-buffered) large buffered ;;
    renew) both renew renew --keys 100000 --connections 10 --in-flight 50 ;;
    renew-20k) both renew-20k renew --keys 100000 --connections 10 --in-flight 50 --rate 20000 ;;
    renew-70x4) both renew-70x4 renew --keys 100000 --connections 70 --in-flight 4 ;;
    put-1k) both put-1k put --value-bytes 1024 --keys 10000 --connections 10 --in-flight 50 ;;
    put-100x1) both put-100x1 put --value-bytes 1024 --keys 10000 --connections 100 --in-flight 1 ;;
    get) both get get --keys 10000 --connections 10 --in-flight 50 ;;
    list) both list list --keys 100000 --limit 10000 --connections 1 --in-flight 1 ;;
    count) both count count --keys 100000 --connections 1 --in-flight 1 ;;
    watch) both watch watch --keys 100000 --watchers 3 --rate 17000 --connections 10 ;;
    classes)
      for load in "renew --keys 100000" "put --value-bytes 1024 --keys 10000"; do
        echo "== classes: fsync (first) against buffered, 1,000 in flight: k1m bench $load"
        start_two_classes
        "$root/bin/k1m.js" bench $load --connections 20 --in-flight 50 --endpoint http://127.0.0.1:33791 \
          --against http://127.0.0.1:33792 --duration "${seconds}s" --rounds "$rounds" | sed -n '/^medians/,$p'
        stop
      done
      ;;
    *) echo "no figure $1" >&2; exit 2 ;;
  esac
}
all=(renew renew-20k renew-70x4 put-1k put-100x1 get list count watch classes large-buffered large-fsync)
[[ $# -gt 0 ]] || set -- "${all[@]}"
for name in "$@"; do figure "$name"; done
