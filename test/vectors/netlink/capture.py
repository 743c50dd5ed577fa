#!/usr/bin/env python3
"""Records what iproute2 and the kernel say to each other into requests.json and replies.json beside this file.

Needs root, iproute2 and strace. Each command runs in a fresh network namespace with a veth pair (v0 index 2, v1 index 3) under
strace; the octets of its sendmsg and recvmsg calls are taken as they are. iproute2's own preliminary requests (looking up a
device by name) are left out.
"""
import json, os, platform, re, subprocess, sys

NAMESPACE = "cpn-vectors"
HERE = os.path.dirname(os.path.abspath(__file__))
ENCAP = "encap seg6 mode"
LOCAL = "encap seg6local action"

SETUP = """
link add v0 index 2 address 02:00:00:00:00:02 type veth peer name v1 index 3 address 02:00:00:00:00:03
link set lo up
link set v0 addrgenmode none up
link set v1 addrgenmode none up
addr add 2001:db8:1::1/64 dev v0 nodad
addr add 192.0.2.1/24 dev v0
"""

REQUESTS = {
    "IPv6 route over a gateway with metric, table, protocol and MTU": "-6 route add 2001:db8:100::/48 via 2001:db8:1::2 dev v0 metric 77 table 1000 proto 210 mtu 1400",
    "IPv6 route replaced": "-6 route replace 2001:db8:100::/48 via 2001:db8:1::2 dev v0 metric 77 proto 210",
    "IPv6 default route": "-6 route add default via 2001:db8:1::2 dev v0 proto 210",
    "IPv6 multipath route": "-6 route add 2001:db8:101::/48 metric 1024 proto 210 nexthop via 2001:db8:1::2 dev v0 weight 1 nexthop via 2001:db8:1::3 dev v0 weight 3",
    "IPv6 unreachable route": "-6 route add unreachable 2001:db8:102::/48 metric 1024 proto 210",
    "IPv6 blackhole route": "-6 route add blackhole 2001:db8:103::/48 metric 1024 proto 210",
    "seg6 encap": f"-6 route add 2001:db8:110::/48 {ENCAP} encap segs fc00:2::1,fc00:3::1 dev v0 metric 1024 proto 210",
    "seg6 encap.red": f"-6 route add 2001:db8:111::/48 {ENCAP} encap.red segs fc00:2::1,fc00:3::1,fc00:4::1 dev v0 metric 1024 proto 210",
    "seg6 inline": f"-6 route add 2001:db8:112::/48 {ENCAP} inline segs fc00:2::1 dev v0 metric 1024 proto 210",
    "seg6 multipath": f"-6 route add 2001:db8:113::/48 metric 1024 proto 210 nexthop {ENCAP} encap segs fc00:2::1 via 2001:db8:1::2 dev v0 weight 1 nexthop {ENCAP} encap segs fc00:2::1 via 2001:db8:1::3 dev v0 weight 1",
    "seg6local End": f"-6 route add fc00:1::1/128 {LOCAL} End dev v0 metric 1024 proto 210",
    "seg6local End.X": f"-6 route add fc00:1::2/128 {LOCAL} End.X nh6 2001:db8:1::2 dev v0 metric 1024 proto 210",
    "seg6local End.DX6": f"-6 route add fc00:1::3/128 {LOCAL} End.DX6 nh6 2001:db8:1::2 dev v0 metric 1024 proto 210",
    "seg6local End.DX4": f"-6 route add fc00:1::4/128 {LOCAL} End.DX4 nh4 192.0.2.2 dev v0 metric 1024 proto 210",
    "seg6local End.DT6": f"-6 route add fc00:1::5/128 {LOCAL} End.DT6 table 254 dev v0 metric 1024 proto 210",
    "seg6local End with counters": f"-6 route add fc00:1::6/128 {LOCAL} End count dev v0 metric 1024 proto 210",
    "IPv4 route": "-4 route add 198.51.100.0/24 via 192.0.2.2 dev v0 metric 100 proto 210 mtu 1400",
    "IPv4 multipath route": "-4 route add 198.51.101.0/24 metric 100 proto 210 nexthop via 192.0.2.2 dev v0 weight 1 nexthop via 192.0.2.3 dev v0 weight 256",
    "IPv4 route over an IPv6 gateway": "-4 route add 198.51.102.0/24 via inet6 2001:db8:1::2 dev v0 metric 1024 proto 210",
    "IPv4 route to a node as its own gateway": "-4 route add 192.0.2.2/32 via 192.0.2.2 dev v0 onlink metric 1023 proto 210",
    "rule by source": "-6 rule add from 2001:db8:9::/48 table 100 priority 1000",
    "rule by mark and interface": "-6 rule add fwmark 0x10/0xff iif v0 table 1000 priority 1001 protocol 210",
    "next hop object": "nexthop add id 1668284416 via fe80::2 dev v0 proto 210",
    "next hop object with segments": f"nexthop add id 1668284417 {ENCAP} encap segs fc00:2::1,fc00:3::1 via fe80::3 dev v0 proto 210",
    "next hop object of IPv4 without a gateway": "-4 nexthop add id 1668284418 dev v0 proto 210",
    "next hop object of IPv4 on link": "nexthop add id 1668284419 via 192.0.2.2 dev v0 onlink proto 210",
    "link up": "link set dev v1 up",
    "link MTU": "link set dev v1 mtu 9000",
    "link without generated addresses": "link set dev v1 addrgenmode none",
    "address with nodad": "-6 addr add 2001:db8:ffff::1/128 dev lo nodad",
    "IPv4 address": "-4 addr add 192.0.2.9/32 dev lo",
    "neighbour": "-6 neigh replace 2001:db8:1::2 lladdr 02:00:00:00:00:99 dev v0 nud permanent",
    "lookup": "-6 route get 2001:db8:1::77",
    "lookup of the matching entry": "-6 route get fibmatch 2001:db8:1::77",
}
OBJECT = "nexthop add id 1668284416 via fe80::2 dev v0 proto 210"
# Commands that need others before them.
PREPARED = {
    "next hop object replaced": (OBJECT, f"nexthop replace id 1668284416 {ENCAP} encap segs fc00:2::1 via fe80::3 dev v0 proto 210"),
    "group of next hop objects": (OBJECT + "; nexthop add id 1668284417 via fe80::3 dev v0 proto 210", "nexthop add id 1668284420 group 1668284416,3/1668284417 proto 210"),
    "route to a next hop object": (OBJECT, "-6 route add 2001:db8:120::/48 nhid 1668284416 metric 1024 proto 210"),
    "next hop object deleted": (OBJECT, "nexthop del id 1668284416"),
    "IPv6 route deleted": ("-6 route add 2001:db8:100::/48 dev v0 metric 77 table 1000 proto 210", "-6 route del 2001:db8:100::/48 dev v0 metric 77 table 1000 proto 210"),
    "rule deleted": ("-6 rule add from 2001:db8:9::/48 table 100 priority 1000", "-6 rule del from 2001:db8:9::/48 table 100 priority 1000"),
    "address deleted": ("-6 addr add 2001:db8:ffff::1/128 dev lo nodad", "-6 addr del 2001:db8:ffff::1/128 dev lo"),
    "neighbour deleted": ("-6 neigh replace 2001:db8:1::2 lladdr 02:00:00:00:00:99 dev v0 nud permanent", "-6 neigh del 2001:db8:1::2 dev v0"),
}
# Commands the kernel refuses with a text.
REFUSED = {
    "gateway that is not reachable": "-6 route add 2001:db8:100::/48 via 2001:db8:77::1 dev v0 proto 210",
    "invalid prefix": "-4 route add 192.0.2.1/24 via 192.0.2.2 dev v0 proto 210",
    "unknown next hop object": "-6 route add 2001:db8:100::/48 nhid 12345 proto 210",
}
DUMPS = {
    "IPv6 routes": "-6 route show table all",
    "IPv4 routes": "-4 route show table all",
    "rules": "-6 rule show",
    "next hop objects": "nexthop show",
    "links": "link show",
    "addresses": "addr show",
    "neighbours": "-6 neigh show nud all",
}


