#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Ways to a disk that can be lost: multipath, nbd, NVMe/TCP, iSCSI, NFS. Sourced by lib.sh.

# --- dm-multipath -----------------------------------------------------------------------

# Two paths to one disk, "sda sdb", whose map is dm-0. The kernel's part alone: no daemon.
multipath_map() { # NAME QUEUE_MODE PATH...
	local name=$1 mode=$2 size path table
	shift 2
	modprobe -a dm_multipath dm_service_time
	# udev asks multipath-tools about every map; they fail the paths of one they do not know.
	ln -sfn /dev/null /etc/udev/rules.d/56-dm-mpath.rules
	udevadm control --reload
	size=$(sectors "/dev/$1")
	table="0 $size multipath 3 queue_if_no_path queue_mode $mode 0 1 1 service-time 0 $# 1"
	for path in "$@"; do table+=" /dev/$path 1"; done
	dmsetup create "$name" --uuid "mpath-ffdc-$name" --table "$table"
	udevadm settle
}

path_state() { # DISK offline|running
	echo "$2" >"/sys/block/$1/device/state"
}

reinstate() { # MAP PATH...
	local map=$1 path
	shift
	for path in "$@"; do
		path_state "$path" running
		dmsetup message "$map" 0 "reinstate_path $(<"/sys/block/$path/dev")"
	done
}

# --- nbd --------------------------------------------------------------------------------

nbd_disk() { # [OPTION...]: /dev/nbd0, served by a process of this machine
	modprobe nbd nbds_max=1
	truncate -s 64M /run/nbd.img
	unit nbd nbd-server -C /dev/null -d 127.0.0.1:10809 /run/nbd.img
	until_ok 10 nbd-client 127.0.0.1 10809 /dev/nbd0 -b 4096 "$@"
	udevadm settle
}

nbd_server() { # SIGNAL
	systemctl kill --signal="$1" nbd
}

# --- NVMe over TCP, target and host in one machine ---------------------------------------

NVMET=/sys/kernel/config/nvmet
NQN=nqn.2026-01.test:disk

nvme_target() { # [PARAMETER OF nvme_core...]
	modprobe nvme_core io_timeout=5 "$@"
	modprobe null_blk nr_devices=1 gb=1
	modprobe -a nvmet nvmet_tcp nvme_tcp
	local sub=$NVMET/subsystems/$NQN
	mkdir "$sub"
	echo 1 >"$sub/attr_allow_any_host"
	mkdir "$sub/namespaces/1"
	echo -n /dev/nullb0 >"$sub/namespaces/1/device_path"
	echo 1 >"$sub/namespaces/1/enable"
	mkdir -p /etc/nvme
	echo 0c1d5a66-0000-4000-8000-000000000001 >/etc/nvme/hostid
	echo nqn.2014-08.org.nvmexpress:uuid:0c1d5a66-0000-4000-8000-000000000001 >/etc/nvme/hostnqn
	nvme_port_up 1
}

nvme_port_up() { # NUMBER
	local port=$NVMET/ports/$1
	mkdir "$port"
	echo tcp >"$port/addr_trtype"
	echo ipv4 >"$port/addr_adrfam"
	echo 127.0.0.1 >"$port/addr_traddr"
	echo "442$1" >"$port/addr_trsvcid"
	ln -s "$NVMET/subsystems/$NQN" "$port/subsystems/"
}

nvme_port_down() { # NUMBER
	rm "$NVMET/ports/$1/subsystems/$NQN"
	rmdir "$NVMET/ports/$1"
}

nvme_namespace() { # 0|1
	echo "$1" >"$NVMET/subsystems/$NQN/namespaces/1/enable"
}

nvme_connect() { # PORT [SECONDS UNTIL THE CONTROLLER IS GIVEN UP]
	nvme connect -t tcp -a 127.0.0.1 -s "442$1" -n "$NQN" --reconnect-delay=1 --ctrl-loss-tmo="${2:-600}" \
		--keep-alive-tmo=4
	until_ok 10 test -b /dev/nvme0n1
	udevadm settle
}

# --- iSCSI, target and initiator in one machine ------------------------------------------

iscsi_disk() { # prints the disk's name
	local target=/sys/kernel/config/target iqn=iqn.2026-01.test:disk tpg
	modprobe -a target_core_mod iscsi_target_mod target_core_iblock null_blk iscsi_tcp
	mkdir -p "$target/core/iblock_0/disk"
	echo udev_path=/dev/nullb0 >"$target/core/iblock_0/disk/control"
	echo 1 >"$target/core/iblock_0/disk/enable"
	tpg=$target/iscsi/$iqn/tpgt_1
	mkdir -p "$tpg/lun/lun_0" "$tpg/np/127.0.0.1:3260"
	ln -s "$target/core/iblock_0/disk" "$tpg/lun/lun_0/disk"
	echo 0 >"$tpg/attrib/authentication"
	echo 1 >"$tpg/attrib/generate_node_acls"
	echo 1 >"$tpg/attrib/cache_dynamic_acls"
	echo 0 >"$tpg/attrib/demo_mode_write_protect"
	echo 1 >"$tpg/enable"
	echo InitiatorName=iqn.2026-01.test:host >/etc/iscsi/initiatorname.iscsi
	sed -i -e 's/^\(node.session.timeo.replacement_timeout\).*/\1 = 6/' \
		-e 's/^\(node.conn\[0\].timeo.noop_out_interval\).*/\1 = 1/' \
		-e 's/^\(node.conn\[0\].timeo.noop_out_timeout\).*/\1 = 1/' /etc/iscsi/iscsid.conf
	unit initiator iscsid -f
	until_ok 10 iscsiadm -m discovery -t st -p 127.0.0.1
	iscsiadm -m node -l >/dev/null
	until_ok 10 iscsi_disks
	udevadm settle
	iscsi_disks
}

