#!/usr/bin/env python3
"""Writes the numbered schema steps of one folder as a C table: embed_sql.py NAME OUTPUT FILE..."""
import os
import re
import sys


def quoted(line):
    return '    "' + line.replace("\\", "\\\\").replace('"', '\\"') + '\\n"'


def main():
    name, output, files = sys.argv[1], sys.argv[2], sys.argv[3:]
    steps = []
    for path in files:
        number = re.match(r"(\d{3})-", os.path.basename(path))
        if not number:
            sys.exit(f"{path}: a schema step is named NNN-what.sql")
        steps.append((int(number.group(1)), path))
    steps.sort()
    if [number for number, _ in steps] != list(range(1, len(steps) + 1)):
        sys.exit("schema steps must be numbered 001, 002, ... without a gap")
    out = ["/* Made from the .sql files by tools/embed_sql.py. */", '#include "store/migrate.h"', ""]
    out.append(f"const struct tg_schema tg_schema_{name} = {{{len(steps)}, {{")
    for _, path in steps:
        with open(path, encoding="utf-8") as source:
            lines = [line.split("--", 1)[0].rstrip() for line in source]
        out.extend(quoted(line) for line in lines if line)
        out.append("    ,")
    out.append("}};")
    with open(output, "w", encoding="utf-8") as target:
        target.write("\n".join(out) + "\n")


main()
