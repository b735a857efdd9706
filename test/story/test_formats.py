"""The formats in tollgate-protocol(5), tollgate-files(5) and tollgate-store(8) are those of the code.

Numbers, names and widths are read from the sources and held against the pages' tables. Does not: run anything but
tollgate-store without arguments.
"""
import pathlib
import re
import subprocess

import pytest
from lib.story import BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "doc" / "man"
PROTOCOL = (PAGES / "tollgate-protocol.5").read_text()
FILES = (PAGES / "tollgate-files.5").read_text()
NUMBER = {"u8": "1", "u16": "2", "u32": "4", "u64": "8"}


def source(name):
    return (ROOT / name).read_text()


def constants(*names):
    """{name: value} of numeric #defines, those that name others included."""
    known = {}
    for name in names:
        for one, value in re.findall(r"^#define (\w+) +(.+?)(?: */[*].*)?$", source(name), re.M):
            value = re.sub(r"(\d)u\b", r"\1", value)
            try:
                known[one] = eval(value, {"__builtins__": {}}, known)  # arithmetic of our own headers
            except (NameError, SyntaxError, TypeError):
                pass
    return known


WIRE = constants("src/base/limits.h", "src/wire/frame.h", "src/wire/frame.c", "src/wire/message.h", "src/wire/seal.h")


def enumeration(name, prefix):
    return {one: int(value, 0) for one, value in re.findall(rf"\b{prefix}(\w+) = (\w+)", source(name))}


def blocks(page, title):
    """The literal blocks of a subsection."""
    part = re.split(r"^\.S[sh] ", page.split(f"\n{title}\n", 1)[1], maxsplit=1, flags=re.M)[0]
    return re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", part, re.M | re.S)


def fields(page, title):
    """(width, name) of each line of the first block."""
    return re.findall(r"^(\S+) +(\w+)", blocks(page, title)[0], re.M)


def test_each_frame_its_number_and_its_limit():
    numbers = enumeration("src/wire/frame.h", "TG_FRAME_")
    limits = {name: WIRE[limit] for name, limit in
              re.findall(r"\{TG_ROLE_\w+, TG_FRAME_(\w+), (\w+)\}", source("src/wire/frame.c"))}
    said = {name: (int(number), int(limit)) for name, number, limit in
            re.findall(r"^\.It ([A-Z_]+) Ta (\d+) Ta [a-z ]+ Ta (\d+)$", PROTOCOL, re.M)}
    assert len(said) == 16
    assert said == {name: (numbers[name], limit) for name, limit in limits.items()}


def test_the_frame_itself():
    assert fields(PROTOCOL, ".Ss Frames") == [("4", "len"), ("1", "version"), ("1", "type"), ("2", "slot"), ("4", "turn"),
                                              ("4", "zero")]
    assert WIRE["TG_FRAME_HEADER_BYTES"] == 16 and WIRE["TG_FRAME_VERSION"] == 1


def widths(name):
    """Bytes of the fixed arrays of a message's struct."""
    struct = re.search(rf"^struct tg_{name} \{{.*?^}}", source("src/wire/message.h"), re.M | re.S)[0]
    return {field: WIRE[size] if size in WIRE else int(size)
            for field, size in re.findall(r"uint8_t (\w+)\[(\w+)\]", struct)}


def read_fields(name):
    """(width, name) as the decoder of a message takes them."""
    body = re.search(rf"^enum tg_err tg_{name}_read\(.*?^}}", source("src/wire/message.c"), re.M | re.S)[0]
    amount = re.search(r"^static void take_amount\(.*?^}", source("src/wire/message.c"), re.M | re.S)[0]
    found = []
    for line in body.replace("take_amount(&cursor, ret);", amount).splitlines():
        if match := re.search(r"(?:ret->|uint8_t |uint64_t )(\w+) = tg_cursor_(u\d+)\(", line):
            found.append((NUMBER[match[2]], {"has": "has_certificate", "amount": "amount_minor"}.get(match[1], match[1])))
        elif match := re.search(r"(?:tg_cursor_copy|take_optional)\(.*ret->(\w+),", line):
            found.append((str(widths(name).get(match[1], 1)), match[1]))
        elif match := re.search(r"ret->(\w+) = take_(text|answer)\(", line):
            found.append(("2+n" if match[2] == "text" else "4+n", match[1]))
    return found


