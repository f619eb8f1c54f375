// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors that the hardware reports (memory controllers, PCIe, machine checks), and
 * stalls of RCU. Only the arguments that are used are named: what follows them has
 * changed between kernels.
 */
#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "fault.bpf.h"
#include "ffdc/abi/ras.h"

char _license[] SEC("license") = "GPL";

/* include/linux/edac.h: enum hw_event_mc_err_type */
#define HW_EVENT_ERR_CORRECTED 0
#define HW_EVENT_ERR_FATAL 3
#define HW_EVENT_ERR_INFO 4
/* include/linux/aer.h */
#define AER_FATAL 1
#define AER_CORRECTABLE 2
/* arch/x86/include/asm/mce.h */
#define MCI_STATUS_UC (1ull << 61)
#define MCI_STATUS_PCC (1ull << 57)

static __always_inline struct ffdc_ras_error *ras_record(__u32 source, __u32 severity)
{
	const __u64 now = bpf_ktime_get_ns();
	struct ffdc_ras_error *record;

	if (!fault_admitted(FFDC_FAULT_RAS, source, severity, now))
		return NULL;
	record = fault_reserve(sizeof(*record), FFDC_FAULT_RAS, now);
	if (!record)
		return NULL;
	record->status = 0;
	record->source = source;
	record->severity = severity;
	record->count = 1;
	record->bank = 0;
	record->label[0] = '\0';
	record->message[0] = '\0';
	return record;
}

SEC("tp_btf/mc_event")
int BPF_PROG(mc_event, unsigned int type, const char *message, const char *label, int count)
{
	struct ffdc_ras_error *record;

	if (type == HW_EVENT_ERR_INFO)
		return 0;
	record = ras_record(FFDC_RAS_MEMORY, type == HW_EVENT_ERR_CORRECTED ? FFDC_RAS_CORRECTED
					     : type == HW_EVENT_ERR_FATAL   ? FFDC_RAS_FATAL
									    : FFDC_RAS_UNCORRECTED);
	if (!record)
		return 0;
	record->count = count;
	bpf_probe_read_kernel_str(record->label, sizeof(record->label), label);
	bpf_probe_read_kernel_str(record->message, sizeof(record->message), message);
	fault_submit(record);
	return 0;
}

SEC("tp_btf/aer_event")
int BPF_PROG(aer_event, const char *device, __u32 status, __u8 severity)
{
	struct ffdc_ras_error *record =
		ras_record(FFDC_RAS_PCIE, severity == AER_CORRECTABLE ? FFDC_RAS_CORRECTED
					  : severity == AER_FATAL     ? FFDC_RAS_FATAL
								      : FFDC_RAS_UNCORRECTED);

	if (!record)
		return 0;
	record->status = status;
	bpf_probe_read_kernel_str(record->label, sizeof(record->label), device);
	fault_submit(record);
	return 0;
}

/*
 * "x86/mce: Add wrapper for struct mce to export vendor specific info" (6.13): the
 * argument is a struct mce_hw_err, which starts with the struct mce.
 */
SEC("tp_btf/mce_record")
int BPF_PROG(mce_record, struct mce *mce)
{
	struct ffdc_ras_error *record;
	__u64 status;

	if (!mce) /* as the verifier of 6.12 wants it: see fs_error.bpf.c */
		return 0;
	status = BPF_CORE_READ(mce, status);
	record = ras_record(FFDC_RAS_MCE, status & MCI_STATUS_PCC  ? FFDC_RAS_FATAL
					  : status & MCI_STATUS_UC ? FFDC_RAS_UNCORRECTED
								   : FFDC_RAS_CORRECTED);
	if (!record)
		return 0;
	record->status = status;
	record->bank = BPF_CORE_READ(mce, bank);
	fault_submit(record);
	return 0;
}

SEC("tp_btf/rcu_stall_warning")
int BPF_PROG(rcu_stall_warning, const char *flavour, const char *message)
{
	const __u64 now = bpf_ktime_get_ns();
	struct ffdc_rcu_stall *record;

	if (!fault_admitted(FFDC_FAULT_RCU_STALL, 0, 0, now))
		return 0;
	record = fault_reserve(sizeof(*record), FFDC_FAULT_RCU_STALL, now);
	if (!record)
		return 0;
	record->flavour[0] = '\0';
	record->message[0] = '\0';
	bpf_probe_read_kernel_str(record->flavour, sizeof(record->flavour), flavour);
	bpf_probe_read_kernel_str(record->message, sizeof(record->message), message);
	fault_submit(record);
	return 0;
}
