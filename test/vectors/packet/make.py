#!/usr/bin/env python3
"""Builds packets.json with scapy (Debian package python3-scapy): octets from another implementation, and by hand what we should read in them.

    /usr/bin/python3 make.py > packets.json
"""
import json
from scapy.all import (IP, ICMP, IPOption_RR, IPv6, UDP, TCP, ICMPv6EchoRequest, ICMPv6PacketTooBig, ICMPv6DestUnreach, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, IPv6ExtHdrFragment, IPv6ExtHdrSegmentRouting, HBHOptUnknown, PadN, Pad1, Raw, AH, ESP, SCTP)

CLIENT, SERVICE, ROUTER = "2001:db8:1::2", "fd5e::1", "fc00:bb:1::1"
CLIENT4, SERVICE4 = "192.0.2.2", "198.51.100.1"
SIDS = ["fc00:bb:3:e::", "fc00:bb:2:1::", "fc00:bb:9:7::"]
REQUIREMENT = bytes.fromhex("43500100" + "0104" + "00002710")  # latency 10 ms


def ip(**fields):
    return IPv6(src=CLIENT, dst=SERVICE, hlim=64, **fields)


def key(protocol, source_port=0, destination_port=0):
    return {"source": CLIENT, "destination": SERVICE, "protocol": protocol, "sourcePort": source_port, "destinationPort": destination_port}


def ip4(**fields):
    return IP(src=CLIENT4, dst=SERVICE4, ttl=64, **fields)


def key4(protocol, source_port=0, destination_port=0):
    return {**key(protocol, source_port, destination_port), "source": CLIENT4, "destination": SERVICE4}


def answer4(layer):
    return IP(src=SERVICE4, dst=CLIENT4, ttl=60) / layer


def requirement_option():
    return HBHOptUnknown(otype=0x1E, optdata=REQUIREMENT)


def answer(layer):
    return IPv6(src=SERVICE, dst=CLIENT, hlim=60) / layer


classified = [
    ("UDP", ip(tc=0xB8) / UDP(sport=1024, dport=53) / b"query", "flow", key(17, 1024, 53), {}),
    ("TCP SYN", ip() / TCP(sport=40000, dport=443, flags="S"), "flow", key(6, 40000, 443), {}),
    ("SCTP", ip() / SCTP(sport=5000, dport=6000), "flow", key(132, 5000, 6000), {}),
    ("ESP has no ports", ip() / ESP(spi=7, seq=1, data=b"12345678"), "flow", key(50), {}),
    ("no next header", ip(nh=59), "flow", key(59), {}),
    ("ICMPv6 echo request", ip() / ICMPv6EchoRequest(id=0x1234, seq=1, data=b"x" * 16), "flow", key(58, 0x1234, 0x1234), {}),
    ("Destination Options with a requirement", ip() / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0"), requirement_option()]) / UDP(sport=1, dport=2) / b"x",
     "flow", key(17, 1, 2), {"requirement": REQUIREMENT.hex()}),
    ("Hop-by-Hop with a requirement, after Pad1", ip() / IPv6ExtHdrHopByHop(options=[Pad1(), requirement_option()]) / UDP(sport=3, dport=4) / b"x",
     "flow", key(17, 3, 4), {"requirement": REQUIREMENT.hex()}),
    ("Hop-by-Hop comes before Destination Options",
     ip() / IPv6ExtHdrHopByHop(options=[requirement_option()]) / IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1E, optdata=b"other")]) / UDP(sport=3, dport=4),
     "flow", key(17, 3, 4), {"requirement": REQUIREMENT.hex()}),
    ("Destination Options without a requirement", ip() / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]) / TCP(sport=5, dport=6, flags="S"),
     "flow", key(6, 5, 6), {}),
    ("Routing header of type 0 in front", ip() / IPv6ExtHdrRouting(addresses=["fd00::9"], segleft=0) / UDP(sport=7, dport=8), "flow", key(17, 7, 8), {}),
    ("Authentication Header", ip() / AH(nh=17, payloadlen=4, spi=1, seq=2, icv=b"0123456789ab") / UDP(sport=9, dport=10), "flow", key(17, 9, 10), {}),
    ("first fragment", ip() / IPv6ExtHdrFragment(id=0xCAFE0001, offset=0, m=1, nh=17) / UDP(sport=11, dport=12, len=3000) / (b"a" * 1200),
     "flow", key(17, 11, 12), {"fragment": "first", "identification": 0xCAFE0001}),
    ("later fragment", ip() / IPv6ExtHdrFragment(id=0xCAFE0001, offset=151, m=0, nh=17) / Raw(b"a" * 100),
     "later-fragment", None, {"fragment": "later", "identification": 0xCAFE0001}),
    ("atomic fragment is a whole packet", ip() / IPv6ExtHdrFragment(id=5, offset=0, m=0, nh=17) / UDP(sport=13, dport=14) / b"x", "flow", key(17, 13, 14), {}),
    ("Packet Too Big about an answer", ip() / ICMPv6PacketTooBig(mtu=1300) / answer(TCP(sport=443, dport=40000, flags="A") / (b"d" * 100)),
     "icmp-error", key(6, 40000, 443), {}),
    ("Destination Unreachable about an echo reply", ip() / ICMPv6DestUnreach(code=3) / answer(ICMPv6EchoRequest(type=129, id=77, seq=1)),
     "icmp-error", key(58, 77, 77), {}),
    ("Packet Too Big about an answer with Destination Options",
     ip() / ICMPv6PacketTooBig(mtu=1300) / answer(IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)]) / UDP(sport=53, dport=1024) / b"x"),
     "icmp-error", key(17, 1024, 53), {}),
    ("error about another service's answer", ip() / ICMPv6PacketTooBig(mtu=1300) / IPv6(src="fd5e::2", dst=CLIENT) / UDP(sport=53, dport=1024), "malformed", None, {}),
    ("eight extension headers", ip() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt()
     / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / UDP(sport=15, dport=16), "flow", key(17, 15, 16), {}),
    ("nine extension headers", ip() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt()
     / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / IPv6ExtHdrDestOpt() / UDP(sport=15, dport=16), "malformed", None, {}),
]

