#!/usr/bin/python3
"""Hosts of the lab tests of the dataplane.

    flow-host.py echo ADDRESS PORT              answers UDP datagrams; prints a line when ready
    flow-host.py send JSON                      sends UDP datagrams and prints what came back, as JSON
    flow-host.py raw INTERFACE GATEWAY HEX...   sends Ethernet frames around IPv6 or IPv4 packets given in hex
"""
import json
import select
import socket
import struct
import sys
import time

UDP_SEGMENT, PMTUDISC_PROBE, PMTUDISC_DONT = 103, 3, 0


class Options:
    """Socket options by the version of an address; `origin` marks errors that came by ICMP."""

    def __init__(self, address):
        if ":" in address:
            self.family, self.any, self.level, self.origin = socket.AF_INET6, "::", socket.IPPROTO_IPV6, 3
            self.receive_errors, self.mtu_discover, self.hops, self.traffic_class = 25, 23, socket.IPV6_UNICAST_HOPS, socket.IPV6_TCLASS
        else:
            self.family, self.any, self.level, self.origin = socket.AF_INET, "0.0.0.0", socket.IPPROTO_IP, 2
            self.receive_errors, self.mtu_discover, self.hops, self.traffic_class = 11, 10, socket.IP_TTL, socket.IP_TOS


def echo(address, port):
    server = socket.socket(Options(address).family, socket.SOCK_DGRAM)
    server.bind((address, int(port)))
    print("ready", flush=True)
    while True:
        data, peer = server.recvfrom(65535)
        server.sendto(data, peer)


def read_errors(client, options):
    errors = []
    while True:
        try:
            _, ancillary, _, _ = client.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
        except OSError:
            return errors
        for level, kind, data in ancillary:
            if level == options.level and kind == options.receive_errors:
                _, origin, icmp_type, code, _, info, _ = struct.unpack("IBBBBII", data[:16])
                if origin == options.origin:
                    errors.append({"type": icmp_type, "code": code, "mtu": info})


def send(request):
    options = Options(request["destination"])
    client = socket.socket(options.family, socket.SOCK_DGRAM)
    client.bind((options.any, request.get("sourcePort", 0)))
    client.setsockopt(options.level, options.receive_errors, 1)
    # Path MTUs learned by the host would hide what the router says: probe, or let the host fragment to the link.
    client.setsockopt(options.level, options.mtu_discover, PMTUDISC_DONT if request.get("fragment") else PMTUDISC_PROBE)
    if "hops" in request:
        client.setsockopt(options.level, options.hops, request["hops"])
    if "trafficClass" in request:
        client.setsockopt(options.level, options.traffic_class, request["trafficClass"])
    if "destinationOptions" in request:
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, bytes.fromhex(request["destinationOptions"]))
    segments = request.get("segments", 1)
    if segments > 1:
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, request["size"])
    client.setblocking(False)
    replies, errors = 0, []
    for i in range(request.get("count", 1)):
        try:
            client.sendto(bytes([i & 255]) * (request.get("size", 20) * segments), (request["destination"], request["port"]))
        except OSError:  # an error about an earlier datagram
            errors += read_errors(client, options)
        deadline = time.monotonic() + request.get("waitMs", 2000) / 1000
        answered = 0
        while answered < segments and time.monotonic() < deadline:
            select.select([client], [], [client], max(0, deadline - time.monotonic()))
            found = read_errors(client, options)
            errors += found
            try:
                client.recv(65535)
                replies += 1
                answered += 1
            except OSError:
                answered += segments if found else 0
    print(json.dumps({"replies": replies, "errors": errors}))


def raw(interface, gateway, packets):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind((interface, 0))
    own = link.getsockname()[4]
    for packet in packets:
        ethertype = b"\x08\x00" if packet[0] == "4" else b"\x86\xdd"
        link.send(bytes.fromhex(gateway.replace(":", "")) + own + ethertype + bytes.fromhex(packet))


if sys.argv[1] == "echo":
    echo(sys.argv[2], sys.argv[3])
elif sys.argv[1] == "send":
    send(json.loads(sys.argv[2]))
else:
    raw(sys.argv[2], sys.argv[3], sys.argv[4:])
