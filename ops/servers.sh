#!/bin/bash
# A private RabbitMQ and a private PostgreSQL for one test run: own ports on 127.0.0.1, an unprivileged user, all data in FOLDER.
#   ops/servers.sh start FOLDER                                returns when both answer; FOLDER/exports then sets the variables of the tests
#   ops/servers.sh restart rabbitmq|postgres FOLDER [kill]     same data, same port; "kill" ends it with SIGKILL, as a crash would
#   ops/servers.sh stop FOLDER                                 ends both by process id, with SIGKILL, because the data is not kept
set -euo pipefail

self=$(realpath "$0")
# shellcheck source=ops/processes.sh
source "${self%/*}/processes.sh"

# RabbitMQ opens its listeners last, so an answer to the protocol header means that it is ready, with its plugins.
rabbitmq_answers() { (exec 3<> "/dev/tcp/127.0.0.1/$amqp_port" && printf 'AMQP\0\0\11\1' >&3 && read -r -t 5 -n 1 -u 3); }
postgres_answers() { "$postgres_bin/pg_isready" -q -h 127.0.0.1 -p "$sql_port"; }

# A CA of this run, and one certificate for 127.0.0.1 alone: "localhost" is a wrong name.
make_certificates() {
    local t=$folder/tls
    mkdir -p "$t"
    make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
    make_key "$t/ca.key" && make_key "$t/server.key"
    openssl req -x509 -key "$t/ca.key" -days 2 -subj "/CN=dispatcher test CA" -addext keyUsage=critical,keyCertSign -out "$t/ca.pem"
    openssl req -new -key "$t/server.key" -subj "/CN=dispatcher test server" -out "$t/server.csr"
    openssl x509 -req -in "$t/server.csr" -CA "$t/ca.pem" -CAkey "$t/ca.key" -set_serial 2 -days 2 -out "$t/server.pem" 2> "$t/output" \
        -extfile <(echo "subjectAltName=IP:127.0.0.1") || { cat "$t/output" >&2; return 1; }
    chmod 644 "$t/ca.pem"
    install -m 600 -t "$folder/rabbitmq" "$t/server.pem" "$t/server.key" && install -m 600 -t "$folder/postgres" "$t/server.pem" "$t/server.key"
}

start_rabbitmq() {
    local d=$folder/rabbitmq
    # An epmd for this run alone: a shared one would be ended with the first run while other runs still use it.
    alive epmd || launch epmd "$broker_user" epmd -address 127.0.0.1 -port "$epmd_port"
    # RUNNING_UNDER_SYSTEMD: the start script becomes the node, so that the process id is that of the node.
    # +sbwt: idle schedulers must not spin on a small machine.
    launch rabbitmq "$broker_user" RUNNING_UNDER_SYSTEMD=1 ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$epmd_port" \
        RABBITMQ_NODENAME=dispatcher-test@localhost RABBITMQ_DIST_PORT="$distribution_port" \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none" \
        RABBITMQ_MNESIA_BASE="$d/data" RABBITMQ_LOG_BASE="$d/log" RABBITMQ_CONF_ENV_FILE="$d/env.conf" RABBITMQ_CONFIG_FILE="$d/rabbitmq" \
        RABBITMQ_CONFIG_FILES="$d/conf.d" RABBITMQ_ADVANCED_CONFIG_FILE="$d/advanced" RABBITMQ_ENABLED_PLUGINS_FILE="$d/plugins" \
        RABBITMQ_GENERATED_CONFIG_DIR="$d/schema" RABBITMQ_SCHEMA_DIR="$d/schema" "$rabbitmq_bin/rabbitmq-server"
    await rabbitmq
}

start_postgres() {
    # After a SIGKILL the old backends hold the shared memory for a moment, and a new server refuses to start until they have ended.
    for (( try = 0; try < 50; try++ )); do
        launch postgres "$database_user" "$postgres_bin/postgres" -D "$folder/postgres/data" -p "$sql_port" -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories= -c max_connections=400 -c fsync=on \
            -c ssl=on -c ssl_cert_file="$folder/postgres/server.pem" -c ssl_key_file="$folder/postgres/server.key"
        await postgres 2> "$folder/postgres.failure" && return 0
        sleep 0.2
    done
    cat "$folder/postgres.failure" >&2
    return 1
}

