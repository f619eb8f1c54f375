#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2046 # two names
set -- $(scsi_debug add_host=2 per_host_store=1)
start_agent
vgcreate -q -y vg "/dev/$1" "/dev/$2"
lvcreate -q -y -L 12M -n data vg "/dev/$1"
reader database /dev/vg/data
lvconvert -q -y -m 1 --type mirror --mirrorlog core vg/data "/dev/$2" # suspends and resumes
sleep 2
systemctl stop database
lvremove -q -y vg/data
vgremove -q -y vg
