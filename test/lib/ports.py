"""Ports of this machine for listeners that are started later.

Promises: none that the system gives to a socket that asks for any (port 0, outgoing connections), so nothing takes
one between its choice and its listener; none twice in one process. Does not: hold them.
"""
import random
import socket

# Below Linux's usual range for sockets that ask for any, above what services are known by.
FIRST, BEHIND = 20000, 32000
_given = set()


def _behind():
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as said:
        return min(BEHIND, int(said.read().split()[0]))


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count):
    candidates = [port for port in range(FIRST, _behind()) if port not in _given]
    assert candidates, "the system's own ports begin too low: see ip_local_port_range"
    random.SystemRandom().shuffle(candidates)
    found = []
    for port in candidates:
        if len(found) == count:
            break
        if _is_free(port):
            found.append(port)
    assert len(found) == count, "no port is free"
    _given.update(found)
    return found