prepare() {
    # Bound all at once, so that the six differ. Another process can take a port before the server does, so "start" tries three times.
    read -r amqp_port amqps_port management_port distribution_port epmd_port sql_port <<< "$(/usr/bin/python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(6)]
print(*[s.getsockname()[1] for s in held])')"
    rabbitmq_bin=$(printf '%s\n' /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin | sort -V | tail -n 1)
    postgres_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
    # As root: the users that the packages made. initdb refuses root, and the broker does not need root's rights.
    broker_user=$(id -un) database_user=$broker_user
    (( EUID != 0 )) || broker_user=rabbitmq database_user=postgres
    declare -p amqp_port amqps_port management_port distribution_port epmd_port sql_port rabbitmq_bin postgres_bin broker_user database_user > "$folder/settings"

    rm -rf "$folder/rabbitmq" "$folder/postgres"
    install -d -m 700 "$folder/rabbitmq" "$folder/rabbitmq/conf.d" "$folder/postgres" "$folder/epmd"
    : > "$folder/rabbitmq/env.conf"
    echo '[rabbitmq_management].' > "$folder/rabbitmq/plugins"
    printf '%s\n' "listeners.tcp.1 = 127.0.0.1:$amqp_port" "management.tcp.ip = 127.0.0.1" "management.tcp.port = $management_port" \
        "disk_free_limit.absolute = 50MB" "listeners.ssl.1 = 127.0.0.1:$amqps_port" "ssl_options.certfile = $folder/rabbitmq/server.pem" \
        "ssl_options.keyfile = $folder/rabbitmq/server.key" > "$folder/rabbitmq/rabbitmq.conf"
    make_certificates
    (( EUID != 0 )) || { chown -R "$broker_user" "$folder/rabbitmq" "$folder/epmd" && chown -R "$database_user" "$folder/postgres"; }
}

# The database refuses the role tls_only on a connection without TLS.
require_tls() { sed -i '1i hostnossl all tls_only all reject' "$folder/postgres/data/pg_hba.conf"; }

start_both() {
    start_rabbitmq & local broker=$! failed=0
    launch initdb "$database_user" "$postgres_bin/initdb" -D "$folder/postgres/data" -U postgres -A trust -E UTF8 --no-locale
    wait $! && require_tls && start_postgres || failed=1
    wait "$broker" || failed=1
    return "$failed"
}

write_exports() {
    local server
    for server in rabbitmq postgres; do
        printf '#!/bin/bash\nexec %q restart %s %q "$@"\n' "$self" "$server" "$folder" > "$folder/restart-$server"
        chmod 755 "$folder/restart-$server"
    done
    # rabbitmqctl of this node: the cookie is in the node's home, which only its user may read.
    local as=""
    (( EUID != 0 )) || as="setpriv --reuid $broker_user --regid $(id -g "$broker_user") --clear-groups "
    printf '#!/bin/bash\ncd /\nexec %senv -i PATH=/usr/bin:/bin LANG=C.UTF-8 HOME=%q ERL_EPMD_PORT=%s RABBITMQ_NODENAME=dispatcher-test@localhost %q "$@"\n' \
        "$as" "$folder/rabbitmq" "$epmd_port" "$rabbitmq_bin/rabbitmqctl" > "$folder/rabbitmqctl"
    chmod 755 "$folder/rabbitmqctl"
    cat > "$folder/exports" << EOF
export DISPATCHER_TEST_RABBITMQ='amqp://guest:guest@127.0.0.1:$amqp_port/'
export DISPATCHER_TEST_RABBITMQ_TLS='amqps://guest:guest@127.0.0.1:$amqps_port/'
export DISPATCHER_TEST_CA_FILE=$(printf %q "$folder/tls/ca.pem")
export DISPATCHER_TEST_RABBITMQ_MANAGEMENT='http://127.0.0.1:$management_port'
export DISPATCHER_TEST_POSTGRES='Host=127.0.0.1;Port=$sql_port;Username=postgres;Database=postgres;SSL Mode=Disable'
export DISPATCHER_TEST_RESTART_RABBITMQ=$(printf %q "$folder/restart-rabbitmq")
export DISPATCHER_TEST_RESTART_POSTGRES=$(printf %q "$folder/restart-postgres")
export DISPATCHER_TEST_RABBITMQCTL=$(printf %q "$folder/rabbitmqctl")
export DISPATCHER_TEST_PYTHON=/usr/bin/python3
EOF
}

start() {
    local try
    mkdir -p "$folder"
    chmod 711 "$folder"    # the servers' user must be able to enter its folder below
    for try in 1 2 3; do
        prepare
        if start_both; then write_exports; return 0; fi
        echo "ops/servers.sh: start $try of 3 failed (another process may have taken a port)" >&2
        stop
    done
    return 1
}

stop() {
    local name
    for name in rabbitmq epmd postgres initdb; do finish "$name" KILL; done
}

restart() { # SERVER [kill]: on SIGINT postgres shuts down at once and cleanly
    local signal=TERM
    [[ $1 != postgres ]] || signal=INT
    [[ ${2:-} != kill ]] || signal=KILL
    finish "$1" "$signal"
    "start_$1"
}

case ${1:-}:${2:-}:${3:-} in
    start:?*:) folder=$(realpath -m "$2") && start ;;
    stop:?*:) folder=$(realpath -m "$2") && stop ;;
    restart:rabbitmq:?* | restart:postgres:?*) folder=$(realpath "$3") && source "$folder/settings" && restart "$2" "${4:-}" ;;
    *) sed -n '2,5p' "$self" >&2; exit 2 ;;
esac
