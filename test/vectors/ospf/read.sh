#!/usr/bin/env bash
# What tshark reads in a capture: a line a packet with OSPF, a column a field, the values in a column in the order of the packet.
set -euo pipefail
columns=(
  ipv6.src ospf.msg ospf.packet_length ospf.srcrouter ospf.area_id ospf.instance_id
  ospf.hello.hello_interval ospf.hello.router_dead_interval ospf.hello.active_neighbor
  ospf.db.interface_mtu ospf.db.dd_sequence ospf.ls.number_of_lsas
  ospf.v3.lsa ospf.link_state_id ospf.advrouter ospf.lsa.seqnum ospf.lsa.chksum ospf.lsa.length
)
fields=()
for column in "${columns[@]}"; do fields+=(-e "$column"); done
tshark -r "$1" -Y ospf -T fields -E header=y -E occurrence=a -E aggregator=, "${fields[@]}" 2>/dev/null
