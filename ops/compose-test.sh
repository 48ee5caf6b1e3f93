#!/bin/bash
# Runs the commands of docker/README.md against docker-compose.yml, then kills servers, broker and database under load.
#   ops/compose-test.sh            one broker
#   ops/compose-test.sh cluster    a cluster of three brokers, of which one is killed
# Uses its own project name and ports, and removes everything at the end. Without a Docker engine it says so and ends with code 0.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

if ! docker info > /dev/null 2>&1; then
    echo "ops/compose-test.sh: SKIPPED, nothing was tested: no Docker engine answers."
    exit 0
fi

export COMPOSE_PROJECT_NAME=dispatcher-compose-test COMPOSE_PROFILES=${1:-}
read -r DISPATCHER_PORT_1 DISPATCHER_PORT_2 DISPATCHER_AMQP_PORT DISPATCHER_MANAGEMENT_PORT <<< "$(/usr/bin/python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
print(*[s.getsockname()[1] for s in held])')"
export DISPATCHER_PORT_1 DISPATCHER_PORT_2 DISPATCHER_AMQP_PORT DISPATCHER_MANAGEMENT_PORT

clean_up() {
    local code=$?
    (( code == 0 )) || { docker compose ps -a; docker compose logs --no-color --tail 20; } >&2
    COMPOSE_PROFILES=cluster,tools docker compose down --volumes --timeout 1 > /dev/null 2>&1
    (( code == 0 )) && echo "ops/compose-test.sh: passed" || echo "ops/compose-test.sh: FAILED" >&2
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step() { echo "== $*"; }
fail() { echo "ops/compose-test.sh: $*" >&2; exit 1; }
cli() { docker compose run --rm -T --no-deps cli "$@"; }
# The commands of a section of docker/README.md, with the ports of this run.
page() {
    awk -v section="## $1" '$0 == section { in_section = 1; next } /^## / { in_section = 0 }
        in_section && /^```bash$/ { in_block = 1; next } /^```$/ { in_block = 0 } in_block' docker/README.md \
        | sed -e "s/127\.0\.0\.1:8080/127.0.0.1:$DISPATCHER_PORT_1/" -e "s/127\.0\.0\.1:5672/127.0.0.1:$DISPATCHER_AMQP_PORT/"
}
# The system's Python: only that one finds the system's pika.
run_page() { step "docker/README.md: $1"; PATH=/usr/bin:$PATH bash -euo pipefail -c "$(page "$1")"; }

run_page Start 2> /dev/null      # the progress of each container; a failure prints their logs
first=$(run_page "First job")
echo "$first"
grep -q '^event succeeded .*hello' <<< "$first" || fail "the job over AMQP has not succeeded"
(( $(grep -c 'uid=1654' <<< "$first") == 1 )) || fail "the worker's program does not run as the user 1654"

step "Every process has its own user, without capabilities, on a read-only file system"
for service in dispatcher-1 dispatcher-2 worker-shell worker-repo rabbitmq postgres; do
    state=$(docker compose exec -T "$service" bash -c 'echo "uid $(id -u)"; grep -h -E "^(CapEff|NoNewPrivs)" /proc/1/status; touch /x 2> /dev/null && echo writable || true')
    [[ $state != *"uid 0"* && $state == *"CapEff:"*0000000000000000* && $state == *"NoNewPrivs:"*1* && $state != *writable* ]] \
        || fail "$service: $state"
done
# A volume of another program is not mounted.
! docker compose exec -T worker-shell ls /secrets/dispatcher > /dev/null 2>&1 || fail "worker-shell sees the secrets of the server"
# The worker's network does not lead to the database.
! docker compose exec -T worker-shell timeout 3 bash -c 'exec 3<> /dev/tcp/postgres/5432' 2> /dev/null || fail "worker-shell reaches the database"

step "A second start changes nothing"
before=$(docker compose ps -q dispatcher-1 rabbitmq postgres worker-shell)
docker compose up --wait > /dev/null 2>&1
[[ $(docker compose ps -q dispatcher-1 rabbitmq postgres worker-shell) == "$before" ]] || fail "the second start replaced containers"

step "Servers, broker and database are killed while jobs run"
key=$(docker compose run --rm -T --no-deps --entrypoint cat cli /secrets/admin/api-key)
submitted=0
# submit COUNT: a refused or unanswered job is not counted; an idempotency key makes a repetition harmless.
submit() {
    local i port
    for (( i = 0; i < $1; i++ )); do
        for port in {1..10}; do
            port=$(( port % 2 ? DISPATCHER_PORT_1 : DISPATCHER_PORT_2 ))
            if curl -sS --max-time 20 --fail -o /dev/null -H @<(echo "Authorization: Bearer $key") "http://127.0.0.1:$port/api/jobs" 2> /dev/null \
                -d "{\"topic\": \"job.exec.shell\", \"idempotency_key\": \"load-$submitted\", \"labels\": {\"env\": \"dev\"}, \"payload\": {\"command\": [\"echo\", \"$submitted\"]}}"; then
                submitted=$((submitted + 1))
                break
            fi
            sleep 1
        done
    done
}
for victim in dispatcher-1 "$([[ -z ${1:-} ]] && echo rabbitmq || echo rabbitmq-2)" postgres dispatcher-2; do
    submit 15
    docker compose kill -s KILL "$victim" > /dev/null 2>&1
    docker compose up --wait > /dev/null 2>&1 & starting=$!
    submit 5
    wait "$starting" || fail "the services did not start again after the end of $victim"
done
(( submitted == 80 )) || fail "$submitted of 80 jobs were accepted"
ended=0
for (( i = 0; i < 120 && ended < submitted + 3; i++ )); do
    ended=$(cli status --json | grep -oE '"succeeded": *[0-9]+' | grep -oE '[0-9]+$' || echo 0)
    sleep 1
done
(( ended == submitted + 3 )) || { cli jobs list; fail "$ended of $((submitted + 3)) jobs have succeeded"; }
cli audit verify
