#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the units of a compilation database, several at once: tidy.py [--single] [--checks=CHECKS] DATABASE FILE...

Nearly all of clang-tidy's time goes into headers, so files of one folder are read as one
unit. Those that cannot be (two have a name of their own in common) are split until they can."""

import argparse
import collections
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import tempfile

FILES_A_UNIT = 12


def flags_of(database):
    """The include paths and macros each file is compiled with; no optimizer, no warnings."""
    flags = {}
    with open(database, encoding="utf-8") as file:
        entries = json.load(file)
    for entry in entries:
        words = iter(shlex.split(entry["command"]))
        kept = []
        for word in words:
            if word.startswith(("-I", "-D", "-std=")):
                kept.append(word)
            elif word == "-isystem":
                kept += [word, next(words)]
        flags[os.path.realpath(entry["file"])] = kept
    return flags


def unit_of(files, folder):
    """One source that holds them all."""
    if len(files) == 1:
        return files[0]
    with tempfile.NamedTemporaryFile("w", suffix=".cc", dir=folder, delete=False) as unit:
        unit.writelines(f'#include "{name}"  // NOLINT\n' for name in files)
    return unit.name


def check(files, flags, checks, folder):
    """What clang-tidy has to say of the files, or ''."""
    unit = unit_of(files, folder)
    if len(files) > 1 and subprocess.run(["clang++", "-fsyntax-only", "-w", *flags, unit], check=False,
                                         stderr=subprocess.DEVNULL).returncode:
        half = len(files) // 2
        return check(files[:half], flags, checks, folder) + check(files[half:], flags, checks, folder)
    done = subprocess.run(["clang-tidy", "--quiet", f"--checks={checks}", "--warnings-as-errors=*",
                           f"--config-file={os.path.join(os.getcwd(), '.clang-tidy')}",
                           r"--header-filter=/agent/.*\.(h|cc)$", unit, "--", *flags],
                          check=False, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--single", action="store_true", help="each file on its own")
    parser.add_argument("database")
    parser.add_argument("--checks", default="", help="as for clang-tidy; the default is what .clang-tidy says")
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    flags = flags_of(arguments.database)
    groups = collections.defaultdict(list)
    for name in map(os.path.realpath, arguments.files):
        if name not in flags:
            sys.exit(f"tidy: {name} is in no target: {arguments.database} does not have it")
        groups[os.path.dirname(name), tuple(flags[name])].append(name)
    size = 1 if arguments.single else FILES_A_UNIT
    units = [(group[i:i + size], given) for (_, given), group in sorted(groups.items())
             for i in range(0, len(group), size)]
    with tempfile.TemporaryDirectory(prefix="ffdc-tidy.") as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [text for text in pool.map(lambda unit: check(*unit, arguments.checks, folder), units) if text]
    sys.stdout.write("".join(said))
    sys.exit(bool(said))


if __name__ == "__main__":
    main()
