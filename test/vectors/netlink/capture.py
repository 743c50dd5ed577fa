#!/usr/bin/env python3
"""Records what iproute2 and the kernel say to each other into requests.json and replies.json beside this file.

Needs root, iproute2 and strace. Each command runs in a fresh network namespace with a veth pair (v0 index 2, v1 index 3) under
`strace -xx`; the octets of its sendmsg and recvmsg calls are taken as they are. iproute2's own preliminary requests (looking up a
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

# name -> (command, settled before it by these commands)
REQUESTS = {
    "IPv6 route over a gateway with metric, table, protocol and MTU": "-6 route add 2001:db8:100::/48 via 2001:db8:1::2 dev v0 metric 77 table 1000 proto 196 mtu 1400",
    "IPv6 route replaced": "-6 route replace 2001:db8:100::/48 via 2001:db8:1::2 dev v0 metric 77 proto 196",
    "IPv6 default route": "-6 route add default via 2001:db8:1::2 dev v0 proto 196",
    "IPv6 multipath route": "-6 route add 2001:db8:101::/48 metric 1024 proto 196 nexthop via 2001:db8:1::2 dev v0 weight 1 nexthop via 2001:db8:1::3 dev v0 weight 3",
    "IPv6 unreachable route": "-6 route add unreachable 2001:db8:102::/48 metric 1024 proto 196",
    "IPv6 blackhole route": "-6 route add blackhole 2001:db8:103::/48 metric 1024 proto 196",
    "seg6 encap": f"-6 route add 2001:db8:110::/48 {ENCAP} encap segs fc00:2::1,fc00:3::1 dev v0 metric 1024 proto 196",
    "seg6 encap.red": f"-6 route add 2001:db8:111::/48 {ENCAP} encap.red segs fc00:2::1,fc00:3::1,fc00:4::1 dev v0 metric 1024 proto 196",
    "seg6 inline": f"-6 route add 2001:db8:112::/48 {ENCAP} inline segs fc00:2::1 dev v0 metric 1024 proto 196",
    "seg6 multipath": f"-6 route add 2001:db8:113::/48 metric 1024 proto 196 nexthop {ENCAP} encap segs fc00:2::1 via 2001:db8:1::2 dev v0 weight 1 nexthop {ENCAP} encap segs fc00:2::1 via 2001:db8:1::3 dev v0 weight 1",
    "seg6local End": f"-6 route add fc00:1::1/128 {LOCAL} End dev v0 metric 1024 proto 196",
    "seg6local End.X": f"-6 route add fc00:1::2/128 {LOCAL} End.X nh6 2001:db8:1::2 dev v0 metric 1024 proto 196",
    "seg6local End.DX6": f"-6 route add fc00:1::3/128 {LOCAL} End.DX6 nh6 2001:db8:1::2 dev v0 metric 1024 proto 196",
    "seg6local End.DX4": f"-6 route add fc00:1::4/128 {LOCAL} End.DX4 nh4 192.0.2.2 dev v0 metric 1024 proto 196",
    "seg6local End.DT6": f"-6 route add fc00:1::5/128 {LOCAL} End.DT6 table 254 dev v0 metric 1024 proto 196",
    "seg6local End with counters": f"-6 route add fc00:1::6/128 {LOCAL} End count dev v0 metric 1024 proto 196",
    "IPv4 route": "-4 route add 198.51.100.0/24 via 192.0.2.2 dev v0 metric 100 proto 196 mtu 1400",
    "IPv4 multipath route": "-4 route add 198.51.101.0/24 metric 100 proto 196 nexthop via 192.0.2.2 dev v0 weight 1 nexthop via 192.0.2.3 dev v0 weight 256",
    "rule by source": "-6 rule add from 2001:db8:9::/48 table 100 priority 1000",
    "rule by mark and interface": "-6 rule add fwmark 0x10/0xff iif v0 table 1000 priority 1001 protocol 196",
    "link up": "link set dev v1 up",
    "link MTU": "link set dev v1 mtu 9000",
    "link without generated addresses": "link set dev v1 addrgenmode none",
    "address with nodad": "-6 addr add 2001:db8:ffff::1/128 dev lo nodad",
    "IPv4 address": "-4 addr add 192.0.2.9/32 dev lo",
    "neighbour": "-6 neigh replace 2001:db8:1::2 lladdr 02:00:00:00:00:99 dev v0 nud permanent",
    "lookup": "-6 route get 2001:db8:1::77",
    "lookup of the matching entry": "-6 route get fibmatch 2001:db8:1::77",
}
DELETIONS = {
    "IPv6 route deleted": ("-6 route add 2001:db8:100::/48 dev v0 metric 77 table 1000 proto 196", "-6 route del 2001:db8:100::/48 dev v0 metric 77 table 1000 proto 196"),
    "rule deleted": ("-6 rule add from 2001:db8:9::/48 table 100 priority 1000", "-6 rule del from 2001:db8:9::/48 table 100 priority 1000"),
    "address deleted": ("-6 addr add 2001:db8:ffff::1/128 dev lo nodad", "-6 addr del 2001:db8:ffff::1/128 dev lo"),
    "neighbour deleted": ("-6 neigh replace 2001:db8:1::2 lladdr 02:00:00:00:00:99 dev v0 nud permanent", "-6 neigh del 2001:db8:1::2 dev v0"),
}
# Commands the kernel refuses with a text.
REFUSED = {
    "gateway that is not reachable": "-6 route add 2001:db8:100::/48 via 2001:db8:77::1 dev v0 proto 196",
    "invalid prefix": "-4 route add 192.0.2.1/24 via 192.0.2.2 dev v0 proto 196",
    "seg6 route over a multicast device route": "-6 route add 2001:db8:100::/48 nhid 12345 proto 196",
}
DUMPS = {
    "IPv6 routes": (True, "-6 route show table all"),
    "IPv4 routes": (True, "-4 route show table all"),
    "rules": (True, "-6 rule show"),
    "links": (True, "link show"),
    "addresses": (True, "addr show"),
    "neighbours": (True, "-6 neigh show nud all"),
}


def ip(command, check=True):
    return subprocess.run(["ip", "-n", NAMESPACE, *command.split()], check=check, capture_output=True, text=True)


def octets(text):
    return "".join(re.findall(r"\\x([0-9a-f]{2})", text))


def trace(command):
    """The messages of one ip command: [(sent?, hex)]. strace decodes netlink unless told to print the buffer raw."""
    result = subprocess.run(
        ["ip", "netns", "exec", NAMESPACE, "strace", "-qq", "-xx", "-s", "1000000", "-e", "trace=none", "-e", "write=all", "-e", "read=all",
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
                dump = re.match(r" \| [0-9a-f]+  ((?:[0-9a-f]{2} ?)+)", line.replace("  ", " ").replace(" |", " |", 1)) or re.match(r" \| ([0-9a-f]+) (.*?)  ", line)
                row = re.match(r"^ \| [0-9a-f]{5,}  (.{49})", line)
                if row and current is not None:
                    current[1] += re.sub(r"\s", "", row[1])
    os.unlink("/tmp/cpn-vectors.trace")
    return [m for m in messages if m[1]], result


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
        sent = [hexed for is_sent, hexed in messages if is_sent]
        received = [hexed for is_sent, hexed in messages if not is_sent]
        if result.returncode:
            print(name, result.stderr, file=sys.stderr)
        requests.append({"name": name, "command": f"ip {command}", "request": sent[-1], "reply": received[-1]})
    for name, (before, command) in DELETIONS.items():
        fresh()
        ip(before)
        messages, result = trace(command)
        requests.append({"name": name, "command": f"ip {command}", "request": [h for s, h in messages if s][-1], "reply": [h for s, h in messages if not s][-1]})
    for name, command in REFUSED.items():
        fresh()
        messages, result = trace(command)
        refusals.append({"name": name, "command": f"ip {command}", "request": [h for s, h in messages if s][-1], "reply": [h for s, h in messages if not s][-1], "stderr": result.stderr.strip()})
    fresh()
    for command in REQUESTS.values():
        ip(command, check=False)
    for name, (_, command) in DUMPS.items():
        messages, _ = trace(command)
        start = max(i for i, (is_sent, _) in enumerate(messages) if is_sent)
        dumps.append({"name": name, "command": f"ip {command}", "replies": [h for s, h in messages[start + 1:] if not s],
                      "json": json.loads(ip(f"-j -d {command}").stdout)})
    subprocess.run(["ip", "netns", "del", NAMESPACE], check=True)
    for file, content in (("requests.json", {**made, "vectors": requests, "refusals": refusals}), ("dumps.json", {**made, "vectors": dumps})):
        with open(os.path.join(HERE, file), "w") as out:
            json.dump(content, out, indent=1)
            out.write("\n")


def ip_version():
    return subprocess.run(["ip", "-V"], capture_output=True, text=True).stdout.strip()


main()
