#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
disk=/dev/$(scsi_debug)
start_agent
mix() { # NAME OPTION...
	fio --name="$1" --filename="$disk" --size=32m --runtime=3 --time_based --bsrange=4k-256k --output=/out/fio-"$1" "${@:2}"
}
mix direct --rw=randrw --direct=1 --ioengine=libaio --iodepth=32
mix buffered --rw=randrw --fsync=16 --ioengine=psync
mix trim --rw=randtrim --direct=1 --ioengine=psync
