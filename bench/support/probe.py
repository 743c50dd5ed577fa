"""Probes of a service from a client, and their far end at the computing nodes.

probe.py echo SERVICE COUNT new|pinned [MS]   ICMPv6 echoes, one after the other, MS apart; prints round-trip times in ns, -1 for a lost one
probe.py burst SERVICE PORT FLOWS PACKETS at-once|after-answer
                                              UDP bursts of one flow each; after-answer: the first packet's answer is waited for
probe.py collect SERVICE PORT                 receives bursts until SIGINT, answers packet 0 of each, prints flow and number in the order of arrival
"""
import socket
import struct
import sys
import time


def echo(service, count, fresh, pause_ms):
    link = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    link.settimeout(1)
    link.connect((service, 0))
    for i in range(count):
        identifier = 1000 + (i % 60000 if fresh else 60500)
        start = time.monotonic_ns()
        link.send(struct.pack("!BBHHH", 128, 0, 0, identifier, i & 0xFFFF) + bytes(8))
        try:
            while True:
                answer = link.recv(2048)
                if answer[0] == 129 and struct.unpack("!HH", answer[4:8]) == (identifier, i & 0xFFFF):
                    print(time.monotonic_ns() - start)
                    break
        except socket.timeout:
            print(-1)
        if pause_ms > 0:
            time.sleep(pause_ms / 1000)


def burst(service, port, flows, packets, after_answer):
    unanswered = 0
    for flow in range(flows):
        link = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        link.settimeout(1)
        link.connect((service, port))
        for number in range(packets):
            link.send(struct.pack("!II", flow, number))
            if after_answer and number == 0:
                try:
                    link.recv(64)
                except socket.timeout:
                    unanswered += 1
        link.close()
        time.sleep(0.0005)
    print(unanswered)


def collect(service, port):
    link = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    link.bind((service, port))
    print("ready", flush=True)
    try:
        while True:
            data, sender = link.recvfrom(64)
            flow, number = struct.unpack("!II", data)
            if number == 0:
                link.sendto(data, sender)
            print(flow, number)
    except KeyboardInterrupt:
        pass


def main():
    mode, service, *rest = sys.argv[1:]
    if mode == "echo":
        echo(service, int(rest[0]), rest[1] == "new", float(rest[2]) if len(rest) > 2 else 0)
    elif mode == "burst":
        burst(service, int(rest[0]), int(rest[1]), int(rest[2]), rest[3] == "after-answer")
    else:
        collect(service, int(rest[0]))


main()