iscsi_disks() {
	local block
	for block in /sys/class/iscsi_session/session*/device/target*/*/block/*; do
		[ ! -b "/dev/${block##*/}" ] || { echo "${block##*/}" && return; }
	done
	return 1
}

# --- NFS, server and client in one machine -----------------------------------------------

nfs_server() { # the kernel's
	modprobe -a nfsd nfs nfsv4
	nfs_tree
	mkdir -p /var/lib/nfs/rpc_pipefs
	mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
	mountpoint -q /var/lib/nfs/rpc_pipefs || mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
	rpcbind -w
	rpc.mountd
	nfs_up
}

nfs_tree() { # what is exported
	mkdir -p /srv/export /mnt/nfs
	mount -t tmpfs export /srv/export
	dd if=/dev/urandom of=/srv/export/file bs=1M count=4 status=none
}

ganesha_server() { # one in user space: nfs-ganesha
	modprobe -a nfs nfsv4
	nfs_tree
	mkdir -p /run/ganesha
	ganesha_up
}

ganesha_up() {
	unit ganesha --collect ganesha.nfsd -F -f /job/guest/ganesha.conf -p /run/ganesha/pid -L /out/ganesha.log
	until_ok 60 ganesha_listens
}

ganesha_listens() { [ -n "$(ss -Hltn 'sport = :2049')" ]; }

ganesha_killed() { systemctl kill --signal=KILL ganesha; }

nfs_up() {
	echo 10 >/proc/fs/nfsd/nfsv4leasetime
	echo 10 >/proc/fs/nfsd/nfsv4gracetime
	rpc.nfsd -N 3 -V 4.2 2
	nfs_export rw
	# Nobody has state to reclaim that anyone here would miss.
	echo Y >/proc/fs/nfsd/v4_end_grace
}

nfs_export() { # rw|ro
	exportfs -i -o "$1,no_root_squash,insecure,fsid=0,no_subtree_check" '*:/srv/export'
}

nfs_down() { rpc.nfsd 0; }

nfs_mount() { # OPTIONS [VERSION]
	mount -t nfs4 -o "vers=${2:-4.2},$1" 127.0.0.1:/ /mnt/nfs
}

nfs_store() { # OPTIONS [SERVER [VERSION]]: the agent's store is on the mount, and has a capture (see expect.json: config)
	"${2:-nfs_server}"
	nfs_mount "$1" "${3:-}"
	# A server that has just begun lets nobody open a file until those from before could reclaim theirs.
	until_ok 60 touch /mnt/nfs/opened
	rm /mnt/nfs/opened
	start_agent
	ffdcctl dump --reason before
	until_ok 60 nothing_waits
	compgen -G '/mnt/nfs/v1/*/incidents/*/*/*/capture.tar.zst'
}

nothing_waits() { # all that was sealed is in the store
	[ -z "$(find /var/lib/ffdc/spool/sealed /run/ffdc/captures -mindepth 1)" ] &&
		ffdcctl incident list --json | grep -q '"state": "STORED"' &&
		! ffdcctl incident list --json | grep -qE '"state": "(COLLECTING|SEALED)"'
}

nfs_store_is_whole() { # every capture once, every checksum right
	until_ok 150 nothing_waits
	until_ok 30 all_is_stored_once
	ffdcctl store verify --all --json >/out/store-verify.json
}

half_sent() { # a capture is under way into the store
	[ -n "$(find /srv/export/v1/default/tmp -type f -size +0)" ]
}

all_is_stored_once() { # and nothing half done is left
	[ "$(compgen -G '/mnt/nfs/v1/*/incidents/*/*/*/capture.tar.zst' | wc -l)" -eq \
		"$(ffdcctl incident list --json | grep -c '"state": "STORED"')" ] &&
		[ -z "$(ls -A /mnt/nfs/v1/default/tmp)" ]
}

# --- the network -------------------------------------------------------------------------

drop() { # PORT: packets to it vanish, on this machine
	iptables -I INPUT -p tcp --dport "$1" -j DROP
}

undrop() { iptables -F INPUT; }

PEER=10.9.0.2
in_peer() { ip netns exec peer "$@"; }

# Another "machine": a network namespace behind a link of its own, near end va, far end vb.
peer_network() {
	modprobe -a veth sch_netem nf_tables
	ip netns add peer
	ip link add va type veth peer name vb netns peer
	ip address add 10.9.0.1/24 dev va
	ip link set va up
	in_peer ip address add "$PEER/24" dev vb
	in_peer ip link set vb up
	in_peer ip link set lo up
	unit peer ip netns exec peer python3 /job/guest/echo.py serve "$PEER"
	until_ok 15 python3 /job/guest/echo.py try "$PEER"
}

# A unit that talks to the peer ten times a second, and gives up after 5 s without an answer.
talker() { # NAME
	as_service "$1" python3 /job/guest/echo.py talk "$PEER"
	sleep 1.5
}
