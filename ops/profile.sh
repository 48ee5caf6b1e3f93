#!/bin/bash
# Shows what a running server, worker or other .NET process does, without a restart: its counters, then the methods with the most CPU time.
#   ops/profile.sh PID [SECONDS]   samples for SECONDS (default 20); run it as the user of the process, under load
# The first use downloads dotnet-counters and dotnet-trace. The trace stays in a new folder, whose name is printed; speedscope.app opens it.
# A process with DOTNET_EnableDiagnostics=0, such as a reference worker, cannot be profiled. Exit codes: 1 it failed, 2 wrong use.
set -euo pipefail

version=10.0.750501
self=$(realpath "$0")
[[ ${1:-} =~ ^[0-9]+$ && ${2:-20} =~ ^[1-9][0-9]*$ && $# -le 2 ]] || { sed -n '2,5p' "$self" >&2; exit 2; }
pid=$1 seconds=${2:-20}
[[ -d /proc/$pid ]] || { echo "ops/profile.sh: there is no process $pid" >&2; exit 1; }

duration=$(printf '%02d:%02d:%02d' $(( seconds / 3600 )) $(( seconds / 60 % 60 )) $(( seconds % 60 )))
folder=$(mktemp -d "${TMPDIR:-/tmp}/dispatcher-profile.XXXXXX")
tool() { dotnet tool exec --yes "$1@$version" -- "${@:2}"; }
