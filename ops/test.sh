#!/bin/bash
# Runs every test against a private RabbitMQ and a private PostgreSQL, and removes both afterwards.
#   ops/test.sh                              builds and runs all tests
#   ops/test.sh --containers                 servers in containers (Testcontainers). Without it: if a Docker engine answers
#   ops/test.sh --packages                   servers from the packages of Debian or Ubuntu. Without it: if no Docker engine answers
#   ops/test.sh --filter-class '*Servers*'   further arguments go to dotnet test, for example --no-build, --list-tests, --filter-method
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

# SIGTERM to a process and all its children. 10 s to end cleanly, and for a server that is just being restarted to write its process id;
# then SIGKILL.
end() {
    [[ -n $1 ]] || return 0
    kill -TERM -- "-$1" 2> /dev/null || true
    for (( i = 0; i < 100; i++ )); do kill -0 "$1" 2> /dev/null || break; sleep 0.1; done
    kill -KILL -- "-$1" 2> /dev/null || true
}

clean_up() {
    trap '' INT TERM HUP    # a second Ctrl-C must not interrupt the clean-up
    end "$running"
    end "$containers"
    "$ops/servers.sh" stop "$folder"
    rm -rf "$folder"
}

# The program holds the containers until it is ended, and writes the exports when both servers answer.
start_containers() {
    local project=$ops/../tests/Dispatcher.TestContainers
    [[ " $* " == *" --no-build "* ]] || run dotnet build "$project" --configuration Release --verbosity quiet --nologo || return
    setsid "$project/bin/Release/net10.0/Dispatcher.TestContainers" "$folder" < /dev/null > "$folder/containers.output" 2>&1 &
    containers=$!
    # 5 minutes, for a first pull of the images.
    for (( i = 0; i < 1500; i++ )); do
        [[ ! -e $folder/exports ]] || return 0
        kill -0 "$containers" 2> /dev/null || break
        sleep 0.2
    done
    echo "ops/test.sh: the containers do not start; the end of the output:" >&2
    tail -n 20 "$folder/containers.output" >&2
    end "$containers"
    containers=
    return 1
}

start_packages() { require_packages && run "$ops/servers.sh" start "$folder"; }

servers=
case ${1:-} in
    --containers | --packages) servers=${1#--}; shift ;;
esac

running= containers= folder=$(mktemp -d "${TMPDIR:-/tmp}/dispatcher-test.XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [[ -n $servers ]]; then
    "start_$servers" "$@" || exit 3
elif docker info > /dev/null 2>&1 && start_containers "$@"; then
    servers=containers
else
    # No Docker engine, or it has no images and cannot pull them.
    servers=packages
    start_packages || exit 3
fi
echo "ops/test.sh: RabbitMQ and PostgreSQL run from $servers" >&2
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
