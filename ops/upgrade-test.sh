#!/bin/bash
# Rehearses a rolling upgrade under load, on private servers:
#   ops/upgrade-test.sh [REV] [FOLDER]     from the commit REV (default HEAD~1) to the working tree
# Two servers and a worker of REV take jobs over HTTP and AMQP. Then "migrate" of the new version runs, and each server and the worker is
# replaced, one after the other. Exit code 1 if a job is lost, runs twice or has not exactly one end, if audit verify finds anything, or if
# a queue keeps a message.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

rev=$(git rev-parse --verify --short "${1:-HEAD~1}^{commit}") new=$PWD
folder=$(realpath -m "${2:-$(mktemp -d)}")
old=$folder/old
mkdir -p "$folder/shell"
pids=() servers=()

clean_up() {
    local code=$?
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null && wait "$pid" 2> /dev/null || true; done
    bash ops/servers.sh stop "$folder/servers" > /dev/null 2>&1 || true
    git worktree remove --force "$old" > /dev/null 2>&1 || true
    (( code == 0 )) && echo "ops/upgrade-test.sh: passed, from $rev" || echo "ops/upgrade-test.sh: FAILED, from $rev; logs: $folder" >&2
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step() { echo "== $*"; }
fail() { echo "ops/upgrade-test.sh: $*" >&2; exit 1; }
program() { local tree=$1; shift; dotnet "$tree/src/Dispatcher/bin/Release/net10.0/dispatcher.dll" "$@"; }
sql() { psql -X -q -A -t -h 127.0.0.1 -p "$sql_port" -U postgres -v ON_ERROR_STOP=1 "$@"; }

step "Build $rev and the working tree"
git worktree add --detach "$old" "$rev" > /dev/null 2>&1
for tree in "$old" "$new"; do
    for project in Dispatcher Dispatcher.ReferenceWorker; do
        dotnet build "$tree/src/$project" -c Release -v q --nologo > "$folder/build.log" 2>&1 \
            || { tail -20 "$folder/build.log" >&2; fail "$tree: $project does not build"; }
    done
done

step "Start broker, database, and two servers and a worker of $rev"
bash ops/servers.sh start "$folder/servers" > "$folder/servers.log" 2>&1
# shellcheck source=/dev/null
. "$folder/servers/exports"
broker=${DISPATCHER_TEST_RABBITMQ#*@}
sql_port=$(sed -E 's/.*Port=([0-9]+).*/\1/' <<< "$DISPATCHER_TEST_POSTGRES")
for user in server worker producer; do
    "$folder/servers/rabbitmqctl" -q add_user "$user" secret
    "$folder/servers/rabbitmqctl" -q set_permissions "$user" '.*' '.*' '.*'
done > "$folder/servers.log" 2>&1
sql -c "create role serve login"

# A rule for the load alone, beside the registry of the old version: servers of both versions read it.
mkdir -p "$folder/policies/rules"
cp -r "$old/policies/topics.yaml" "$old/policies/schemas" "$folder/policies"
cat > "$folder/policies/rules/load.yaml" << 'EOF'
version: v1
rules:
  - id: load
    match: { topic: job.exec.shell }
    decision: ALLOW_WITH_CONSTRAINTS
    reason: load of the rehearsal
    constraints: { allowed_commands: [sh], timeout_ms: 30000, max_output_bytes: 65536 }
EOF

owner="Host=127.0.0.1;Port=$sql_port;Username=postgres;Database=upgrade;SSL Mode=Disable"
export DISPATCHER_API_KEY=upgrade-test-key-0123456789
read -r -a ports <<< "$(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[s.getsockname()[1] for s in held])')"

# serve TREE NUMBER: starts a server, and returns when it is ready.
serve() {
    local url=http://127.0.0.1:${ports[$2]}
    DISPATCHER_RABBITMQ=amqp://server:secret@$broker DISPATCHER_POSTGRES=${owner/Username=postgres/Username=serve} \
        dotnet "$1/src/Dispatcher/bin/Release/net10.0/dispatcher.dll" serve --urls "$url" --policies "$folder/policies" \
        --audit "$folder/audit-$2" >> "$folder/server-$2.log" 2>&1 &
    servers[$2]=$!
    pids+=($!)
    for _ in {1..120}; do
        curl -sf -o /dev/null "$url/health/ready" && return
        kill -0 "${servers[$2]}" 2> /dev/null || break
        sleep 0.5
    done
    tail -20 "$folder/server-$2.log" >&2
    fail "server $2 of $1 is not ready"
}
# work TREE: starts a worker.
work() {
    DISPATCHER_RABBITMQ=amqp://worker:secret@$broker DISPATCHER_URL=http://127.0.0.1:${ports[1]} DISPATCHER_API_KEY=$worker_key \
        DISPATCHER_SHELL_ROOT=$folder/shell dotnet "$1/src/Dispatcher.ReferenceWorker/bin/Release/net10.0/Dispatcher.ReferenceWorker.dll" \
        --pools shell >> "$folder/worker.log" 2>&1 &
    worker=$!
    pids+=($!)
}
end() { kill -TERM "$1"; wait "$1" || fail "$2 ended with exit code $?"; }

DISPATCHER_POSTGRES=$owner program "$old" migrate --serve-role serve > "$folder/migrate.log"
serve "$old" 0
serve "$old" 1
worker_key=$(curl -sf "http://127.0.0.1:${ports[0]}/api/keys" \
    -H "Authorization: Bearer $DISPATCHER_API_KEY" -H "Content-Type: application/json" \
    -d '{"subject": "worker", "roles": ["worker:shell"]}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
work "$old"

step "Load: about 40 jobs a second, half over HTTP at either server, half over AMQP"
/usr/bin/python3 - "$folder" "amqp://producer:secret@$broker" "${ports[@]}" << 'EOF' 2>&1 &
import itertools, json, os, random, signal, sys, time, urllib.error, urllib.request, pika
folder, broker, *ports = sys.argv[1:]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
channel = pika.BlockingConnection(pika.URLParameters(broker)).channel()
channel.confirm_delivery()
submitted = open(f"{folder}/submitted", "w", buffering=1)
for n in itertools.count():
    body = json.dumps({"topic": "job.exec.shell", "idempotency_key": f"load-{n}", "labels": {"env": "dev"},
                       "payload": {"command": ["sh", "-c", f"echo {n} >> {folder}/done"]}}).encode()
    if n % 2:
        properties = pika.BasicProperties(user_id="producer", delivery_mode=2)
        channel.basic_publish("dispatcher.jobs", "job.exec.shell", body, properties, mandatory=True)
    else:
        while True:                 # the same job again, at either server, until one has answered
            try:
                request = urllib.request.Request(f"http://127.0.0.1:{random.choice(ports)}/api/jobs", body,
                                                 {"Authorization": "Bearer " + os.environ["DISPATCHER_API_KEY"]})
                urllib.request.urlopen(request, timeout=10).read()
                break
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    sys.exit(f"job {n}: {error.code} {error.read()}")
            except OSError:
                pass
            time.sleep(0.1)
    print(n, file=submitted)
    time.sleep(0.02)
EOF
load=$!
pids+=("$load")
sleep 5

step "Migrate with the new version, beneath the servers of $rev"
DISPATCHER_POSTGRES=$owner program "$new" migrate --serve-role serve | tee -a "$folder/migrate.log"
sleep 3
for number in 0 1; do
    step "Replace server $number"
    end "${servers[number]}" "server $number of $rev"
    serve "$new" "$number"
    sleep 3
done
step "Replace the worker: the new one starts first"
before=$worker
work "$new"
sleep 3
end "$before" "the worker of $rev"
sleep 3
kill -0 "$load" 2> /dev/null || fail "the load ended early"
end "$load" "the load"

step "Check"
submitted=$(wc -l < "$folder/submitted")
# After the last line the load may have submitted one more job.
for _ in {1..120}; do
    open=$(sql -d upgrade -c "select count(*) from jobs where state not in
        ('succeeded', 'quarantined', 'dead_lettered', 'denied', 'rejected', 'expired', 'cancelled')")
    jobs=$(sql -d upgrade -c "select count(*) from jobs")
    (( open == 0 && jobs >= submitted )) && break
    sleep 0.5
done
sort "$folder/done" | uniq -d > "$folder/twice"
sort "$folder/submitted" | comm -23 - <(sort -u "$folder/done") > "$folder/missing"
states=$(sql -d upgrade -c "select string_agg(state || '=' || n, ' ') from (select state, count(*) n from jobs group by state) s")
echo "submitted $submitted, jobs in the database $jobs ($states)," \
    "ran twice $(wc -l < "$folder/twice"), never ran $(wc -l < "$folder/missing")"
(( submitted > 200 )) || fail "too little load to prove anything"
[[ $states == "succeeded=$jobs" ]] || fail "a job has another end than success"
(( jobs - submitted <= 1 && jobs >= submitted )) || fail "jobs are lost or were accepted twice"
[[ ! -s $folder/twice && ! -s $folder/missing ]] || fail "jobs ran twice, or never; see $folder/twice and $folder/missing"
[[ -z $(sql -d upgrade -c "select job_id from timeline where kind in ('dispatched', 'claimed', 'succeeded')
    group by job_id, kind, attempt having count(*) > 1 limit 1") ]] || fail "an attempt is on the timeline twice"
# Copies that a server sent twice are read and dropped by the worker. Signals in the retry queues may wait for minutes.
left() {
    "$folder/servers/rabbitmqctl" -q list_queues name messages \
        | awk '$2 + 0 > 0 && $1 !~ /^dispatcher\.(server\.dispatch|server\.undelivered|retry\.)/'
}
for _ in {1..30}; do [[ -n $(left) ]] || break; sleep 1; done
[[ -z $(left) ]] || fail "messages are left: $(left)"
for number in 0 1; do end "${servers[number]}" "server $number"; done
end "$worker" "the new worker"
DISPATCHER_POSTGRES=$owner program "$new" audit verify \
    --checkpoint "$folder/audit-0/checkpoints.ndjson" --key "$folder/audit-0/sealing.pub" \
    --checkpoint "$folder/audit-1/checkpoints.ndjson" --key "$folder/audit-1/sealing.pub"
