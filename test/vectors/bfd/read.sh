#!/usr/bin/env bash
# What tshark, as an independent reader, finds in a capture of BFD Control packets: a line a packet, its octets first. Usage: read.sh FILE.pcap
set -euo pipefail
columns=(
  udp.payload bfd.diag bfd.sta bfd.flags.p bfd.flags.f bfd.flags.c bfd.flags.a bfd.flags.d bfd.detect_time_multiplier
  bfd.my_discriminator bfd.your_discriminator bfd.desired_min_tx_interval bfd.required_min_rx_interval bfd.required_min_echo_interval
  bfd.auth.type bfd.auth.password
)
fields=()
for column in "${columns[@]}"; do fields+=(-e "$column"); done
tshark -r "$1" -Y bfd -T fields -E header=y "${fields[@]}" 2>/dev/null
