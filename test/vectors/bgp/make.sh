#!/usr/bin/env bash
# Records live exchanges between stock BGP speakers, each in a network namespace of its own, into the captures of this folder, and what
# tshark reads in them. Needs root, frr, bird2, gobgpd, exabgp, tcpdump and tshark. See README.md. Usage: make.sh [SCENARIO...]
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
prefix=${PREFIX:-vec}
work=$(mktemp -d /tmp/bgp-vectors.XXXXXX)
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
}

link() { # link A B NUMBER: interfaces to-B and to-A, 192.0.2.x and 2001:db8:NUMBER::x, x = 1 for A, 2 for B
  ip link add name "to-$2" netns "$prefix-$1" type veth peer name "to-$1" netns "$prefix-$2"
  ip -n "$prefix-$1" addr add "10.0.$3.1/24" dev "to-$2"
  ip -n "$prefix-$2" addr add "10.0.$3.2/24" dev "to-$1"
  ip -n "$prefix-$1" addr add "2001:db8:$3::1/64" dev "to-$2" nodad
  ip -n "$prefix-$2" addr add "2001:db8:$3::2/64" dev "to-$1" nodad
  ip -n "$prefix-$1" link set "to-$2" up
  ip -n "$prefix-$2" link set "to-$1" up
}

within() { local space=$1; shift; ip netns exec "$prefix-$space" "$@"; }

start() { # start SPACE CMD...: in the background, ended by cleanup
  local space=$1; shift
  ip netns exec "$prefix-$space" "$@" >"$work/$space.$(basename "$1").log" 2>&1 &
  pids+=($!)
}

record() { # record SPACE INTERFACE FILE
  ip netns exec "$prefix-$1" tcpdump -i "to-$2" -U -w "$work/$3.pcap" tcp port 179 2>"$work/$3.tcpdump" &
  pids+=($!)
  until grep -q listening "$work/$3.tcpdump"; do sleep 0.05; done
}

