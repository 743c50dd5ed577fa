#!/usr/bin/env python3
"""Helper process of ExaBGP: keeps what it is told in /run/updates, and passes on to ExaBGP the commands that stand in /run/commands."""
import os
import select
import sys

os.path.exists("/run/commands") or os.mkfifo("/run/commands")
commands = os.open("/run/commands", os.O_RDWR)
updates = open("/run/updates", "a", buffering=1)
while True:
    ready, _, _ = select.select([sys.stdin.fileno(), commands], [], [])
    if sys.stdin.fileno() in ready:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        updates.write(line)
    if commands in ready:
        sys.stdout.write(os.read(commands, 65536).decode())
        sys.stdout.flush()
