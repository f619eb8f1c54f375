#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what FFDC needs: `install-deps.sh build` (default), or `install-deps.sh test`
# for the tests, linters and benchmarks too. Knows apt and dnf; needs root only if
# something is missing.
set -eu

want=${1:-build}
case $want in
build | test) ;;
*)
	echo "install-deps.sh: unknown set '$want': use 'build' or 'test'" >&2
	exit 2
	;;
esac

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "install-deps.sh: packages are missing and this is not root: run as root: $*" >&2
		exit 1
	fi
}

apt_build='g++ cmake ninja-build pkg-config ccache clang llvm bpftool libbpf-dev
	libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc
	libtomlplusplus-dev libcli11-dev libspdlog-dev libexpected-dev rapidjson-dev
	libarchive-dev libzstd-dev libxxhash-dev libsqlite3-dev libsystemd-dev libudev-dev libdevmapper-dev libssl-dev
	libnl-3-dev libnl-route-3-dev libcurl4-openssl-dev librados-dev libradospp-dev libre2-dev
	util-linux mount ca-certificates'
apt_test='libgtest-dev libgmock-dev clang-format clang-tidy libclang-rt-dev shellcheck fio
	libbpf-tools sqlite3 zstd procps python3 e2fsprogs iproute2
	libfuse3-dev qemu-system-x86 mmdebstrap cpio kmod xz-utils
	etcd-server etcd-client libfaketime openssl iptables
	ceph-mon ceph-osd ceph-mgr ceph-common'

dnf_build='gcc-c++ cmake ninja-build pkgconf-pkg-config ccache clang llvm bpftool libbpf-devel
	grpc-devel grpc-plugins protobuf-devel protobuf-compiler
	tomlplusplus-devel cli11-devel spdlog-devel expected-devel rapidjson-devel
	libarchive-devel libzstd-devel xxhash-devel sqlite-devel systemd-devel device-mapper-devel openssl-devel util-linux
	libnl3-devel libcurl-devel librados-devel libradospp-devel re2-devel'
dnf_test='gtest-devel gmock-devel clang-tools-extra compiler-rt ShellCheck fio
	libbpf-tools sqlite zstd procps-ng python3 e2fsprogs iproute
	fuse3-devel qemu-system-x86-core mmdebstrap cpio kmod xz
	etcd libfaketime openssl iptables
	ceph-mon ceph-osd ceph-mgr ceph-common'

if command -v apt-get >/dev/null; then
	packages=$apt_build
	[ "$want" = test ] && packages="$packages $apt_test"
	# shellcheck disable=SC2086 # a list of words
	installed=$(dpkg-query -W -f '${Status} ${Package}\n' $packages 2>/dev/null |
		sed -n 's/^install ok installed //p')
	# shellcheck disable=SC2086 # a list of words
	missing=$(printf '%s\n' $packages | grep -vxF "$installed" | paste -sd ' ' -)
	[ -z "$missing" ] && exit 0
	echo "install-deps.sh: installing $missing"
	as_root apt-get -qq update
	# shellcheck disable=SC2086 # a list of words
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing >/dev/null
elif command -v dnf >/dev/null; then
	packages=$dnf_build
	[ "$want" = test ] && packages="$packages $dnf_test"
	# shellcheck disable=SC2086 # a list of words
	rpm -q $packages >/dev/null 2>&1 || as_root dnf -q -y install $packages
else
	echo "install-deps.sh: neither apt-get nor dnf found: install these (Debian names) by hand: $apt_build" >&2
	exit 1
fi
