#!/usr/bin/env python3
"""The house rules that a program can hold: each is one check that passes or fails.

Arrows between rooms, functions over 70 lines, files over 800, banned
functions, headers and files without contracts, marks of unfinished work,
words that name a machine. Prints one line a fault; exit 1 when there is one.
"""
import re
import subprocess
import sys

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800

# What each room may include. Same room is always allowed.
ARROWS = {
    "base": set(),
    "crypto": {"base"},
    "core": {"base", "crypto", "wire"},
    "wire": {"base"},
    "daemon": {"base"},
    "store": {"base", "crypto", "core", "wire"},
    "sealer": {"base", "crypto", "wire", "daemon"},
    "keeper": {"base", "crypto", "core", "wire", "daemon", "store"},
    "gate": {"base", "crypto", "core", "wire", "daemon"},
    "cli": {"base", "crypto", "core", "wire", "daemon"},
}
# core takes from wire only the enums that both sides of a question share.
BANNED = [
    "strcpy", "strcat", "strncpy", "strncat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "atol", "atof",
    "scanf", "sscanf", "alloca", "system", "popen", "localtime", "gmtime", "ctime", "asctime", "mktemp", "tmpnam",
    "rand", "srand", "strlcpy", "memcmp_secret",
]
PURE_BANNED = ["malloc", "calloc", "realloc", "free", "time", "clock_gettime", "gettimeofday", "open", "read",
               "write", "fopen", "printf", "getrandom", "socket"]
MACHINE_WORDS = re.compile(r"/home/[a-z]+/|/Users/")
UNFINISHED = re.compile(r"\b(TODO|FIXME|HACK|not implemented)\b")


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], capture_output=True, text=True, check=True)
    return [f for f in out.stdout.split("\n") if f]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as handle:
        return handle.read()


def strip_comments(text):
    """The text with comments and string contents blanked, lines kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    text = re.sub(r"/\*.*?\*/", blank, text, flags=re.S)
    text = re.sub(r"//[^\n]*", blank, text)
    return re.sub(r'"(\\.|[^"\\\n])*"', lambda m: '"' + " " * (len(m.group(0)) - 2) + '"', text)


def check_arrows(path, text):
    room = re.match(r"src/(\w+)/", path)
    if not room or room[1] not in ARROWS:
        return
    for number, line in enumerate(text.split("\n"), 1):
        include = re.match(r'\s*#\s*include\s+"(\w+)/', line)
        if include and include[1] in ARROWS and include[1] != room[1] and include[1] not in ARROWS[room[1]]:
            yield f"{path}:{number}: {room[1]} must not include {include[1]}"
        if room[1] in ("core", "base") and re.search(r"#\s*include\s+<(openssl|ngx_|uv|sqlite3|sys/socket)", line):
            yield f"{path}:{number}: {room[1]} is pure"
        if room[1] == "crypto" and path.endswith(".h") and "<openssl" in line:
            yield f"{path}:{number}: crypto's headers show no OpenSSL type"


def check_sizes(path, text):
    lines = text.split("\n")
    if len(lines) > FILE_LINES_MAX:
        yield f"{path}: {len(lines)} lines, {FILE_LINES_MAX} at most"
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            if number - start + 1 > FUNCTION_LINES_MAX:
                yield f"{path}:{start}: function of {number - start + 1} lines, {FUNCTION_LINES_MAX} at most"
            start = None


def check_banned(path, text):
    code = strip_comments(text)
    if path.endswith("base/banned.h"):
        return
    words = list(BANNED)
    if path.startswith("src/core/") and not path.endswith("_test.c"):
        words += PURE_BANNED
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(words) + r")\s*\(")
    for number, line in enumerate(code.split("\n"), 1):
        found = pattern.search(line)
        if found:
            yield f"{path}:{number}: {found[1]}() is banned here"


def check_contract(path, text):
    head = text.lstrip()
    if not head.startswith("/*"):
        yield f"{path}: does not open with what it is for"
        return
    opening = head[: head.find("*/")]
    if path.endswith(".h") and len(opening.split()) < 12:
        yield f"{path}: opens with too few words to be a contract"


def check_words(path, text):
    if path == "tools/lint.py":
        return
    for number, line in enumerate(text.split("\n"), 1):
        if MACHINE_WORDS.search(line):
            yield f"{path}:{number}: names a machine of ours"
        if path.endswith((".c", ".h")) and UNFINISHED.search(line):
            yield f"{path}:{number}: unfinished work"


def check_beside(paths):
    known = set(paths)
    for path in paths:
        if re.match(r"src/(base|crypto|core|wire|store)/", path) and path.endswith(".c") \
                and not path.endswith(("_test.c", "_bench.c", "/testkit.c", "/main.c")):
            test = path[:-2] + "_test.c"
            if test not in known and not path.endswith("schema.c"):
                yield f"{path}: no test stands beside it"


CHECKS = {"arrows": check_arrows, "sizes": check_sizes, "banned functions": check_banned, "contracts": check_contract}


def run():
    """Every check's name and its faults, in a fixed order."""
    sources = tracked("*.c", "*.h")
    results = []
    texts = {path: read(path) for path in sources}
    for name, check in CHECKS.items():
        results.append((name, [fault for path in sources for fault in check(path, texts[path])]))
    results.append(("tests beside", list(check_beside(sources))))
    others = [p for p in tracked() if not p.endswith((".lock", "package-lock.json", "LICENSE")) and "/corpus/" not in p]
    results.append(("words", [fault for path in others for fault in check_words(path, texts.get(path) or read(path))]))
    return results


if __name__ == "__main__":
    faults = 0
    for check_name, found in run():
        for fault in found:
            print(fault)
        faults += len(found)
    sys.exit(1 if faults else 0)
