#!/bin/bash
# The one meaning of green, for people and for CI: locked restore, build without warnings, all tests, format, line length.
#   ops/check.sh               runs all steps, in this order: restore build test format lines
#   ops/check.sh format lines  runs only these
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

step_restore() { dotnet restore --locked-mode; }
step_build() { dotnet build --no-restore --configuration Release; }
step_test() { ops/test.sh --no-build; }

# Prints the files whose layout differs. "dotnet tool exec --yes csharpier@1.3.0 format src tests" corrects them.
step_format() { dotnet tool exec --yes csharpier@1.3.0 check src tests; }

# Prints FILE:LINE of each line that is too long. The formatter wraps neither comments nor strings: wrap these by hand.
step_lines() {
    local longest=140 files long
    files=$(git ls-files '*.cs') && [[ -n $files ]] || return
    # Characters, not bytes: therefore a UTF-8 locale. grep ends with code 1, and xargs with 123, when no line matches.
    long=$(LC_ALL=C.UTF-8 xargs -d '\n' grep -nHE "^.{$((longest + 1)),}" <<< "$files" | cut -d: -f1,2) || true
    [[ -n $long ]] || return 0
    echo "$long"
    echo "These lines have more than $longest characters." >&2
    return 1
}

(( $# > 0 )) || set -- restore build test format lines
for step in "$@"; do
    case $step in
        restore | build | test | format | lines) ;;
        *) sed -n '3,4p' "$0" >&2; exit 2 ;;
    esac
done

for step in "$@"; do
    echo "== $step"
    "step_$step" || { code=$?; echo "ops/check.sh: NOT green: $step failed (exit code $code)." >&2; exit "$code"; }
done
echo "ops/check.sh: green: $*"