@pytest.mark.parametrize("name,title", [
    ("hello", "HELLO, HELLO_ANSWER"), ("auth", "AUTH"), ("auth_answer", "AUTH_ANSWER"), ("admit", "ADMIT"),
    ("admit_answer", "ADMIT_ANSWER"), ("settle", "SETTLE"), ("settle_answer", "SETTLE_ANSWER"), ("note", "NOTE")])
def test_each_field_of_a_message_in_order(name, title):
    assert read_fields(name) == fields(PROTOCOL, f".Ss {title}")


def test_flags_operations_statuses_and_keys():
    flags = {name: int(number, 16) for name, number in
             re.findall(r"#define TG_FLAG_(\w+) 0x(\w+)u", source("src/wire/message.h"))}
    said = {name: int(number, 16) for number, name in re.findall(r"^0x(\w\w) +(\w+)", PROTOCOL, re.M)}
    assert len(flags) == 8 and said == flags
    part = PROTOCOL.split(".Sh KEEPER AND SEALER")[1].split(".Sh OPERATOR")[0]
    said = {name: int(number) for number, name in re.findall(r"^(\d+) +([A-Z_]{3,})\b", part, re.M)}
    header = source("src/wire/seal.h")
    names = {name: int(value, 0) for name, value in re.findall(r"TG_SEAL_(?:KEY_)?(\w+) = (\w+)", header)}
    for word in ("MAKE", "DESTROY"):
        names[f"KEY_{word}"] = names.pop(word)
    assert names.pop("SEGMENT") == 65536 and "\n65536+n  SEGMENT " in part
    assert said == names
    assert f"at most {WIRE['TG_SEAL_WORKS_MAX']}; then each work" in part


@pytest.mark.parametrize("sizes", [("TG_UPSTREAM_CREDENTIAL_BYTES_MAX",), ("TG_ANSWER_BYTES_MAX",), ("TG_LINK_SLOTS",)])
def test_limits(sizes):
    for size in sizes:
        assert re.search(rf"\b{WIRE[size]}\b", PROTOCOL), size
    link = constants("src/keeper/link.h")
    assert f"Fl -gate-uid Ta {link['TG_LINKS_GATE_MAX']}\n" in PROTOCOL
    assert f"root Ta {link['TG_LINKS_ADMIN_MAX']}\n" in PROTOCOL
    assert f"1 to {constants('src/sealer/serve.h')['TG_SERVE_KEEPERS_MAX']}\n" in PROTOCOL


def test_each_command_of_operators_its_arguments_members_and_errors():
    part = re.sub(r"\\&", "", PROTOCOL.split(".Sh OPERATOR AND KEEPER")[1])
    commands = re.findall(r'^    \{"([a-z.]+)", tg_admin', source("src/keeper/admin.c"), re.M)
    assert len(commands) == 20
    words = set(commands) | {"ok", "result", "more", "error", "text", "command", "arguments"}
    for path in (ROOT / "src/keeper").glob("admin*.c"):
        text = path.read_text()
        words |= set(re.findall(r'tg_admin_fail\(call, "(\w+)"', text))
        words |= set(re.findall(r'tg_admin_(?:text|name|number|bool|hex|has)\(call, "(\w+)"', text))
        for packed in re.findall(r"json_pack\(\s*\"\{.*?;", text, re.S):
            words |= set(re.findall(r'"([a-z_]+)"', packed))
    assert len(words) > 80
    missing = [word for word in words if not re.search(rf"(?<![\w.]){re.escape(word)}(?![\w])", part)]
    assert not missing, missing


def test_the_ring():
    ring = constants("src/sealer/ring.h", "src/sealer/ring.c")
    text = FILES.split("answers.ring\n", 1)[1]
    assert f"{ring['TG_RING_SLOTS']} slots of {ring['TG_RING_SLOT_BYTES']}" in re.sub(r"\s+", " ", text)
    assert f"0x{ring['MARK']:x}" in text
    slot = re.findall(r"^(\d+) +(\w+)", re.search(r"^\.Bd.*?\n(.*?)^\.Ed", text, re.M | re.S)[1], re.M)
    assert sum(int(width) for width, _ in slot) == ring["TG_RING_SLOT_BYTES"]
    infos = re.findall(r'"(tollgate 1 [^"]+)"', source("src/sealer/keys.c"))
    assert len(infos) == 6 and not [one for one in infos if one not in FILES]


