#!/usr/bin/env bash
# Records live exchanges between stock OSPFv3 routers, each in a network namespace of its own, into the captures of this folder, and what
# tshark reads in them. Needs root, frr, bird2, tcpdump and tshark. See README.md. Usage: make.sh [SCENARIO...]
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
prefix=${PREFIX:-vec6}
work=$(mktemp -d /tmp/ospf-vectors.XXXXXX)
chmod 755 "$work"
pids=()
spaces=()

cleanup() {
  local pid space
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  pids=()
  for space in "${spaces[@]}"; do ip netns del "$space" 2>/dev/null || true; done
  spaces=()
}
trap 'cleanup; rm -rf "$work"' EXIT

space() { # space NAME
  ip netns add "$prefix-$1"
  spaces+=("$prefix-$1")
  ip -n "$prefix-$1" link set lo up
  ip netns exec "$prefix-$1" sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0
}

link() { # link A B NUMBER: interfaces to-B and to-A, fe80::NUMBER:x and 2001:db8:NUMBER::x, x = 1 for A, 2 for B
  ip link add name "to-$2" netns "$prefix-$1" type veth peer name "to-$1" netns "$prefix-$2"
  local side other
  for side in "$1 $2 1" "$2 $1 2"; do
    read -r side other number <<<"$side"
    ip -n "$prefix-$side" link set "to-$other" addrgenmode none
    ip -n "$prefix-$side" addr add "fe80::$3:$number/64" dev "to-$other" nodad
    ip -n "$prefix-$side" addr add "2001:db8:$3::$number/64" dev "to-$other" nodad
    ip -n "$prefix-$side" link set "to-$other" up
  done
}

within() { local space=$1; shift; ip netns exec "$prefix-$space" "$@"; }

start() { # start SPACE CMD...: in the background, ended by cleanup
  local space=$1; shift
  ip netns exec "$prefix-$space" "$@" >"$work/$space.$(basename "$1").log" 2>&1 &
  pids+=($!)
}

record() { # record SPACE INTERFACE FILE [FAMILY]
  ip netns exec "$prefix-$1" tcpdump -i "to-$2" -U -w "$work/$3.pcap" "${4:-ip6}" proto 89 2>"$work/$3.tcpdump" &
  pids+=($!)
  until grep -qs listening "$work/$3.tcpdump"; do sleep 0.05; done
}

