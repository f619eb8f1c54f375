# SPDX-License-Identifier: Apache-2.0
"""The agent's configuration in the guest: what the test bed needs, and a test's own keys."""

import json

# The machine's own disks are left out: their delays are the host's.
BASE = {
    "node": {"name": "vm"},
    "devices": {"exclude": ["vda", "vdb"]},
}


def text(overrides):
    """ffdc.toml: a test's keys win over the test bed's."""
    sections = {name: dict(keys) for name, keys in BASE.items()}
    for name, keys in overrides.items():
        sections.setdefault(name, {}).update(keys)
    lines = []
    for name, keys in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"
