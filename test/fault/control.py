"""The page by which the bench tells preload.c what shall go wrong, and reads what did.

Promises: the layout is that of preload.c; a rule becomes active by its last
write, so a process never sees half of one.
"""
import errno
import mmap
import os
import struct

PROGRAMS = ["keeper", "sealer", "nginx", "refpay"]
ON = {"write": 1, "sync": 2, "send": 4, "receive": 8, "session_send": 16, "session_receive": 32}
DO = {"error": 1, "short": 2, "stall": 3, "kill": 4, "kill_after": 5, "error_lose": 6, "kill_lose": 7,
      "lie": 8, "cut": 9}
RULES = 8
HEADER = 16
RULE = struct.Struct("<IIIIqqQq")
SLOT = struct.Struct("<qII")
SLOT_BYTES = SLOT.size + RULES * RULE.size


class Control:
    def __init__(self, path):
        self.path = str(path)
        with open(self.path, "wb") as page:
            page.write(bytes(4096))
        os.chmod(self.path, 0o600)
        self.file = open(self.path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 4096)
        self.page = memoryview(self.map)
        # From its first write on, or what a sync has covered since would be taken back as well.
        struct.pack_into("<I", self.page, self._slot("keeper") + 8, 1)

    def close(self):
        self.page.release()
        self.map.close()
        self.file.close()

    def _slot(self, program):
        return HEADER + PROGRAMS.index(program) * SLOT_BYTES

    def _rule(self, program, number):
        return self._slot(program) + SLOT.size + number * RULE.size

    def clear(self):
        """No rule holds any more; clocks stay as they are."""
        for program in PROGRAMS:
            for number in range(RULES):
                struct.pack_into("<I", self.page, self._rule(program, number), 0)

    def clock(self, program, step_us):
        struct.pack_into("<q", self.page, self._slot(program), step_us)

    def arm(self, program, on, act, nth, count=1, error=errno.EIO, parameter=0):
        """At the nth call of a kind from now on, `count` times in a row; the rule's number."""
        for number in range(RULES):
            at = self._rule(program, number)
            if struct.unpack_from("<I", self.page, at)[0] == 0:
                struct.pack_into("<IIIqqQq", self.page, at + 4, ON[on], DO[act], error, nth, count, parameter, 0)
                struct.pack_into("<I", self.page, at, 1)
                return number
        raise AssertionError(f"{program}: more than {RULES} rules")

    def disarm(self, program, number):
        struct.pack_into("<I", self.page, self._rule(program, number), 0)

    def passed(self, program, number, nth):
        """How many calls of the rule's kind there were since it was armed for the nth."""
        return nth - RULE.unpack_from(self.page, self._rule(program, number))[4]

    def fired(self, program, number):
        return RULE.unpack_from(self.page, self._rule(program, number))[7]
