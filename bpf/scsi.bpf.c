// SPDX-License-Identifier: GPL-2.0-only
/*
 * What SCSI devices say: commands that timed out, and commands that ended with an
 * error, whether they are tried again or not. A good command costs a load and a
 * branch.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "command.bpf.h"
#include "fault.bpf.h"
#include "ffdc/abi/scsi.h"

char _license[] SEC("license") = "GPL";

#define SAM_STAT_CHECK_CONDITION 0x02
#define SENSE_BYTES 14 /* up to the ASCQ of the fixed format */

struct sense {
	__u8 response;
	__u8 key;
	__u8 asc;
	__u8 ascq;
};

/* struct request and the driver's own data are one allocation (blk_mq_rq_to_pdu), since 5.0 for SCSI. */
static __always_inline struct request *command_request(struct scsi_cmnd *cmd)
{
	return (void *)cmd - bpf_core_type_size(struct request);
}

/*
 * ce70fd9a551a ("scsi: core: Remove the cmd field from struct scsi_request", 5.18):
 * the CDB was elsewhere before.
 */
static __always_inline __u8 command_opcode(struct scsi_cmnd *cmd)
{
	struct scsi_cmnd___old *old = (void *)cmd;
	__u8 opcode = 0;

	if (bpf_core_field_exists(old->cmnd))
		bpf_probe_read_kernel(&opcode, sizeof(opcode), BPF_CORE_READ(old, cmnd));
	else
		bpf_core_read(&opcode, sizeof(opcode), &cmd->cmnd);
	return opcode;
}

/* SPC-6, 4.4: fixed format 70h and 71h, descriptor format 72h and 73h. */
static __always_inline void read_sense(struct scsi_cmnd *cmd, struct sense *sense)
{
	__u8 bytes[SENSE_BYTES] = {};

	if (bpf_probe_read_kernel(bytes, sizeof(bytes), cmd->sense_buffer))
		return;
	switch (bytes[0] & 0x7f) {
	case 0x70:
	case 0x71:
		sense->key = bytes[2] & 0xf;
		/* Additional sense length: whether the bytes below were sent at all. */
		if (bytes[7] > 4)
			sense->asc = bytes[12];
		if (bytes[7] > 5)
			sense->ascq = bytes[13];
		break;
	case 0x72:
	case 0x73:
		sense->key = bytes[1] & 0xf;
		sense->asc = bytes[2];
		sense->ascq = bytes[3];
		break;
	default:
		return;
	}
	sense->response = bytes[0] & 0x7f;
}

/* Not inlined, so that the record's type is in the object's BTF, for the test of its layout. */
static __noinline void fill_request(struct ffdc_scsi_error *error, struct request *rq)
{
	const __u64 start = BPF_CORE_READ(rq, start_time_ns);
	const __u64 now = error->header.time_ns;

	error->sector = command_sector(rq);
	error->waited_ns = start && start < now ? now - start : 0;
	command_cgroup(rq, &error->cgroup_id, &error->cgroup_hierarchy);
	error->len_bytes = BPF_CORE_READ(rq, __data_len);
	error->op = BPF_CORE_READ(rq, cmd_flags) & REQ_OP_MASK;
}

static __noinline int command_failed(struct scsi_cmnd *cmd, __u32 kind)
{
	const __u64 now = bpf_ktime_get_ns();
	struct ffdc_scsi_error *error;
	struct sense sense = {};
	struct request *rq;
	__u32 dev, detail = 0;
	__u8 host = 0, status = 0;

	if (!cmd)
		return 0;
	rq = command_request(cmd);
	dev = command_dev(command_disk(rq));
	if (!command_concerns(rq, dev))
		return 0;
	if (kind == FFDC_FAULT_SCSI_ERROR) {
		host = cmd->result >> 16;
		status = cmd->result;
		if (status == SAM_STAT_CHECK_CONDITION)
			read_sense(cmd, &sense);
		detail = sense.response ? FFDC_SCSI_SENSE_DETAIL(host, sense.key, sense.asc, sense.ascq) :
					  FFDC_SCSI_STATUS_DETAIL(host, status);
	}
	if (!fault_admitted(kind, dev, detail, now))
		return 0;
	error = fault_reserve(sizeof(*error), kind, now);
	if (!error)
		return 0;
	fill_request(error, rq);
	error->dev = dev;
	error->retries = cmd->retries;
	error->allowed = cmd->allowed;
	error->opcode = command_opcode(cmd);
	error->host = host;
	error->status = status;
	error->response = sense.response;
	error->key = sense.key;
	error->asc = sense.asc;
	error->ascq = sense.ascq;
	fault_submit(error);
	return 0;
}

SEC("tp_btf/scsi_dispatch_cmd_done")
int BPF_PROG(scsi_dispatch_cmd_done, struct scsi_cmnd *cmd)
{
	/* A module's tracepoint may pass NULL, says 6.12. */
	if (!cmd || !cmd->result)
		return 0;
	return command_failed(cmd, FFDC_FAULT_SCSI_ERROR);
}

SEC("tp_btf/scsi_dispatch_cmd_timeout")
int BPF_PROG(scsi_dispatch_cmd_timeout, struct scsi_cmnd *cmd)
{
	return command_failed(cmd, FFDC_FAULT_SCSI_TIMEOUT);
}
