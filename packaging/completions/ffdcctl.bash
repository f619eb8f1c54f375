# SPDX-License-Identifier: Apache-2.0
# bash completion for ffdcctl(8)
# shellcheck shell=bash

_ffdcctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local -a words=()
	local i skip=
	COMPREPLY=()

	case $prev in
	--socket | -o | --output | --config | --tls-dir)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		return
		;;
	--limit | --reason | --db | --listen | --advertise | --days | --kind | --subject) return ;;
	--severity)
		mapfile -t COMPREPLY < <(compgen -W 'info warning critical' -- "$cur")
		return
		;;
	--nodes)
		mapfile -t COMPREPLY < <(compgen -W "$(ffdcctl node list --no-color 2>/dev/null | awk 'NR > 1 { print $1 }')" -- "$cur")
		return
		;;
	--valid)
		mapfile -t COMPREPLY < <(compgen -W '30m 1h 1d' -- "$cur")
		return
		;;
	--measure)
		mapfile -t COMPREPLY < <(compgen -W '2s 10s 1m' -- "$cur")
		return
		;;
	esac

	# The words that are neither options nor their values.
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ $skip ]]; then
			skip=
			continue
		fi
		case ${COMP_WORDS[i]} in
		--socket | -o | --output | --limit | --reason | --measure | --nodes | --config | --tls-dir | --db | --listen | \
			--advertise | --days | --valid | --kind | --subject | --severity) skip=1 ;;
		-*) ;;
		*) words+=("${COMP_WORDS[i]}") ;;
		esac
	done

	local reply options='--socket --json --no-color --help'
	case "${words[*]}" in
	'') reply='status watch probe event incident store resource node cluster dump config selftest' options+=' --version' ;;
	watch) options+=' --kind --subject --severity' ;;
	probe) reply=list ;;
	'probe list') options+=' --measure' ;;
	event) reply='list watch' ;;
	'event list') options+=' --limit' ;;
	incident) reply='list show pull verify pin unpin delete' ;;
	'incident list') options+=' --open --closed --limit' ;;
	store) reply='init status ls verify gc migrate' ;;
	'store verify') options+=' --all' ;;
	config) reply=show ;;
	resource) reply=list ;;
	node) reply='list remove' ;;
	cluster) reply='init token join leave status' ;;
	'cluster init') options+=' --db --listen --advertise --config --tls-dir --days' ;;
	'cluster token') options+=' --valid' ;;
	'cluster join'*) options+=' --listen --advertise --config --tls-dir' ;;
	'cluster leave') options+=' --yes' ;;
	dump) options+=' --reason --all --nodes' ;;
	'incident pull'*) options+=' --output' ;;
	'incident delete'*) options+=' --yes' ;;
	esac
	case "${words[*]}" in
	'incident show' | 'incident pull' | 'incident verify' | 'incident pin' | 'incident unpin' | 'incident delete' | 'store verify')
		reply=$(ffdcctl incident list --no-color 2>/dev/null | awk 'NR > 1 { print $1 }')
		;;
	'node remove')
		reply=$(ffdcctl node list --no-color 2>/dev/null | awk 'NR > 1 { print $1 }')
		;;
	esac
	[[ $cur == -* ]] && reply=$options
	mapfile -t COMPREPLY < <(compgen -W "$reply" -- "$cur")
}
complete -F _ffdcctl ffdcctl
