"""tollgate_guard: a worker changes files only where nginx was told to, and nginx's own ways go on behind it."""
import ctypes
import os
import pathlib
import tempfile
import urllib.error
import urllib.request

import pytest
from lib import house
from lib.instance import Instance

# A server of other modules beside the gate: uploads, a cache with folders in folders, files read by threads.
BESIDE = """
    proxy_cache_path @DIR@/cache levels=1:2 keys_zone=cache:1m;
    server {
        listen 127.0.0.1:@BESIDE@;
        location /up/ { alias @UP@/; dav_methods PUT; create_full_put_path on; client_body_temp_path @DIR@/body 1 2; }
        location /within/ { alias @DIR@/body/; dav_methods PUT; client_body_temp_path @DIR@/body 1 2; }
        location /read/ { alias @UP@/; aio threads; sendfile off; }
        location /cached/ { proxy_pass http://127.0.0.1:@BESIDE@/read/; proxy_cache cache; proxy_cache_valid 1m;
                            add_header X-Cache $upstream_cache_status; }
    }
"""


def landlock_level():
    return max(0, ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1)))


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {line.split(":", 1)[0]: line.split(":", 1)[1].strip() for line in lines}


class Beside:
    def __init__(self, guard):
        self.port = house.free_ports(1)[0]
        self.gate = Instance(keeper="scripted", start=False)
        folder = self.gate.folder
        # Not beneath the instance's own folder: its logs stand in that.
        self.outside = tempfile.TemporaryDirectory(prefix="tollgate-guard-")
        self.up = pathlib.Path(self.outside.name)
        (self.up / "word").write_bytes(b"w" * 100_000)
        text = BESIDE.replace("@BESIDE@", str(self.port)).replace("@DIR@", str(folder)).replace("@UP@", str(self.up))
        self.gate.write_conf(servers=text, http=guard)
        self.gate.start("scripted")
        self.folder = folder

    def close(self, check=True):
        self.outside.cleanup()
        self.gate.close(check=check)

    def call(self, method, path, body=None):
        wish = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(wish, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def children(self):
        """nginx's own, by what they are."""
        found = {}
        for pid in house.children(self.gate.processes["nginx"].pid):
            title = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            found[title.removeprefix("nginx: ")] = pid
        return found


@pytest.fixture(scope="module", params=["", "tollgate_guard on;"], ids=["usual", "on"])
def guarded(request):
    if os.environ.get("TOLLGATE_PRELOAD"):
        pytest.skip("a sanitizer's build has no guard")
    beside = Beside(request.param)
    try:
        yield beside
    finally:
        beside.close(check=False)  # a refused upload is critical to nginx


@pytest.fixture(scope="module")
def bare():
    beside = Beside("tollgate_guard off;")
    try:
        yield beside
    finally:
        beside.close()


def test_a_worker_is_guarded_and_says_so(guarded):
    assert guarded.gate.metric("tollgate_gate_guard_seccomp") == 1
    status = status_of(guarded.gate.worker())
    assert (status["NoNewPrivs"], status["Seccomp"], status["Seccomp_filters"]) == ("1", "2", "1")
    assert guarded.gate.metric("tollgate_gate_guard_landlock_level") == landlock_level()
    assert guarded.gate.metric("tollgate_gate_guard_dumpable") == 0
    assert "tollgate_guard:" not in guarded.gate.error_log()


def test_a_worker_writes_nowhere_else(guarded):
    if landlock_level() == 0:
        pytest.skip("a kernel without Landlock")
    assert guarded.call("PUT", "/up/new", b"x")[0] >= 400
    assert guarded.call("PUT", "/up/deep/new", b"x")[0] >= 400
    assert sorted(os.listdir(guarded.up)) == ["word"]


def test_where_it_may_write_it_does(guarded):
    assert guarded.call("PUT", "/within/new", b"x" * 50_000)[0] in (201, 204)
    assert (guarded.folder / "body/new").stat().st_size == 50_000


def test_caches_and_threads_work(guarded):
    """The cache's folders are made by the worker; a thread of nginx's pool reads the file."""
    before = guarded.call("GET", "/cached/word")
    again = guarded.call("GET", "/cached/word")
    assert (before[0], len(before[2]), len(again[2])) == (200, 100_000, 100_000)
    assert again[1]["X-Cache"] == "HIT"


def test_nginx_helpers_and_master_are_left_alone(guarded):
    found = guarded.children()
    assert "worker process" in found and "cache manager process" in found
    assert status_of(found["cache manager process"])["Seccomp"] == "0"
    assert status_of(guarded.gate.processes["nginx"].pid)["Seccomp"] == "0"


def test_off_is_off(bare):
    assert bare.gate.metric("tollgate_gate_guard_seccomp") == 0
    status = status_of(bare.gate.worker())
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("0", "0")
    assert bare.gate.metric("tollgate_gate_guard_landlock_level") == 0
    assert bare.call("PUT", "/up/new", b"x")[0] == 201


@pytest.mark.parametrize("value", ["maybe", "", "on off"])
def test_it_is_on_or_off(bench, value):
    bench.write_conf(http=f"tollgate_guard {value};")
    assert bench.conf_test()[0] != 0


def test_it_is_for_all_of_http(bench):
    bench.write_conf(server="tollgate_guard off;")
    status, said = bench.conf_test()
    assert status != 0 and '"tollgate_guard" directive is not allowed here' in said
