"""Answers each UDP datagram to port 7000 of the service with the name of this node: python3 echo.py NAME"""
import socket
import sys

with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
    server.bind(('2001:db8:5e::1', 7000))
    while True:
        server.sendto(sys.argv[1].encode(), server.recvfrom(2048)[1])
