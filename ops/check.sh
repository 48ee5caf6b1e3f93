#!/bin/bash
# The one meaning of green, for people and for CI: restored as locked, built without warnings, every test passed, formatted.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

step() { # NAME COMMAND...
    local name=$1
    shift
    echo "== $name: $*"
    "$@" || { local code=$?; echo "ops/check.sh: NOT green: $name failed (exit code $code)" >&2; exit "$code"; }
}

step restore dotnet restore --locked-mode
step build dotnet build --no-restore --configuration Release
step test ops/test.sh --no-build
step format dotnet tool exec --yes csharpier@1.3.0 check src tests
echo "ops/check.sh: green"
