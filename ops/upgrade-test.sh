#!/bin/bash
# Rehearses a rolling upgrade under load, on private servers:
#   ops/upgrade-test.sh [REV] [FOLDER]     from the commit REV (default HEAD~1) to the working tree
# Two servers and a worker of REV take jobs. Then "migrate" of the new version runs, and each server and the worker is replaced, one after
# the other. Exit code 1 if a job is lost, runs twice or does not end, if audit verify finds anything, or if a queue keeps a message.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

rev=$(git rev-parse --verify --short "${1:-HEAD~1}^{commit}") new=$PWD
folder=$(realpath -m "${2:-$(mktemp -d)}")
old=$folder/old
mkdir -p "$folder/shell"
pids=()

clean_up() {
    local code=$?
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
    bash ops/servers.sh stop "$folder/servers" > /dev/null 2>&1 || true
    git worktree remove --force "$old" > /dev/null 2>&1 || true
    (( code == 0 )) && echo "ops/upgrade-test.sh: passed, from $rev" || echo "ops/upgrade-test.sh: FAILED, from $rev; logs: $folder" >&2
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step() { echo "== $*"; }
fail() { echo "ops/upgrade-test.sh: $*" >&2; exit 1; }

step "Build $rev and the working tree"
git worktree add --detach "$old" "$rev" > /dev/null 2>&1
for tree in "$old" "$new"; do
    for project in Dispatcher Dispatcher.ReferenceWorker; do
        (cd "$tree" && dotnet build "src/$project" -c Release -v q --nologo -p:UseSharedCompilation=false > "$folder/build.log" 2>&1) \
            || { tail -20 "$folder/build.log" >&2; fail "$tree: $project does not build"; }
    done
done
dispatcher() { local tree=$1; shift; (cd "$tree" && exec dotnet src/Dispatcher/bin/Release/net10.0/dispatcher.dll "$@"); }

step "Start broker, database, and two servers and a worker of $rev"
bash ops/servers.sh start "$folder/servers" > "$folder/servers.log" 2>&1
# shellcheck source=/dev/null
. "$folder/servers/exports"
export DISPATCHER_RABBITMQ=$DISPATCHER_TEST_RABBITMQ DISPATCHER_API_KEY=upgrade-test-key-0123456789 DISPATCHER_AUDIT=$folder/audit
export DISPATCHER_POSTGRES="$DISPATCHER_TEST_POSTGRES;Database=upgrade"
read -r -a ports <<< "$(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[s.getsockname()[1] for s in held])')"

# serve TREE NUMBER: starts a server and returns when it is ready.
serve() {
    local url=http://127.0.0.1:${ports[$2]}
    dispatcher "$1" serve --urls "$url" --policies "$new/policies" >> "$folder/server-$2.log" 2>&1 &
    servers[$2]=$!; pids+=($!)
    for _ in {1..120}; do
        curl -sf -o /dev/null "$url/health/ready" && return
        kill -0 "${servers[$2]}" 2> /dev/null || break
        sleep 0.5
    done
    tail -20 "$folder/server-$2.log" >&2
    fail "server $2 of $1 is not ready"
}
# work TREE: starts a worker. Its broker user is the subject of its key.
work() {
    (cd "$1" && DISPATCHER_URL=http://127.0.0.1:${ports[1]} DISPATCHER_API_KEY=$worker_key DISPATCHER_SHELL_ROOT=$folder/shell \
        exec dotnet src/Dispatcher.ReferenceWorker/bin/Release/net10.0/Dispatcher.ReferenceWorker.dll --pools shell) >> "$folder/worker.log" 2>&1 &
    worker=$!; pids+=($!)
}
end() { kill -TERM "$1"; wait "$1" || fail "a program of $rev ended with exit code $? ($2)"; }

dispatcher "$old" migrate > "$folder/migrate.log"
serve "$old" 0
serve "$old" 1
user=$(sed -E 's|.*://([^:]+):.*|\1|' <<< "$DISPATCHER_RABBITMQ")
worker_key=$(curl -sf "http://127.0.0.1:${ports[0]}/api/keys" -H "Authorization: Bearer $DISPATCHER_API_KEY" -H 'Content-Type: application/json' \
    -d "{\"subject\": \"$user\", \"roles\": [\"worker:shell\"]}" | python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
work "$old"

step "Load: one job every 50 ms, at either server"
(
    trap 'exit 0' TERM
    for (( n = 0; ; n++ )); do
        body="{\"topic\": \"job.exec.shell\", \"idempotency_key\": \"load-$n\", \"labels\": {\"env\": \"dev\"},
            \"payload\": {\"command\": [\"sh\", \"-c\", \"echo $n >> $folder/shell/done\"]}}"
        until curl -sf --max-time 10 -o /dev/null "http://127.0.0.1:${ports[$(( RANDOM % 2 ))]}/api/jobs" \
            -H "Authorization: Bearer $DISPATCHER_API_KEY" -d "$body"; do sleep 0.1; done
        echo "$n" >> "$folder/submitted"
        sleep 0.05
    done
) & load=$!
pids+=("$load")
sleep 5

step "Migrate with the new version, beneath the servers of $rev"
dispatcher "$new" migrate | tee -a "$folder/migrate.log"
sleep 3
for number in 0 1; do
    step "Replace server $number"
    end "${servers[$number]}" "server $number"
    serve "$new" "$number"
    sleep 3
done
step "Replace the worker: the new one starts first"
before=$worker
work "$new"
sleep 3
end "$before" worker
sleep 3
kill -TERM "$load"; wait "$load" || true

step "Check"
submitted=$(wc -l < "$folder/submitted")
for _ in {1..120}; do
    ended=$(wc -l < "$folder/shell/done")
    (( ended >= submitted )) && break
    sleep 0.5
done
sleep 2
twice=$(sort "$folder/shell/done" | uniq -d | wc -l)
missing=$(sort -u "$folder/submitted" | comm -23 - <(sort -u "$folder/shell/done") | wc -l)
states=$(for port in "${ports[0]}"; do curl -sf "http://127.0.0.1:$port/metrics" | grep '^dispatcher_pool_waiting' || true; done)
echo "submitted $submitted, ran $ended, twice $twice, missing $missing; $states"
(( submitted > 50 )) || fail "too little load to prove anything"
(( twice == 0 && missing == 0 )) || fail "jobs were lost or ran twice"
letters=$(curl -sf "http://127.0.0.1:${ports[0]}/api/dead-letters" -H "Authorization: Bearer $DISPATCHER_API_KEY" \
    | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["items"]))')
(( letters == 0 )) || fail "$letters dead letter(s)"
open=0
for state in accepted dispatched running retrying; do
    open=$(( open + $(curl -sf "http://127.0.0.1:${ports[0]}/api/jobs?state=$state" -H "Authorization: Bearer $DISPATCHER_API_KEY" \
        | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["items"]))') ))
done
(( open == 0 )) || fail "$open job(s) have no end"
end "$worker" "the new worker"
for number in 0 1; do end "${servers[$number]}" "server $number"; done
left=$("$folder/servers/rabbitmqctl" -q list_queues name messages | awk '$2 > 0 && $1 != "dispatcher.server.dispatch" && $1 != "dispatcher.server.undelivered"')
[[ -z $left ]] || fail "messages are left: $left"
dispatcher "$new" audit verify --audit "$folder/audit" | tail -3
