#!/usr/bin/env bash
# Repeats the figures of snapshots in docs/benchmarks.md: starts after kill -9 and write amplification, k1m and a real etcd on the
# same disk in the same run; latency of writes while snapshots are taken. Needs the peers that `node conformance/peers.ts etcd`
# builds, and a folder on a real disk with four times the data.
#   bench/snapshots.sh [--keys N] [--folder DIR] [--rounds N] [--subjects 'fsync buffered etcd'] [--nodes 'N …'] \
#     [restart] [restart-cluster] [amplification] [amplification-new] [latency]
# A folder that has been loaded by an earlier run with as many keys, or nodes, is used again.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH=$root/node_modules/.bin:$PATH
peers=${K1M_PEERS:-$root/.peers}
keys=3000000 folder=/tmp/k1m-snapshots rounds=3 subjects='fsync buffered etcd' nodes='100000 300000'
while [[ ${1-} == --* ]]; do
  case $1 in
    --keys) keys=$2 ;;
    --folder) folder=$2 ;;
    --rounds) rounds=$2 ;;
    --subjects) subjects=$2 ;;
    --nodes) nodes=$2 ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
[[ -x $peers/etcd ]] || { echo "no etcd in $peers: run 'node conformance/peers.ts etcd' first" >&2; exit 1; }
mkdir -p "$folder"
k1m_url=http://127.0.0.1:33791 etcd_url=http://127.0.0.1:33792
pid=
trap '[[ -z $pid ]] || kill -9 "$pid" 2>/dev/null || true' EXIT

# start SERVER FOLDER [flags]: in the background; its process is $pid
start() {
  local server=$1 data=$2; shift 2
  if [[ $server == k1m ]]; then
    node "$root/bin/k1m.js" serve --data-dir "$data" --listen-client-urls $k1m_url --advertise-client-urls $k1m_url "$@" \
      >"$folder/k1m.log" 2>&1 &
  else
    "$peers/etcd" --data-dir "$data" --listen-client-urls $etcd_url --advertise-client-urls $etcd_url \
      --listen-peer-urls http://127.0.0.1:33793 --initial-advertise-peer-urls http://127.0.0.1:33793 \
      --initial-cluster default=http://127.0.0.1:33793 --quota-backend-bytes 8589934592 --log-level error "$@" \
      >"$folder/etcd.log" 2>&1 &
  fi
  pid=$!
}
url_of() { [[ $1 == k1m ]] && echo $k1m_url || echo $etcd_url; }
wait_answer() { until curl -sf "$(url_of "$1")/health" >/dev/null; do sleep 0.01; done; }
stop() { kill -9 "$pid"; wait "$pid" 2>/dev/null || true; pid=; }
bench() { node "$root/bin/k1m.js" bench "$@"; }
metric() { curl -s "$k1m_url/metrics" | awk -v name="$1" '$1 == name { print $2 }'; }

# The one that a server takes when it is idle.
wait_snapshot() { until [[ $(metric k1m_snapshot_running) == 0 && $(metric k1m_snapshot_log_bytes) -lt 1000000 ]]; do sleep 1; done; }
compact() {
  local revision=$("$peers/etcdctl" --endpoints "$1" endpoint status --write-out json | sed 's/.*"revision":\([0-9]*\).*/\1/')
  "$peers/etcdctl" --endpoints "$1" --command-timeout 60s compact --physical "$revision" >/dev/null
}

# load SERVER: a folder with all keys; of k1m also a snapshot of them, which it takes when it is idle
load() {
  local data=$folder/$1-$keys
  [[ ! -d $data ]] || return 0
  echo "loading $keys keys of 346 B into $1" >&2
  start "$1" "$data.loading"
  wait_answer "$1"
  bench get --keys "$keys" --keep --duration 1s --endpoint "$(url_of "$1")" >/dev/null
  [[ $1 != k1m ]] || wait_snapshot
  stop
  mv "$data.loading" "$data"
}

restart() {
  load k1m
  load etcd
  echo "== restart: from the start of the process to the first answer after kill -9, $keys keys, ms"
  for _ in $(seq "$rounds"); do
    for server in k1m etcd; do
      local begin=$(date +%s%N)
      start $server "$folder/$server-$keys"
      wait_answer $server
      echo "$server $((($(date +%s%N) - begin) / 1000000))"
      stop
    done
  done
}

# load_cluster N: as many nodes, each with its lease, and as many pods, of the sizes that kubelets and controllers write
load_cluster() {
  local data=$folder/cluster-$1
  [[ ! -d $data ]] || return 0
  echo "making $1 nodes, leases and pods" >&2
  start k1m "$data.loading" --snapshot-log-percent 10000
  wait_answer k1m
  node "$root/bin/k1m.js" lab nodes "$1" --renew 0 --duration 0s --endpoint $k1m_url >/dev/null
  node "$root/bin/k1m.js" lab pods "$1" --endpoint $k1m_url >/dev/null
  compact $k1m_url
  wait_snapshot
  stop
  mv "$data.loading" "$data"
}