# IPv4: the identification that tells fragments apart is the protocol above the field of the header.
classified += [
    ("IPv4 UDP", ip4(tos=0xB8, flags="DF") / UDP(sport=1024, dport=53) / b"query", "flow", key4(17, 1024, 53), {}),
    ("IPv4 TCP SYN", ip4() / TCP(sport=40000, dport=443, flags="S"), "flow", key4(6, 40000, 443), {}),
    ("IPv4 ESP has no ports", ip4() / ESP(spi=7, seq=1, data=b"12345678"), "flow", key4(50), {}),
    ("IPv4 echo request", ip4() / ICMP(type=8, id=0x1234, seq=1) / (b"x" * 16), "flow", key4(1, 0x1234, 0x1234), {}),
    ("IPv4 timestamp request has no ports", ip4() / ICMP(type=13, id=5, seq=1), "flow", key4(1), {}),
    ("ICMPv6 inside IPv4 is any protocol", ip4(proto=58) / Raw(bytes([1, 0, 0, 0, 0, 0, 0, 0])), "flow", key4(58), {}),
    ("IPv4 with options", ip4(options=[IPOption_RR(length=11, pointer=4, routers=["0.0.0.0", "0.0.0.0"])]) / UDP(sport=17, dport=18) / b"x", "flow", key4(17, 17, 18), {}),
    ("IPv4 first fragment", ip4(id=0xCAFE, flags="MF") / UDP(sport=11, dport=12, len=3000) / (b"a" * 1200), "flow", key4(17, 11, 12),
     {"fragment": "first", "identification": 17 << 16 | 0xCAFE}),
    ("IPv4 later fragment", ip4(id=0xCAFE, frag=151, proto=17) / Raw(b"a" * 100), "later-fragment", None, {"fragment": "later", "identification": 17 << 16 | 0xCAFE}),
    ("Fragmentation Needed about an answer", ip4() / ICMP(type=3, code=4, nexthopmtu=1300) / answer4(TCP(sport=443, dport=40000, flags="A") / (b"d" * 100)),
     "icmp-error", key4(6, 40000, 443), {}),
    ("Time Exceeded that quotes eight octets of an answer", ip4() / ICMP(type=11) / Raw(bytes(answer4(UDP(sport=53, dport=1024) / (b"d" * 100)))[:28]),
     "icmp-error", key4(17, 1024, 53), {}),
    ("Destination Unreachable about an IPv4 echo reply", ip4() / ICMP(type=3, code=1) / answer4(ICMP(type=0, id=77, seq=1)), "icmp-error", key4(1, 77, 77), {}),
    ("IPv4 error about another service's answer", ip4() / ICMP(type=3, code=4) / IP(src="198.51.100.2", dst=CLIENT4) / UDP(sport=53, dport=1024), "malformed", None, {}),
    ("IPv4 error about a later fragment of an answer", ip4() / ICMP(type=3, code=4) / IP(src=SERVICE4, dst=CLIENT4, frag=100, proto=17) / Raw(b"a" * 8), "malformed", None, {}),
]


def outer(segments, reduced, inner, protocol):
    """H.Encaps of a packet of traffic class 0xb8; flow label 0x12345."""
    header = IPv6(src=ROUTER, dst=segments[0], tc=0xB8, fl=0x12345, hlim=64)
    listed = list(reversed(segments[1:] if reduced else segments))
    if listed:
        header = header / IPv6ExtHdrSegmentRouting(nh=protocol, addresses=listed, segleft=len(segments) - 1, lastentry=len(listed) - 1)
    return header / inner


encapsulated = [{"segments": SIDS[:n], "reduced": reduced, "flowLabel": 0x12345, "inner": bytes(inner).hex(),
                 "hex": bytes(outer(SIDS[:n], reduced, inner, protocol)).hex()}
                for inner, protocol in ((ip(tc=0xB8) / UDP(sport=1024, dport=53) / b"query", 41), (ip4(tos=0xB8) / UDP(sport=1024, dport=53) / b"query", 4))
                for n in (1, 2, 3) for reduced in (False, True)]

print(json.dumps({
    "made": "scapy, by make.py beside this file",
    "router": ROUTER,
    "classified": [{"name": name, "hex": bytes(packet).hex(), "kind": kind, "key": flow, **more} for name, packet, kind, flow, more in classified],
    "encapsulated": encapsulated,
}, indent=1))
