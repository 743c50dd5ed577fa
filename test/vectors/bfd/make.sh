#!/usr/bin/env bash
# Makes the vectors of live exchanges: two daemons in namespaces of their own, tcpdump between them. Root needed; PREFIX names the namespaces.
set -euo pipefail
cd "$(dirname "$0")"
prefix=${PREFIX:-bfd-vectors}
work=$(mktemp -d)
children=()
cleanup() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait
  ip netns del "$prefix-a" 2>/dev/null || true
  ip netns del "$prefix-b" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
ip netns add "$prefix-a"
ip netns add "$prefix-b"
ip -n "$prefix-a" link add eth0 type veth peer name eth0 netns "$prefix-b"
for side in a b; do
  ip -n "$prefix-$side" address add "fd00::$side/64" dev eth0 nodad
  ip -n "$prefix-$side" link set eth0 up
  ip -n "$prefix-$side" link set lo up
done

bird() { # bird SIDE PEER AUTHENTICATION
  cat >"$work/$1.conf" <<CONFIG
router id 10.0.0.$((16#$1));
protocol device {}
protocol bfd { interface "eth0" { interval 100 ms; multiplier 3; $3 }; neighbor $2 dev "eth0"; }
CONFIG
  ip netns exec "$prefix-$1" bird -f -c "$work/$1.conf" -s "$work/$1.ctl" &
  children+=($!)
}

record() { # record NAME PACKETS: captures until there are so many, and stops the daemons
  timeout 20 ip netns exec "$prefix-b" tcpdump -q -U -c "$2" -i eth0 -w "$work/$1.pcap" udp port 3784 2>/dev/null || true
  for child in "${children[@]}"; do kill "$child" || true; done
  wait
  children=()
  ./read.sh "$work/$1.pcap" >"$1.tsv"
}

for type in "simple" "keyed md5" "meticulous keyed md5" "keyed sha1" "meticulous keyed sha1"; do
  authentication="authentication $type; password \"secret\" { id 7; };"
  bird a fd00::b "$authentication"
  bird b fd00::a "$authentication"
  record "bird-${type// /-}" 14
done

printf 'bfd\n peer fd00::b interface eth0\n  receive-interval 100\n  transmit-interval 100\n' >"$work/frr.conf"
ip netns exec "$prefix-a" /usr/lib/frr/zebra -f /dev/null -i "$work/zebra.pid" --vty_socket "$work" -u root -g frrvty -P 0 -z "$work/zserv" &
children+=($!)
until [ -S "$work/zserv" ]; do sleep 0.1; done
ip netns exec "$prefix-a" /usr/lib/frr/bfdd -f "$work/frr.conf" -i "$work/frr.pid" --vty_socket "$work" --bfdctl "$work/bfdd.sock" -u root -g frrvty -P 0 -z "$work/zserv" &
children+=($!)
bird b fd00::a ""
record frr-bird 40
