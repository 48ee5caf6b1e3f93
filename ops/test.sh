#!/bin/bash
# Runs every test against a private RabbitMQ and a private PostgreSQL, and removes both afterwards. Debian or Ubuntu, no Docker engine.
#   ops/test.sh                              builds and runs all tests
#   ops/test.sh --filter-class '*Servers*'   arguments go to dotnet test, for example --no-build, --list-tests, --filter-method
#   ops/test.sh --serve                      only starts the servers, prints the variables to set, and waits for Ctrl-C
# Installs missing packages when run by root or with CI=true; otherwise ends with exit code 3 and prints the command to run.
# Exit codes: those of dotnet test (0 passed, 2 failed, 9 no test ran); 3 a server or a package is missing; 130 and 143 interrupted.
set -euo pipefail
ops=$(dirname "$(realpath "$0")")

require_packages() {
    local missing
    missing=$("$ops/packages.sh" missing)
    if [[ -z $missing ]]; then
        return 0
    elif (( EUID == 0 )); then
        "$ops/packages.sh" install
    elif [[ ${CI:-} == true ]] && sudo -n true 2> /dev/null; then
        sudo -n "$ops/packages.sh" install
    else
        echo "ops/test.sh: the tests need $missing. Install without starting any service, then run this again:" >&2
        echo "    sudo $ops/packages.sh install" >&2
        return 3
    fi
}

# In its own session and in the background: this script handles a signal at once, and one signal ends the tests and all processes that
# they started.
run() {
    setsid "$@" < /dev/null &
    running=$!
    local code=0
    wait "$running" || code=$?
    running=
    return "$code"
}

clean_up() {
    trap '' INT TERM HUP    # a second Ctrl-C must not interrupt the clean-up
    if [[ -n $running ]]; then
        kill -TERM -- "-$running" 2> /dev/null || true
        # 10 s to end cleanly, and for a server that is just being restarted to write its process id; then SIGKILL.
        for (( i = 0; i < 100; i++ )); do kill -0 "$running" 2> /dev/null || break; sleep 0.1; done
        kill -KILL -- "-$running" 2> /dev/null || true
    fi
    "$ops/servers.sh" stop "$folder"
    rm -rf "$folder"
}

require_packages
running= folder=$(mktemp -d "${TMPDIR:-/tmp}/dispatcher-test.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

run "$ops/servers.sh" start "$folder" || exit 3
# shellcheck source=/dev/null
source "$folder/exports"

if [[ ${1:-} == --serve ]]; then
    echo "# The servers answer until Ctrl-C. For another terminal:"
    cat "$folder/exports"
    run sleep infinity
fi

# Otherwise the build's worker processes would stay after the end and wait for more work.
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_UI_LANGUAGE=en
# The clean-up then also removes files that an interrupted test leaves in the temporary folder.
mkdir "$folder/tmp"
export TMPDIR="$folder/tmp"
# One test program at a time: they share the two servers, and some restart them. Code 8, no test ran, is fine for one program (a filter
# rarely matches in every one) but not for all of them together.
run dotnet test --solution "$ops/../Dispatcher.sln" --configuration Release --max-parallel-test-modules 1 --ignore-exit-code 8 --minimum-expected-tests 1 "$@"
