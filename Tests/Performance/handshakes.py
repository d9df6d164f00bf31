# SPDX-License-Identifier: Apache-2.0
"""Opens TLS 1.3 connections, four at a time, for some seconds, with one request on each.

usage: handshakes.py <url> <seconds> [--resume]; prints how many there were, and the seconds.
"""

import concurrent.futures
import socket
import ssl
import sys
import time
import urllib.parse

url, seconds = urllib.parse.urlsplit(sys.argv[1]), float(sys.argv[2])
resumes = "--resume" in sys.argv
request = f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode()

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.minimum_version = ssl.TLSVersion.TLSv1_3
# What the client does with the certificate is no cost of the server's.
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def connect(session):
    """Returns the session that the next connection can go on with."""
    with socket.create_connection((url.hostname, url.port)) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(wire, server_hostname="localhost", session=session) as secured:
            if secured.session_reused != (session is not None):
                sys.exit("not resumed")
            secured.sendall(request)
            response = b""
            while b"\r\n\r\n" not in response or len(response.partition(b"\r\n\r\n")[2]) < 1024:
                part = secured.recv(16_384)
                if not part:
                    sys.exit("cut off")
                response += part
            if b" 200 " not in response[:16]:
                sys.exit("not 200")
            return secured.session if resumes else None


def work(_):
    """Connects until the time is over; returns how often."""
    session = connect(None) if resumes else None
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        session = connect(session)
        count += 1
    return count


began = time.monotonic()
# Some at once, so that the server is not put to sleep after each.
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    count = sum(pool.map(work, range(4)))
print(count, time.monotonic() - began)
