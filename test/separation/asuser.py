"""Runs a piece of Python as another user, in a process of its own, and brings its result back.

Promises: the child has the user's uid, gid and no other group, no capability
that the user does not have, and sends back one JSON value.
"""
import json
import os
import pwd
import traceback

PR_SET_DUMPABLE = 4


def user(name):
    return pwd.getpwnam(name)


def as_user(name, work, capabilities=False):
    """work() in a child that has become the user; its result. capabilities: root keeps its own, `name` is not used."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(receive)
            if not capabilities:
                entry = user(name)
                os.setgroups([])
                os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
                os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
            result = {"value": work()}
        except BaseException:  # noqa: B902 - brought back, not lost
            result = {"trouble": traceback.format_exc()}
        os.write(send, json.dumps(result).encode())
        os._exit(0)
    os.close(send)
    data = b""
    while True:
        part = os.read(receive, 65536)
        if not part:
            break
        data += part
    os.close(receive)
    os.waitpid(pid, 0)
    answer = json.loads(data)
    assert "trouble" not in answer, answer["trouble"]
    return answer["value"]


def errno_of(work):
    """The number of the OSError that work() ends with; 0 when it ends well."""
    try:
        work()
    except OSError as error:
        return error.errno
    return 0
