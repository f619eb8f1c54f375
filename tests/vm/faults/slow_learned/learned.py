#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a baselines.pb: learned.py FILE DISK_ID MS IOS_PER_S BYTES says that the disk
answered reads so for hours (include/ffdc/proto/ffdc/v1/baseline.proto, agent/detect/baseline.cc)."""

import hashlib
import math
import struct
import sys


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def baseline(samples):
    return struct.pack("<BI", 1, 3600) + b"".join(samples)


path, disk, milliseconds, rate, size = sys.argv[1], sys.argv[2], *map(float, sys.argv[3:6])
windows = []
for i in range(200):
    ns = milliseconds * 1e6 * (0.9 + 0.02 * (i % 11))
    ios = rate * (0.8 + 0.04 * (i % 13))
    windows.append(struct.pack("<HHHBB", int(math.log2(ns) * 1024), 0, int(math.log2(ios + 1) * 1024),
                               int(math.log2(size) * 4), i % 24))
disks = field(1, field(1, disk.encode()) + field(2, baseline(windows)) + field(3, baseline([])))
with open(path, "wb") as file:
    file.write(field(1, hashlib.sha256(disks).hexdigest().encode()) + field(2, disks))