def test_the_rows_of_the_record():
    parts = {kind: words.lower().replace("part_", "").replace(" | ", "|").split("|") for kind, words in
             re.findall(r"\[TG_ROW_(\w+)\] = ([A-Z_ |]+),", source("src/store/row.c"))}
    order = ["ticket", "claim", "place", "quota", "result", "settle", "words"]
    expected = {kind.lower().replace("_", " "): sorted(one, key=order.index) for kind, one in parts.items()}
    block = next(one for one in blocks(FILES, ".Ss store/") if "carry open" in one)
    rows = re.findall(r"^(\d+) +([a-z ]+?) {2,}([a-z, ]+)$", block, re.M)
    assert {name: words.split(", ") for _, name, words in rows} == expected
    assert {name: int(number) for number, name, _ in rows} == {
        name.lower().replace("_", " "): number for name, number in enumeration("src/store/row.h", "TG_ROW_").items()}
    head = re.search(r"^static void write_head\(.*?^}", source("src/store/row.c"), re.M | re.S)[0]
    written = [(NUMBER.get(kind, ""), name) for kind, name in re.findall(r"tg_buf_put_?(\w*)\(out, .*?row->(\w+)", head)]
    block = next(one for one in blocks(FILES, ".Ss store/") if one.startswith("1   version"))
    said = re.findall(r"^(\d+) +(\w+)", block, re.M)
    assert [name for _, name in said] == ["version", *(name for _, name in written)]
    assert all(width in ("", told) for (width, _), (told, _) in zip(written, said[1:]))


def test_the_tables_of_both_stores():
    for path, names in ((ROOT / "src/store/schema").glob("*.sql"), 7), ((ROOT / "src/store/schema/segment").glob("*.sql"), 3), (
            (ROOT / "src/store/schema/postgres").glob("*.sql"), 12):
        tables = {name for one in path for name in re.findall(r"CREATE TABLE (\w+)", one.read_text())}
        assert len(tables) >= names
        kept = {one for one in tables if not re.fullmatch(r"tollgate_(partner|credential|payment_limit|certificate|route|sealer)",
                                                          one)}  # as in the folder
        assert not [one for one in kept if not re.search(rf"\b{one}\b", FILES)], tables


def test_the_key_file_of_a_segment():
    mark = int(re.search(r"#define KEYS_MARK (0x\w+)u", source("src/store/keys.c"))[1], 16)
    assert f'"{mark.to_bytes(8, "little").decode()}"' in FILES


def test_the_backup_file():
    text = FILES.split(".Ss Backup files")[1].split("\n.Ss ")[0]
    sealed = constants("src/cli/sealed.h", "src/cli/archive.h", "src/cli/archive.c", "src/crypto/passphrase.h")
    piece, over = sealed["TG_SEALED_PIECE_BYTES"], sealed["TG_SEALED_OVERHEAD_BYTES"]
    assert f"{over} to {piece + over}" in text and f"at most {piece} bytes" in text
    assert f"{sealed['TG_SCRYPT_WORK_MIN']} to {sealed['TG_SCRYPT_WORK_MAX']}: scrypt's N is 2^work ({sealed['TG_SCRYPT_WORK_DEFAULT']})" in text
    assert f"the {sealed['TG_SEALED_HEAD_BYTES']} bytes of the head" in text
    assert f"at most {sealed['ABOUT_BYTES_MAX']}" in text and f"at most {sealed['TG_ARCHIVE_NAME_BYTES_MAX']}" in text
    about = re.search(r"^static json_t \*about_make.*?^}", source("src/cli/backup.c"), re.M | re.S)[0]
    names = set(re.findall(r'"([a-z_]+)"', about))
    assert len(names) == 6 and not [name for name in names if f".Cm {name}" not in text]


def test_the_program_that_moves_stores():
    done = subprocess.run([str(BUILD / "tollgate-store")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=10, check=False)
    assert done.returncode == 2
    usage = done.stdout.decode()
    page = (PAGES / "tollgate-store.8").read_text()
    assert (commands := set(re.findall(r"tollgate-store (\w+)", usage))) >= {"migrate", "copy", "verify"}
    assert not [one for one in commands if f".It Cm {one}\n" not in page]
    assert not [one for one in set(re.findall(r"--([a-z-]+)", usage)) if f".It Fl -{one} " not in page]


def test_every_program_of_a_package_has_a_page():
    programs = {name for path in (ROOT / "debian").glob("*.install") for name in re.findall(r"bin/(\S+)", path.read_text())}
    assert len(programs) == 5
    assert not [name for name in programs if not list(PAGES.glob(f"{name}.[18]"))]
