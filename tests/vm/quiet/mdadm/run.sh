#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2046 # two names
set -- $(scsi_debug add_host=2 per_host_store=1)
start_agent
mdadm --create --quiet --run /dev/md0 --level=1 --raid-devices=2 --metadata=1.2 "/dev/$1" "/dev/$2"
reader database /dev/md0
until_ok 30 grep -q '\[UU\]' /proc/mdstat
sleep 2
systemctl stop database
mdadm --stop --quiet /dev/md0
mdadm --zero-superblock "/dev/$1" "/dev/$2"