restart_cluster() {
  local count
  for count in $nodes; do
    load_cluster "$count"
    echo "== restart-cluster: the same with $count nodes, leases and pods, ms"
    for _ in $(seq "$rounds"); do
      local begin=$(date +%s%N)
      start k1m "$folder/cluster-$count"
      wait_answer k1m
      echo "k1m $((($(date +%s%N) - begin) / 1000000)): $(metric etcd_debugging_mvcc_keys_total) keys," \
        "$(($(metric etcd_mvcc_db_total_size_in_use_in_bytes) / 1000000)) MB, resident $(($(metric process_resident_memory_bytes) / 1000000)) MB"
      stop
    done
  done
}

# written: bytes written to the block device of the folder since the machine's start, by everybody: nothing else may write. A process's own
# write_bytes count a large page of the page cache whole each time a part of it is written.
written() {
  local device=$(basename "$(df --output=source "$folder" | tail -1)")
  awk -v d="$device" '$3 == d { printf "%.0f", $10 * 512 }' /proc/diskstats
}

# age SERVER: what a server is like after hours: ten times in turn 100,000 leases renewed as fast as it goes and a compaction, as a Kubernetes API
# server makes one every five minutes. k1m then begins its segments in files that it had before, and etcd's database has its size.
age() {
  local url=$(url_of "$1")
  for _ in $(seq 10); do
    bench renew --keys 100000 --keep --duration 2s --endpoint "$url" >/dev/null
    compact "$url"
  done
}

# amplification [new]: on a folder in its steady state, or on a new one; of each of $subjects: fsync, buffered, etcd
amplification() {
  echo "== amplification, ${1:-steady}: 100,000 leases renewed at 20,000/s for 40 s; bytes written to the disk over bytes of keys and values"
  local subject server
  for subject in $subjects; do
    rm -rf "$folder/renewals"
    server=k1m
    if [[ $subject == etcd ]]; then server=etcd && start etcd "$folder/renewals"; else start k1m "$folder/renewals" --durability $subject; fi
    wait_answer $server
    bench renew --keys 100000 --keep --rate 20000 --duration 1s --endpoint "$(url_of $server)" >/dev/null
    [[ ${1-} == new ]] || age $server
    local log=0 snapshots=0
    if [[ $server == k1m ]]; then log=$(metric etcd_disk_wal_write_bytes_total); snapshots=$(metric k1m_snapshot_written_bytes_total); fi
    sync
    local before=$(written)
    local rate=$(bench renew --keys 100000 --keep --rate 20000 --duration 40s --warmup 1s --endpoint "$(url_of $server)" |
      awk '/^renew .*ms/ { print $2 }')
    sleep 1; sync
    local after=$(written)
    [[ $server != k1m ]] || echo "k1m $subject: log $((($(metric etcd_disk_wal_write_bytes_total) - log) / 1000000)) MB, snapshots" \
      "$((($(metric k1m_snapshot_written_bytes_total) - snapshots) / 1000000)) MB"
    awk -v s="$subject" -v r="$rate" -v b=$((after - before)) \
      'BEGIN { printf "%s: %.2f at %d/s (%d MB)\n", s, b / (r * 41 * 346), r, b / 1e6 }'
    stop
  done
  rm -rf "$folder/renewals"
}

latency() {
  load k1m
  echo "== latency: 1 KiB puts at 10,000/s beside $keys keys, without snapshots and with one after the other"
  for _ in $(seq "$rounds"); do
    for percent in 10000 10; do
      start k1m "$folder/k1m-$keys" --snapshot-log-percent $percent --snapshot-log-bytes 1
      wait_answer k1m
      bench put --value-bytes 1024 --rate 10000 --duration 3s --keep --endpoint $k1m_url >/dev/null
      metric k1m_event_loop_stall_seconds >/dev/null
      local put=$(bench put --value-bytes 1024 --rate 10000 --duration 12s --keep --endpoint $k1m_url | grep '^put .*ms')
      # Each scrape begins a new longest stall.
      local scrape=$(curl -s "$k1m_url/metrics")
      echo "$([[ $percent == 10 ]] && echo with || echo without): $put," \
        "$(awk '/^k1m_snapshot_running/ { print "snapshot running:", $2 } /^k1m_event_loop_stall_seconds/ { print "longest stall:", $2, "s" }' <<<"$scrape" | paste -sd,)"
      stop
    done
  done
}

[[ $# -gt 0 ]] || set -- restart amplification latency
for name in "$@"; do
  case $name in
    restart | amplification | latency) $name ;;
    amplification-new) amplification new ;;
    restart-cluster) restart_cluster ;;
    *) echo "no figure $name" >&2; exit 2 ;;
  esac
done