await() { # await FILE DISPLAY-FILTER: until the capture holds such a packet
  for _ in $(seq 1 60); do
    [ -n "$(tshark -r "$work/$1.pcap" -Y "$2" 2>/dev/null)" ] && return 0
    sleep 0.5
  done
  echo "$1: no packet with $2 within 30 s" >&2
  tail -n 20 "$work"/*.log >&2
  for frr in "$work"/frr-*; do vtysh --vty_socket "$frr" -d ospf6d -c "show ipv6 ospf6 neighbor" >&2; done
  return 1
}

keep() { # keep FILE: the capture and tshark's reading of it
  cp "$work/$1.pcap" "$here/$1.pcap"
  "$here/read.sh" "$here/$1.pcap" >"$here/$1.tshark.tsv"
  echo "$1: $(tshark -r "$here/$1.pcap" -Y ospf 2>/dev/null | wc -l) packets"
}

frr() { # frr SPACE: zebra and ospf6d with the configuration on stdin
  local folder=$work/frr-$1
  mkdir -p "$folder"
  cat >"$folder/ospf6d.conf"
  : >"$folder/zebra.conf"
  chown -R frr:frr "$folder"
  start "$1" /usr/lib/frr/zebra --vty_socket "$folder" -i "$folder/zebra.pid" -z "$folder/zserv" -f "$folder/zebra.conf" -P 0 --log stdout
  until [ -S "$folder/zserv" ]; do sleep 0.05; done
  start "$1" /usr/lib/frr/ospf6d --vty_socket "$folder" -i "$folder/ospf6d.pid" -z "$folder/zserv" -f "$folder/ospf6d.conf" -P 0 --log stdout
}

bird() { # bird SPACE: with the configuration on stdin
  cat >"$work/bird-$1.conf"
  start "$1" /usr/sbin/bird -f -c "$work/bird-$1.conf" -s "$work/bird-$1.ctl" -P "$work/bird-$1.pid"
}

# Timers of all interfaces: an election is over in 4 s, lost packets are sent again after 2.
frr_timers=$' ipv6 ospf6 hello-interval 1\n ipv6 ospf6 dead-interval 4\n ipv6 ospf6 retransmit-interval 2'
bird_timers='hello 1; dead 4; wait 4; retransmit 2;'

scenario_areas() { # FRR between a backbone, an area and an NSSA, broadcast and point-to-point; externals with everything in them
  space a; space b; space c; space d
  link a b 1; link a c 2; link a d 3
  ip -n "$prefix-a" addr add 2001:db8:a::1/128 dev lo
  ip -n "$prefix-c" addr add 2001:db8:c::1/128 dev lo
  ip -n "$prefix-c" route add blackhole 2001:db8:cc::/48
  ip -n "$prefix-c" route add 2001:db8:cd::/48 via 2001:db8:2::99 dev to-a
  record a b backbone
  record a c area
  record a d nssa
  bird b <<CONF
router id 10.0.0.2;
log stderr all;
protocol device { }
protocol static externals {
  ipv6;
  route 2001:db8:b1::/48 unreachable { ospf_metric1 = 77; ospf_tag = 4000000001; };
  route 2001:db8:8000::/33 unreachable { ospf_metric2 = 5; };
  route 2001:db8:b3::1/128 via 2001:db8:1::77;
  route ::/0 unreachable;
}
protocol ospf v3 {
  ipv6 { import all; export where source = RTS_STATIC; };
  area 0 {
    stubnet 2001:db8:b0::/56 { cost 9; };
    interface "to-a" { type broadcast; cost 7; priority 200; $bird_timers };
  };
}
CONF
  frr a <<CONF
interface to-b
$frr_timers
 ipv6 ospf6 area 0.0.0.0
 ipv6 ospf6 cost 12
interface to-c
$frr_timers
 ipv6 ospf6 area 0.0.0.1
 ipv6 ospf6 network point-to-point
interface to-d
$frr_timers
 ipv6 ospf6 area 0.0.0.2
interface lo
 ipv6 ospf6 area 0.0.0.0
router ospf6
 ospf6 router-id 10.0.0.1
 area 0.0.0.2 nssa
CONF
  frr c <<CONF
interface to-a
$frr_timers
 ipv6 ospf6 area 0.0.0.1
 ipv6 ospf6 network point-to-point
interface lo
 ipv6 ospf6 area 0.0.0.1
route-map tagged permit 10
 set tag 31337
 set metric-type type-1
router ospf6
 ospf6 router-id 10.0.0.3
 redistribute kernel route-map tagged
CONF
  bird d <<CONF
router id 10.0.0.4;
log stderr all;
protocol device { }
protocol static externals {
  ipv6;
  route 2001:db8:d1::/48 via 2001:db8:3::66 { ospf_tag = 5; };
}
protocol ospf v3 {
  ipv6 { import all; export where source = RTS_STATIC; };
  area 2 { nssa; interface "to-a" { type broadcast; priority 0; $bird_timers }; };
}
CONF
  await backbone 'ospf.v3.lsa.interrouter && ipv6.src == fe80::1:1'
  await backbone 'ospf.v3.lsa.network'
  await area 'ospf.v3.lsa.asext && ipv6.src == fe80::2:1'
  await nssa 'ospf.v3.lsa.nssa'
  sleep 2
  ip -n "$prefix-c" route del blackhole 2001:db8:cc::/48
  await backbone 'ospf.lsa.age == 3600'
  sleep 3
  cleanup
  keep backbone; keep area; keep nssa
}

scenario_trailer() { # the Authentication Trailer: FRR and FRR, BIRD and BIRD with each hash; the two do not agree on the digest
  space a; space b; space c; space d
  link a b 1; link c d 2
  record a b trailer-frr
  record c d trailer-bird
  local name
  for name in "a b 1" "b a 2"; do
    read -r own other number <<<"$name"
    frr "$own" <<CONF
interface to-$other
$frr_timers
 ipv6 ospf6 area 0.0.0.0
 ipv6 ospf6 network point-to-point
 ipv6 ospf6 authentication key-id 7 hash-algo hmac-sha-256 key between-two-frr
router ospf6
 ospf6 router-id 10.0.0.$number
CONF
  done
  # Instances of the protocol on one link, one a hash: the last key is longer than the block of its hash.
  for name in "c d 3" "d c 4"; do
    read -r own other number <<<"$name"
    {
      echo "router id 10.0.0.$number; log stderr all; protocol device { }"
      instance=0
      while read -r hash id key; do
        echo "protocol ospf v3 with_$hash { instance id $instance; ipv6 { table t$instance; import all; }; area 0 { interface \"to-$other\" { type ptp; $bird_timers
          authentication cryptographic; password \"$key\" { id $id; algorithm hmac $hash; }; }; }; }"
        instance=$((instance + 1))
      done <<KEYS
sha1 1 a key longer than the hash, shorter than its block
sha256 7 between two bird
sha384 255 just another key
sha512 51 $(printf 'a key that is longer than a block of the hash is hashed first;%.0s' 1 2 3)
KEYS
    } | sed '1s/^/ipv6 table t0; ipv6 table t1; ipv6 table t2; ipv6 table t3; /' >"$work/instances-$own.conf"
    bird "$own" <"$work/instances-$own.conf" # not behind the pipe, where cleanup would not know of it
  done
  await trailer-frr 'ospf.msg == 5'
  for name in 0 1 2 3; do await trailer-bird "ospf.msg == 5 && ospf.instance_id == $name"; done
  sleep 1
  cleanup
  keep trailer-frr; keep trailer-bird
}

scenario_grace() { # FRR prepares a graceful restart
  space a; space b; link a b 1
  record a b grace
  local name id
  for name in a b; do
    id=$([ $name = a ] && echo 1 || echo 2)
    frr $name <<CONF
interface to-$([ $name = a ] && echo b || echo a)
$frr_timers
 ipv6 ospf6 area 0.0.0.0
router ospf6
 ospf6 router-id 10.0.0.$id
 graceful-restart grace-period 90
 graceful-restart helper enable
CONF
  done
  await grace 'ospf.v3.lsa.network'
  sleep 3
  within a vtysh --vty_socket "$work/frr-a" -d ospf6d -c 'graceful-restart prepare ipv6 ospf' >/dev/null
  await grace 'ospf.v3.lsa == 11'
  sleep 1
  cleanup
  keep grace
}

scenario_te() { # link measures of RFC 7471, which FRR originates in OSPFv2 only: the Link TLV is the same
  space a; space b; link a b 1
  ip -n "$prefix-a" addr add 10.0.1.1/30 dev to-b
  ip -n "$prefix-b" addr add 10.0.1.2/30 dev to-a
  record a b te-ospfv2 ip
  local name=a other=b number=1
  for name in "a b 1" "b a 2"; do
    read -r name other number <<<"$name"
    local folder=$work/frr-$name
    mkdir -p "$folder"
    cat >"$folder/zebra.conf" <<CONF
interface to-$other
 link-params
  enable
  metric 33
  max-bw 1.25e+08
  max-rsv-bw 6.25e+07
  delay 1000 min 900 max 2000
  delay-variation 20
  packet-loss 0.031251
  res-bw 1e+08
  ava-bw 8e+07
  use-bw 2e+07
 exit-link-params
CONF
    cat >"$folder/ospfd.conf" <<CONF
interface to-$other
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 4
router ospf
 ospf router-id 10.0.0.$number
 network 10.0.1.0/30 area 0
 capability opaque
 mpls-te on
 mpls-te router-address 10.0.0.$number
CONF
    chown -R frr:frr "$folder"
    start "$name" /usr/lib/frr/zebra --vty_socket "$folder" -i "$folder/zebra.pid" -z "$folder/zserv" -f "$folder/zebra.conf" -P 0 --log stdout
    until [ -S "$folder/zserv" ]; do sleep 0.05; done
    start "$name" /usr/lib/frr/ospfd --vty_socket "$folder" -i "$folder/ospfd.pid" -z "$folder/zserv" -f "$folder/ospfd.conf" -P 0 --log stdout
  done
  await te-ospfv2 'ospf.msg == 4 && ospf.lsid_te_lsa.instance > 0 && ip.src == 10.0.1.1'
  sleep 2
  cleanup
  cp "$work/te-ospfv2.pcap" "$here/te-ospfv2.pcap"
}

for name in "${@:-areas trailer grace te}"; do
  for scenario in $name; do
    "scenario_$scenario"
  done
done
