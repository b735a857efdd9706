"""The search for secrets that ends every suite.

Promises: looks into every file below a folder (stores, logs, metrics files,
cores) for the secrets it is given, for the cards that processors publish for
tests, and for anything shaped like an API key of ours. Files whose purpose is
to hold a secret are named by the caller and passed over.
"""
import re

# Cards that processors publish for tests.
TEST_CARDS = ["4242424242424242", "5555555555554444", "378282246310005", "4000056655665556", "4111111111111111"]
API_KEY = re.compile(rb"tgk_(?:test|live)_[a-z2-7]{59}")


def found(folder, secrets=(), spare=()):
    """Where a secret stands, as text without the secret itself; empty when nowhere. spare: file or folder names."""
    needles = [secret if isinstance(secret, bytes) else secret.encode() for secret in [*secrets, *TEST_CARDS]]
    places = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or any(part in spare for part in path.relative_to(folder).parts):
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue
        name = path.relative_to(folder)
        places += [f"{name} holds secret {number}" for number, needle in enumerate(needles) if needle in content]
        if API_KEY.search(content):
            places.append(f"{name} holds an API key")
        if content[:4] == b"\x7fELF" and path.name.startswith("core"):
            places.append(f"{name} is a core dump")
    return places
