# SPDX-License-Identifier: Apache-2.0
"""A peer that echoes, and who talks to it, once or again and again: echo.py serve|try|talk ADDRESS."""

import errno
import socket
import sys
import threading
import time

PORT = 7000
TCP_USER_TIMEOUT = 18


def serve(address):
    """Echoes whatever comes."""
    listener = socket.create_server((address, PORT))

    def echo(connection):
        while data := connection.recv(4096):
            connection.sendall(data)

    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()


def converse(address, seconds):
    """One message after the other; says how it ended. Whether it went well."""
    until = time.monotonic() + seconds
    sent = 0
    try:
        with socket.create_connection((address, PORT)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 5000)
            while time.monotonic() < until:
                connection.sendall(b"x" * 1000)
                if not connection.recv(4096):
                    print("the peer closed", flush=True)
                    return False
                sent += 1
                time.sleep(0.1)
    except OSError as error:
        print(f"{errno.errorcode.get(error.errno, error)} after {sent} messages", flush=True)
        return False
    return True


def talk(address, seconds):
    """As storage clients do: a connection that fails is made anew."""
    until = time.monotonic() + seconds
    while not converse(address, until - time.monotonic()) and time.monotonic() < until:
        time.sleep(0.5)


if __name__ == "__main__":
    command, target = sys.argv[1:]
    if command == "serve":
        serve(target)
    elif command == "talk":
        talk(target, 60)
    else:
        sys.exit(0 if converse(target, 0.1) else 1)
