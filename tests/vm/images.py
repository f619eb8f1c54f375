# SPDX-License-Identifier: Apache-2.0
"""The cache of what machines boot from: built once for a recipe, and never seen half built."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
# Debian's own meta packages: the packages of the kernels themselves are looked up.
KERNELS = {"6.1": "linux-image-amd64", "6.12": "linux-image-6.12-amd64"}
# The agent is built on the host and runs in the guest: both have the same libraries.
SUITE = "bookworm"
KEPT = 2


class ImageError(Exception):
    """The images cannot be had; says why."""


def cache_folder():
    return os.environ.get("FFDC_VM_CACHE") or "/var/cache/ffdc-vm"


def _output(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _kernel_package(meta):
    """(package, version) of the kernel that the meta package stands for; None: apt knows none."""
    found = re.search(r"^\s*Depends: (linux-image-\S+)", _output("apt-cache", "depends", "--no-recommends", meta), re.M)
    if not found:
        return None
    version = re.search(r"^\s*Candidate: (\S+)", _output("apt-cache", "policy", found.group(1)), re.M)
    if not version or version.group(1) == "(none)":
        return None
    return found.group(1), version.group(1)


def _kernel_packages(refresh):
    """{"6.1": (package, version), ...}; reads apt's lists anew if asked to or if they name no kernels."""
    if refresh:
        done = subprocess.run(["apt-get", "-qq", "update"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"vm image: apt-get update: {done.stderr.strip()}", file=sys.stderr)
    found = {kernel: _kernel_package(meta) for kernel, meta in KERNELS.items()}
    missing = [KERNELS[kernel] for kernel, package in found.items() if not package]
    if not missing:
        return found
    if refresh:
        raise ImageError(f"apt knows no package {' or '.join(missing)}: is Debian {SUITE} (with security updates) "
                         "among its sources?")
    return _kernel_packages(refresh=True)


def _key(packages):
    """Changes with everything that the images are made of."""
    digest = hashlib.sha256()
    recipe = []
    for folder, folders, files in os.walk(os.path.join(HERE, "image")):
        folders.sort()
        recipe += [os.path.join(folder, name) for name in sorted(files)]
    for path in recipe:
        with open(path, "rb") as file:
            digest.update(os.path.relpath(path, HERE).encode() + b"\0" + file.read() + b"\0")
    digest.update(repr((sorted(packages.items()), machine.JOB_DISK_BYTES)).encode())
    digest.update(repr(machine.command("images", "kernel", "folder")).encode())
    # A snapshot is only good for the QEMU that took it.
    digest.update(_output(machine.QEMU, "--version").encode())
    return digest.hexdigest()[:16]


def _check_host():
    missing = [tool for tool in (machine.QEMU, "mmdebstrap", "apt-get", "mke2fs", "cpio", "depmod", "xz")
               if not shutil.which(tool)]
    if missing:
        raise ImageError(f"not found: {', '.join(missing)}; scripts/install-deps.sh test installs them")
    if os.geteuid() != 0:
        raise ImageError("the images are made by root (owners and device nodes): use sudo")


def _build(folder, packages):
    """Builds in a folder beside the final one, which appears when all is there."""
    started = time.monotonic()
    parent = os.path.dirname(folder)
    for name in os.listdir(parent):  # a build that was killed; none runs: the lock is ours
        if name.startswith(os.path.basename(folder) + ".tmp"):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
    work = tempfile.mkdtemp(prefix=os.path.basename(folder) + ".tmp", dir=parent)
    try:
        # What mmdebstrap mounts there is gone with its last process, however that ends: removing the
        # folder must not reach into the host's /sys.
        done = subprocess.run(["unshare", "--mount", os.path.join(HERE, "image", "build.sh"), work, SUITE,
                               *[f"{kernel}={package}" for kernel, (package, _) in packages.items()]], check=False)
        if done.returncode != 0:
            raise ImageError("the root filesystem could not be built; see above")
        built = time.monotonic() - started

        def snapshot(kernel):
            took = machine.take_snapshot(work, kernel, machine.base_snapshot(work, kernel))
            return f"{kernel} booted in {took:.0f} s"

        with ThreadPoolExecutor(2) as pool:
            boots = list(pool.map(snapshot, packages))
        print(f"vm image: built in {built:.0f} s, {', '.join(boots)}; "
              f"{time.monotonic() - started:.0f} s in all", flush=True)
        os.chmod(work, 0o755)
        os.rename(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _prune(parent, keep):
    """Leaves the newest images; those that another run uses are left alone too."""
    keys = [name for name in os.listdir(parent) if re.fullmatch("[0-9a-f]{16}", name)]
    keys.sort(key=lambda name: os.path.getmtime(os.path.join(parent, name)), reverse=True)
    for name in keys[KEPT:]:
        if name == keep:
            continue
        with open(os.path.join(parent, name + ".lock"), "a", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)


@contextlib.contextmanager
def images():
    """The folder of images for today's recipe, built if need be; stays while the context lasts."""
    _check_host()
    parent = cache_folder()
    os.makedirs(parent, exist_ok=True)
    packages = _kernel_packages(refresh=False)
    if not os.path.isdir(os.path.join(parent, _key(packages))):
        packages = _kernel_packages(refresh=True)  # lists that are old name packages that are gone
    folder = os.path.join(parent, _key(packages))
    with open(folder + ".lock", "a", encoding="ascii") as lock:
        while True:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if os.path.isdir(folder):
                break
            fcntl.flock(lock, fcntl.LOCK_UN)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.isdir(folder):  # nobody else built it meanwhile
                _build(folder, packages)
            fcntl.flock(lock, fcntl.LOCK_UN)
        os.utime(folder)
        _prune(parent, os.path.basename(folder))
        yield folder