await() { # await FILE DISPLAY-FILTER: until the capture holds such a packet
  for _ in $(seq 1 60); do
    [ -n "$(tshark -r "$work/$1.pcap" -Y "$2" 2>/dev/null)" ] && return 0
    sleep 0.5
  done
  echo "$1: no packet with $2 within 30 s" >&2
  tail -n 20 "$work"/*.log >&2
  return 1
}

keep() { # keep FILE: the capture and tshark's reading of it
  cp "$work/$1.pcap" "$here/$1.pcap"
  "$here/read.sh" "$here/$1.pcap" >"$here/$1.tshark.tsv"
  echo "$1: $(tshark -r "$here/$1.pcap" -Y bgp 2>/dev/null | wc -l) packets with BGP messages"
}

frr() { # frr SPACE: with the configuration on stdin; no zebra, so that next hops count as reachable
  local folder=$work/frr-$1
  mkdir -p "$folder"
  cat >"$folder/bgpd.conf"
  chown -R frr:frr "$folder"
  chmod 755 "$work"
  start "$1" /usr/lib/frr/bgpd --no_zebra --vty_socket "$folder" -i "$folder/bgpd.pid" -f "$folder/bgpd.conf" -P 0 --log stdout
}

bird() { # bird SPACE: with the configuration on stdin
  cat >"$work/bird-$1.conf"
  start "$1" /usr/sbin/bird -f -c "$work/bird-$1.conf" -s "$work/bird-$1.ctl" -P "$work/bird-$1.pid"
}

scenario_frr_bird() { # both families, all common attributes, ADD-PATH, route refresh, shutdown with a message
  space a; space b; link a b 1
  record a b frr-bird
  frr a <<CONF
route-map rich permit 10
 set origin incomplete
 set metric 77
 set community 65000:1 65000:2 no-export
 set large-community 4200000001:1:2 65000:4294967295:0
 set extcommunity rt 65000:99
 set as-path prepend 4200000009 65009
exit
router bgp 4200000001
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 2001:db8:1::2 remote-as 65002
 neighbor 2001:db8:1::2 capability extended-nexthop
 neighbor 2001:db8:1::2 timers 9 30
 address-family ipv4 unicast
  network 198.51.100.0/24 route-map rich
  network 203.0.113.7/32
  network 0.0.0.0/0
  aggregate-address 198.51.0.0/16
  neighbor 2001:db8:1::2 activate
  neighbor 2001:db8:1::2 addpath-tx-all-paths
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:aaaa::/48 route-map rich
  network 2001:db8:cafe::1/128
  network 2001:db8:8000::/33
  aggregate-address 2001:db8::/32 as-set
  neighbor 2001:db8:1::2 activate
  neighbor 2001:db8:1::2 addpath-tx-all-paths
 exit-address-family
CONF
  bird b <<CONF
router id 192.0.2.2;
log stderr all;
protocol device { }
protocol static { ipv4; route 192.0.2.128/25 unreachable; route 198.18.0.0/15 unreachable; }
protocol static { ipv6; route 2001:db8:b::/48 unreachable; route 2001:db8:b:1::/64 unreachable; }
protocol bgp peer {
  local 2001:db8:1::2 as 65002;
  neighbor 2001:db8:1::1 as 4200000001;
  enable extended messages on;
  hold time 30;
  ipv4 { add paths rx; extended next hop on; import all; export filter { bgp_community.add((65002,7)); bgp_large_community.add((65002,8,9)); bgp_ext_community.add((ro, 65002, 3)); bgp_med = 5; accept; }; };
  ipv6 { add paths on; import all; export filter { bgp_path.prepend(65010); bgp_origin = ORIGIN_EGP; accept; }; };
}
CONF
  await frr-bird 'bgp.type == 2 && ipv6.src == 2001:db8:1::2'
  await frr-bird 'bgp.type == 2 && ipv6.src == 2001:db8:1::1'
  sleep 2 # FRR sends the rest of its table and End-of-RIB with its next advertisement
  within b birdc -s "$work/bird-b.ctl" reload in peer >/dev/null
  await frr-bird 'bgp.type == 5'
  within b birdc -s "$work/bird-b.ctl" disable static1 >/dev/null
  await frr-bird 'bgp.update.withdrawn_routes.length > 0 || bgp.update.path_attribute.mp_unreach_nlri'
  sleep 1
  within b birdc -s "$work/bird-b.ctl" disable peer '"moving to another rack"' >/dev/null
  await frr-bird 'bgp.type == 3'
  cleanup
  keep frr-bird
}

scenario_as2() { # FRR with 4-octet AS numbers in paths, towards a speaker that knows only two octets
  space a; space b; link a b 1
  record a b as2
  frr a <<CONF
route-map long permit 10
 set as-path prepend 65009 4200000009 4200000010
exit
router bgp 65001
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 10.0.1.2 remote-as 65002
 address-family ipv4 unicast
  network 198.51.100.0/24 route-map long
  network 203.0.113.0/24
  aggregate-address 198.51.0.0/16
 exit-address-family
CONF
  bird b <<CONF
router id 192.0.2.2;
log stderr all;
protocol device { }
protocol static { ipv4; route 192.0.2.128/25 unreachable; }
protocol bgp peer { local 10.0.1.2 as 65002; neighbor 10.0.1.1 as 65001; enable as4 off; ipv4 { import all; export all; }; }
CONF
  await as2 'bgp.type == 2 && ip.src == 10.0.1.2'
  await as2 'bgp.type == 2 && ip.src == 10.0.1.1'
  sleep 1
  cleanup
  keep as2
}

scenario_gobgp_frr() { # attributes from the command line of GoBGP, graceful restart, ADD-PATH; FRR answers
  space a; space b; link a b 1
  record a b gobgp-frr
  cat >"$work/gobgpd.conf" <<CONF
[global.config]
  as = 65001
  router-id = "192.0.2.1"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "2001:db8:1::2"
    peer-as = 65001
  [neighbors.graceful-restart.config]
    enabled = true
    restart-time = 120
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
    [neighbors.afi-safis.mp-graceful-restart.config]
      enabled = true
    [neighbors.afi-safis.add-paths.config]
      receive = true
      send-max = 4
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
CONF
  start a gobgpd -f "$work/gobgpd.conf" --api-hosts 127.0.0.1:50051
  frr b <<CONF
router bgp 65001
 bgp router-id 192.0.2.2
 no bgp network import-check
 bgp graceful-restart
 neighbor 2001:db8:1::1 remote-as 65001
 address-family ipv6 unicast
  network 2001:db8:bbbb::/48
  neighbor 2001:db8:1::1 activate
  neighbor 2001:db8:1::1 addpath-tx-all-paths
 exit-address-family
CONF
  for _ in $(seq 1 40); do within a gobgp neighbor >/dev/null 2>&1 && break; sleep 0.25; done
  within a gobgp global rib add -a ipv6 2001:db8:aaaa::/48 origin egp aspath '4200000001 65009 {65010 65011}' nexthop 2001:db8:1::1 med 42 local-pref 250 community 65001:1,no-advertise large-community 65001:2:3 aggregator 4200000002:192.0.2.9
  within a gobgp global rib add -a ipv6 2001:db8:aaaa::/48 nexthop 2001:db8:1::99 identifier 7
  within a gobgp global rib add -a ipv6 2001:db8:cafe::1/128 nexthop 2001:db8:1::1
  within a gobgp global rib add -a ipv4 198.51.100.0/24 nexthop 10.0.1.1 med 1
  await gobgp-frr 'ipv6.src == 2001:db8:1::1 && bgp.update.path_attribute.aggregator_origin'
  await gobgp-frr 'bgp.type == 2 && ipv6.src == 2001:db8:1::2'
  sleep 2
  within a gobgp global rib del -a ipv6 2001:db8:cafe::1/128
  await gobgp-frr 'bgp.update.path_attribute.mp_unreach_nlri && ipv6.src == 2001:db8:1::1'
  sleep 1
  within a gobgp neighbor 2001:db8:1::2 disable
  await gobgp-frr 'bgp.type == 3'
  cleanup
  keep gobgp-frr
}

scenario_cpn() { # a CPN attribute and a Prefix-SID from ExaBGP, reflected by a stock FRR to a stock BIRD
  space a; space b; space c; link a b 1; link b c 2
  record b a cpn-exabgp-frr
  record b c cpn-frr-bird
  local block
  block=$(sed 's/#.*//' ../cpn/full.hex | tr -d ' \n')
  local minimal
  minimal=$(sed 's/#.*//' ../cpn/minimal.hex | tr -d ' \n')
  cat >"$work/exabgp.conf" <<CONF
neighbor 2001:db8:1::2 {
  router-id 192.0.2.1;
  local-address 2001:db8:1::1;
  local-as 65001;
  peer-as 65001;
  family { ipv6 unicast; }
  capability { add-path send/receive; }
  static {
    route 2001:db8:cafe::1/128 next-hop 2001:db8:1::1 path-information 0.0.0.1 local-preference 100 community [no-export] attribute [0xFF 0xC0 0x$block];
    route 2001:db8:cafe::1/128 next-hop 2001:db8:1::11 path-information 0.0.0.2 local-preference 100 community [no-export] attribute [0xFF 0xC0 0x$minimal];
    route 2001:db8:cafe::2/128 next-hop 2001:db8:1::1 path-information 0.0.0.1 local-preference 100 attribute [0xFF 0xC0 0x43504e02] attribute [0xC8 0xC0 0x0102030405];
  }
}
CONF
  start a env exabgp.tcp.bind= exabgp.daemon.drop=false exabgp.api.cli=false exabgp "$work/exabgp.conf"
  frr b <<CONF
router bgp 65001
 bgp router-id 192.0.2.2
 bgp cluster-id 192.0.2.200
 neighbor 2001:db8:1::1 remote-as 65001
 neighbor 2001:db8:2::2 remote-as 65001
 address-family ipv6 unicast
  neighbor 2001:db8:1::1 activate
  neighbor 2001:db8:1::1 route-reflector-client
  neighbor 2001:db8:2::2 activate
  neighbor 2001:db8:2::2 route-reflector-client
  neighbor 2001:db8:2::2 addpath-tx-all-paths
 exit-address-family
CONF
  bird c <<CONF
router id 192.0.2.3;
log stderr all;
protocol device { }
protocol bgp peer { local 2001:db8:2::2 as 65001; neighbor 2001:db8:2::1 as 65001; ipv6 { add paths on; gateway recursive; import all; export none; }; }
CONF
  await cpn-exabgp-frr 'bgp.type == 2 && ipv6.src == 2001:db8:1::1'
  await cpn-frr-bird 'bgp.type == 2 && ipv6.src == 2001:db8:2::1'
  sleep 3
  cleanup
  keep cpn-exabgp-frr
  keep cpn-frr-bird
}

for name in "${@:-frr_bird as2 gobgp_frr cpn}"; do
  for scenario in $name; do
    "scenario_$scenario"
  done
done
