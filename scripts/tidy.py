#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over the units of a compilation database, several at once: tidy.py [--single] [--checks=CHECKS] DATABASE FILE...

Nearly all of clang-tidy's time goes into headers, so what is compiled as one unit is read as
one too: of each file named, the unit that it is in."""

import argparse
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys


def flags_of(command):
    """The include paths and macros a unit is compiled with; no optimizer, no warnings."""
    words = iter(shlex.split(command))
    kept = []
    for word in words:
        if word.startswith(("-I", "-D", "-std=")):
            kept.append(word)
        elif word == "-isystem":
            kept += [word, next(words)]
    return kept


def sources_of(unit):
    """The files that a unit is made of."""
    if os.path.basename(os.path.dirname(unit)) != "Unity":
        return [unit]
    with open(unit, encoding="utf-8") as file:
        return re.findall(r'^#include "(.*)"$', file.read(), re.MULTILINE)


def check(unit, flags, checks):
    """What clang-tidy has to say of the unit, or ''."""
    # A unit of several sources includes them, as it should.
    checks = ",".join(filter(None, [checks, "-bugprone-suspicious-include"]))
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
    unit_of, flags = {}, {}
    with open(arguments.database, encoding="utf-8") as file:
        for entry in json.load(file):
            flags[entry["file"]] = flags_of(entry["command"])
            for source in sources_of(entry["file"]):
                unit_of[os.path.realpath(source)] = entry["file"]
    jobs = {}
    for name in map(os.path.realpath, arguments.files):
        if name not in unit_of:
            sys.exit(f"tidy: {name} is in no target: {arguments.database} does not have it")
        jobs[name if arguments.single else unit_of[name]] = flags[unit_of[name]]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = [text for text in pool.map(lambda job: check(*job, arguments.checks), jobs.items()) if text]
    sys.stdout.write("".join(said))
    sys.exit(bool(said))


if __name__ == "__main__":
    main()
