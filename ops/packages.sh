#!/bin/bash
# The packages of Debian or Ubuntu that the tests need besides the .NET SDK.
#   ops/packages.sh missing    prints the missing packages in one line; an empty line when none is missing
#   ops/packages.sh install    installs them as root, without starting their services
set -euo pipefail
shopt -s nullglob

missing() {
    local absent=()
    # The programs themselves, not the wrappers in /usr/sbin, which require root and the package's data folder.
    local brokers=(/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server) databases=(/usr/lib/postgresql/*/bin/initdb)
    (( ${#brokers[@]} )) || absent+=(rabbitmq-server)
    (( ${#databases[@]} )) || absent+=(postgresql)
    command -v git > /dev/null || absent+=(git)
    # Makes the certificates of the test servers.
    command -v openssl > /dev/null || absent+=(openssl)
    # The system's Python: only that one finds the system's pika, the AMQP client of the tests in Python.
    [[ -x /usr/bin/python3 ]] || absent+=(python3)
    /usr/bin/python3 -c 'import pika' 2> /dev/null || absent+=(python3-pika)
    # Fires the alert rules on servers with real problems.
    [[ -x /usr/bin/prometheus ]] || absent+=(prometheus)
    # ops/gate-check.sh uses these two.
    command -v curl > /dev/null || absent+=(curl)
    command -v bc > /dev/null || absent+=(bc)
    echo "${absent[*]}"
}

install() {
    if (( EUID != 0 )); then
        echo "ops/packages.sh: install needs root; run: sudo $0 install" >&2
        exit 3
    fi

    # One at a time on a machine: otherwise a second run would remove the policy file of the first one too early.
    exec 9> /run/lock/dispatcher-packages
    flock 9
    local wanted
    read -r -a wanted <<< "$(missing)"
    (( ${#wanted[@]} )) || return 0

    # 101 = "not allowed": Debian's documented way to install a service without starting it. An existing file is the administrator's, and stays.
    local policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap "rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod 755 "$policy"
    fi

    echo "ops/packages.sh: installing ${wanted[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    apt-get -qq -o DPkg::Lock::Timeout=300 update >&2
    apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "${wanted[@]}" >&2 9>&-

    local still
    still=$(missing)
    if [[ -n $still ]]; then
        echo "ops/packages.sh: apt-get succeeded, but these are not where Debian and Ubuntu install them: $still" >&2
        exit 3
    fi
}

case ${1:-} in
    missing | install) "$1" ;;
    *) echo "usage: ops/packages.sh missing|install" >&2; exit 2 ;;
esac
