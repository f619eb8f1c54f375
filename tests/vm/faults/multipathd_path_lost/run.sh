#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
scsi_debug add_host=2 vpd_use_hostno=0
cat >/etc/multipath.conf <<-END
	defaults {
		find_multipaths no
		polling_interval 1
		no_path_retry queue
	}
	blacklist {
		devnode "^vd"
	}
END
systemctl start multipathd
until_ok 20 test -b /dev/dm-0
udevadm settle
start_agent
reader database /dev/dm-0
sleep 1
mark
path_state sda offline
wait_event path.degraded
mark repair
path_state sda running # multipathd's checker finds it
wait_event path.restored