def ip(command, check=True):
    return subprocess.run(["ip", "-n", NAMESPACE, *command.split()], check=check, capture_output=True, text=True)


def trace(command):
    """The messages of one ip command: [(sent?, hex)], from strace's dumps of what was written and read."""
    result = subprocess.run(
        ["ip", "netns", "exec", NAMESPACE, "strace", "-qq", "-e", "write=all", "-e", "read=all",
         "-e", "trace=sendmsg,recvmsg,sendto,recvfrom", "-o", "/tmp/cpn-vectors.trace", "ip", *command.split()],
        capture_output=True, text=True)
    messages, current = [], None
    with open("/tmp/cpn-vectors.trace") as lines:
        for line in lines:
            call = re.match(r"(sendmsg|recvmsg|sendto|recvfrom)\(", line)
            if call:
                peek = "MSG_PEEK" in line
                current = None if peek else [call[1].startswith("send"), ""]
                if current:
                    messages.append(current)
            else:
                row = re.match(r"^ \| [0-9a-f]{5,}  (.{49})", line)
                if row and current is not None:
                    current[1] += re.sub(r"\s", "", row[1])
    os.unlink("/tmp/cpn-vectors.trace")
    return [m for m in messages if m[1]], result


def answered(command, messages):
    """The request proper and its answers: iproute2 looks device names up by requests of its own (RTM_GETLINK, 0x12), before or after."""
    wanted = [i for i, (is_sent, hexed) in enumerate(messages) if is_sent and (command.startswith("link") or hexed[8:12] != "1200")][-1]
    replies = []
    for is_sent, hexed in messages[wanted + 1:]:
        if is_sent:
            break
        replies.append(hexed)
    return messages[wanted][1], replies


