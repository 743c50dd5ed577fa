#!/usr/bin/env bash
# What tshark, as an independent reader, finds in a capture: a line a packet with BGP messages, a column a field, the values of all
# messages and attributes in a packet one after another, separated by commas. Usage: read.sh FILE.pcap
set -euo pipefail
columns=(
  ip.src ipv6.src
  bgp.type bgp.length
  bgp.open.myas bgp.open.holdtime bgp.open.identifier bgp.cap.type bgp.cap.4as
  bgp.notify.major_error bgp.notify.minor_error_cease bgp.notify.communication
  bgp.route_refresh.subtype
  bgp.update.path_attribute.flags bgp.update.path_attribute.type_code
  bgp.update.path_attribute.origin
  bgp.update.path_attribute.as_path_segment.type bgp.update.path_attribute.as_path_segment.as2 bgp.update.path_attribute.as_path_segment.as4
  bgp.update.path_attribute.next_hop bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6
  bgp.update.path_attribute.multi_exit_disc bgp.update.path_attribute.local_pref
  bgp.update.path_attribute.aggregator_as bgp.update.path_attribute.aggregator_origin
  bgp.update.path_attribute.community_as bgp.update.path_attribute.community_value
  bgp.large_communities.ga bgp.large_communities.ldp1 bgp.large_communities.ldp2
  bgp.update.path_attribute.originator_id bgp.path_attribute.cluster_id
  bgp.withdrawn_prefix bgp.nlri_prefix bgp.nlri_path_id bgp.prefix_length
  bgp.mp_reach_nlri_ipv4_prefix bgp.mp_unreach_nlri_ipv4_prefix bgp.mp_reach_nlri_ipv6_prefix bgp.mp_unreach_nlri_ipv6_prefix
  bgp.prefix_sid.type bgp.prefix_sid.srv6_l3vpn.sid_value
)
fields=()
for column in "${columns[@]}"; do fields+=(-e "$column"); done
tshark -r "$1" -Y bgp -T fields -E header=y -E occurrence=a -E aggregator=, "${fields[@]}" 2>/dev/null
