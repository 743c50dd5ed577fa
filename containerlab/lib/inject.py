#!/usr/bin/env python3
"""A client of the reflector that announces broken routes between good ones; messages by scapy, broken parts by hand.

inject.py [TYPE]: connects to 2001:db8:0:4::1 as 2001:db8:0:4::2 (AS 65000), sends and stays for a second of silence, so that the peer's answer
(a NOTIFICATION, where it resets the session) is seen. Exit status 0 when the last good route was sent on some session.
"""
import os
import socket
import struct
import sys
import time

from scapy.contrib.bgp import BGPHeader, BGPKeepAlive, BGPOpen

PEER, LOCAL, AS = "2001:db8:0:4::1", "2001:db8:0:4::2", 65000
# Type of the CPN attribute.
CPN = int(sys.argv[1]) if len(sys.argv) > 1 else 255


def attribute(flags, kind, value):
    return struct.pack("!BBB", flags, kind, len(value)) + value


def mp_reach(prefix, length):
    octets = socket.inet_pton(socket.AF_INET6, prefix)[: (length + 7) // 8]
    value = struct.pack("!HBB", 2, 1, 16) + socket.inet_pton(socket.AF_INET6, LOCAL) + b"\0" + bytes([length]) + octets
    return attribute(0x80, 14, value)


BASE = attribute(0x40, 1, b"\0") + attribute(0x40, 2, b"") + attribute(0x40, 5, struct.pack("!I", 100))


def update(attributes):
    return bytes(BGPHeader(type=2, len=19 + 4 + len(attributes))) + struct.pack("!HH", 0, len(attributes)) + attributes


def connect():
    capabilities = bytes([2, 6, 1, 4, 0, 2, 0, 1, 2, 6, 65, 4]) + struct.pack("!I", AS)
    body = struct.pack("!BHH4sB", 4, AS, 90, socket.inet_aton("10.0.0.66"), len(capabilities)) + capabilities
    assert bytes(BGPOpen(my_as=AS, hold_time=90, bgp_id="10.0.0.66"))[:9] == body[:9]
    end = time.time() + 40
    while True:
        stream = socket.socket(socket.AF_INET6)
        stream.settimeout(5)
        try:
            stream.bind((LOCAL, 0))
            stream.connect((PEER, 179))
            stream.sendall(bytes(BGPHeader(type=1, len=19 + len(body))) + body)
            answer = stream.recv(4096)
            if len(answer) > 18 and answer[18] == 1:
                stream.sendall(bytes(BGPKeepAlive()))
                return stream
        except OSError:
            pass
        stream.close()
        if time.time() > end:
            sys.exit("no session")
        time.sleep(0.5)


def answer_of(stream):
    """What the peer says within a second: True as long as it does not end the session."""
    stream.settimeout(1)
    end = time.time() + 1
    try:
        while time.time() < end:
            data = stream.recv(65536)
            if not data or (len(data) > 18 and data[18] == 3):
                return False
    except socket.timeout:
        pass
    except OSError:
        return False
    return True


SID = socket.inet_pton(socket.AF_INET6, "fcbb:bb00:66:e001::")
CASES = [
    ("CPN: a TLV longer than the block", mp_reach("2001:db8:5e::66", 128) + BASE + attribute(0xC0, CPN, b"CPN\x01\0\x02\xff\xff")),
    ("CPN: missing padding", mp_reach("2001:db8:5e::67", 128) + BASE + attribute(0xC0, CPN, b"CPN\x01\0\x03\0\x09" + b"\0\0\0\x01\0\0\0\0\0")),
    ("CPN: an Instance without Origin", mp_reach("2001:db8:5e::66", 128) + BASE + attribute(0xC0, CPN, b"CPN\x01\0\x03\0\x24\0\0\0\x01\0\0\0\0\0\x01\0\x18" + SID + b"\0\x10\0\0\x20\x10\x10\0")),
    ("an unknown optional transitive attribute", mp_reach("2001:db8:78::", 48) + BASE + attribute(0xC0, 213, b"\x01\x02\x03")),
    ("MED of 3 octets", mp_reach("2001:db8:79::", 48) + BASE + attribute(0x80, 4, b"\0\0\x01")),
    ("COMMUNITIES of 5 octets", mp_reach("2001:db8:7a::", 48) + BASE + attribute(0xC0, 8, b"\0\0\0\0\x01")),
]

stream = connect()
for name, attributes in CASES:
    stream.sendall(update(attributes))
    kept = answer_of(stream)
    print(f"{name}: {'session kept' if kept else 'session ended by the peer'}", flush=True)
    if not kept:
        stream.close()
        stream = connect()
stream.sendall(update(mp_reach("2001:db8:77::", 48) + BASE))
if not answer_of(stream):
    sys.exit("the session ended after a good route")
# The good route is to stay until it has been looked for.
stream.settimeout(None)
if os.fork() == 0:
    end = time.time() + 30
    while time.time() < end:
        time.sleep(5)
        try:
            stream.sendall(bytes(BGPKeepAlive()))
        except OSError:
            break
    os._exit(0)
