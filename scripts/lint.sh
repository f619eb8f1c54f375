#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-format, clang-tidy and shellcheck, warnings as errors. --fix formats in place.
set -euo pipefail
cd "$(dirname "$0")/.."

ours() { git ls-files --cached --others --exclude-standard "$@"; } # [PATTERN...]

mapfile -t sources < <(ours '*.cc' '*.h' | grep -v '^bpf/\|^include/ffdc/abi/')
if [ "${1:-}" = --fix ]; then
	clang-format -i "${sources[@]}"
	exit 0
fi
clang-format --dry-run --Werror "${sources[@]}"

mapfile -t scripts < <(ours | xargs grep -lE '^#!/bin/(ba)?sh' --)
shellcheck --severity=style "${scripts[@]}"

missing=$(ours '*.cc' '*.h' '*.c' '*.sh' '*.cmake' '*.proto' Makefile |
	xargs grep -L 'SPDX-License-Identifier' -- || true)
if [ -n "$missing" ]; then
	echo "lint: no SPDX line in: $missing" >&2
	exit 1
fi

# clang-tidy reads the generated headers: they must be there.
scripts/check.sh build ffdc_generated
mapfile -t units < <(ours 'agent/*.cc')
# The static analyzer takes as long again as all other checks: LINT_DEEP=1 has it too.
if [ -n "${LINT_DEEP:-}" ]; then
	scripts/tidy.py --single build/compile_commands.json "${units[@]}"
else
	scripts/tidy.py --checks='-clang-analyzer-*' build/compile_commands.json "${units[@]}"
fi
echo "lint: ${#sources[@]} sources, ${#scripts[@]} scripts clean"