def exchange(command, messages):
    request, replies = answered(command, messages)
    return {"request": request, "reply": replies[0]}


def fresh():
    subprocess.run(["ip", "netns", "del", NAMESPACE], capture_output=True)
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    for line in SETUP.strip().splitlines():
        ip(line)


def main():
    made = {
        "made": "test/vectors/netlink/capture.py: strace of ip commands in a network namespace; sequence numbers, ports and counters are as seen",
        "iproute2": ip_version(),
        "kernel": platform.release(),
        "machine": f"{platform.machine()} {sys.byteorder}-endian",
    }
    requests, refusals, dumps = [], [], []
    for name, command in REQUESTS.items():
        fresh()
        messages, result = trace(command)
        if result.returncode:
            print(name, result.stderr, file=sys.stderr)
        requests.append({"name": name, "command": f"ip {command}", **exchange(command, messages)})
    for name, (before, command) in PREPARED.items():
        fresh()
        for line in before.split("; "):
            ip(line)
        messages, result = trace(command)
        requests.append({"name": name, "command": f"ip {command}", **exchange(command, messages)})
    for name, command in REFUSED.items():
        fresh()
        messages, result = trace(command)
        refusals.append({"name": name, "command": f"ip {command}", **exchange(command, messages), "stderr": result.stderr.strip()})
    fresh()
    for command in REQUESTS.values():
        ip(command, check=False)
    ip("nexthop add id 1668284420 group 1668284416,3/1668284417 proto 210")
    ip("-6 route add 2001:db8:120::/48 nhid 1668284420 metric 1024 proto 210")
    for name, command in DUMPS.items():
        messages, _ = trace(command)
        dumps.append({"name": name, "command": f"ip {command}", "replies": answered(command, messages)[1],
                      "json": json.loads(ip(f"-j -d {command}").stdout)})
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)
    for file, content in (("requests.json", {**made, "vectors": requests, "refusals": refusals}), ("dumps.json", {**made, "vectors": dumps})):
        with open(os.path.join(HERE, file), "w") as out:
            json.dump(content, out, indent=1)
            out.write("\n")


def ip_version():
    return subprocess.run(["ip", "-V"], capture_output=True, text=True).stdout.strip()


main()
