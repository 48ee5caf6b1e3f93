#!/bin/bash
# The stage of ops/upgrade-test.sh and ops/restore-test.sh, which source this file: private servers, a broker user for each program, the
# role "serve" of the database, a policy for the load, two servers, a worker, and producers over HTTP and AMQP.
set -euo pipefail
cd "$(dirname "$(realpath "$0")")/.."

name=ops/${0##*/} new=$PWD
pids=() servers=()
export DISPATCHER_API_KEY=rehearsal-key-0123456789

step() { echo "== $*"; }
fail() { echo "$name: $*" >&2; exit 1; }

# begin FOLDER: everything of this run is in the folder, which stays after a failure.
begin() {
    folder=$(realpath -m "${1:-$(mktemp -d)}") old=
    mkdir -p "$folder/shell"
    trap clean_up EXIT
    trap 'exit 130' INT TERM
}

clean_up() {
    local code=$?
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null && wait "$pid" 2> /dev/null || true; done
    bash ops/servers.sh stop "$folder/servers" > /dev/null 2>&1 || true
    [[ -z $old ]] || git worktree remove --force "$old" > /dev/null 2>&1 || true
    (( code == 0 )) && echo "$name: passed" || echo "$name: FAILED; logs: $folder" >&2
}

build() {
    local project
    for project in Dispatcher Dispatcher.ReferenceWorker; do
        dotnet build "$1/src/$project" -c Release -v q --nologo > "$folder/build.log" 2>&1 \
            || { tail -20 "$folder/build.log" >&2; fail "$1: $project does not build"; }
    done
}

# program TREE ARGUMENTS...: as a person with the admin key, who owns the database.
program() {
    local tree=$1
    shift
    DISPATCHER_POSTGRES=$owner DISPATCHER_URL=http://127.0.0.1:${ports[0]} \
        dotnet "$tree/src/Dispatcher/bin/Release/net10.0/dispatcher.dll" "$@"
}
sql() { psql -X -q -A -t -h 127.0.0.1 -p "$sql_port" -U postgres -v ON_ERROR_STOP=1 "$@"; }

# start_stage TREE: broker and database, and two servers and a worker of TREE.
start_stage() {
    bash ops/servers.sh start "$folder/servers" > "$folder/servers.log" 2>&1
    # shellcheck source=/dev/null
    . "$folder/servers/exports"
    broker=${DISPATCHER_TEST_RABBITMQ#*@}
    sql_port=$(sed -E 's/.*Port=([0-9]+).*/\1/' <<< "$DISPATCHER_TEST_POSTGRES")
    owner="Host=127.0.0.1;Port=$sql_port;Username=postgres;Database=rehearsal;SSL Mode=Disable"
    for user in server worker producer; do
        "$folder/servers/rabbitmqctl" -q add_user "$user" secret
        "$folder/servers/rabbitmqctl" -q set_permissions "$user" '.*' '.*' '.*'
    done > "$folder/servers.log" 2>&1
    sql -c "create role serve login"
    make_policies "$1"
    read -r -a ports <<< "$(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[s.getsockname()[1] for s in held])')"
    program "$1" migrate --serve-role serve > "$folder/migrate.log"
    serve "$1" 0
    serve "$1" 1
    worker_key=$(curl -sf "http://127.0.0.1:${ports[0]}/api/keys" \
        -H "Authorization: Bearer $DISPATCHER_API_KEY" -H "Content-Type: application/json" \
        -d '{"subject": "worker", "roles": ["worker:shell"]}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])')
    work "$1"
}

# A rule for the load alone, beside the registry of TREE.
make_policies() {
    mkdir -p "$folder/policies/rules"
    cp -r "$1/policies/topics.yaml" "$1/policies/schemas" "$folder/policies"
    cat > "$folder/policies/rules/load.yaml" << 'EOF'
version: v1
rules:
  - id: load
    match: { topic: job.exec.shell }
    decision: ALLOW_WITH_CONSTRAINTS
    reason: load of the rehearsal
    constraints: { allowed_commands: [sh], timeout_ms: 30000, max_output_bytes: 65536 }
EOF
}

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

# submit FROM [TO]: submits the jobs with these numbers, about 40 a second, the even ones over HTTP at either server, the odd ones over
# AMQP. Each adds its number to the file "done". Without TO it goes on until it is ended.
submit() {
    exec /usr/bin/python3 - "$folder" "amqp://producer:secret@$broker" "${ports[@]}" "$@" << 'EOF'
import itertools, json, os, random, signal, sys, time, urllib.error, urllib.request, pika
folder, broker, *ports = sys.argv[1:5]
first, last = int(sys.argv[5]), int(sys.argv[6]) if len(sys.argv) > 6 else None
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
channel = pika.BlockingConnection(pika.URLParameters(broker)).channel()
channel.confirm_delivery()
submitted = open(f"{folder}/submitted", "a", buffering=1)
for n in itertools.count(first) if last is None else range(first, last + 1):
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
}

start_load() { submit 0 & load=$!; pids+=("$load"); }
end_load() { kill -0 "$load" 2> /dev/null || fail "the load ended early"; end "$load" "the load"; }

# check_jobs [IN_DOUBT]: waits until every submitted job has ended, and fails unless each is there once, has succeeded and ran. At most
# IN_DOUBT of them (default 0) may be dead letters of that class instead.
check_jobs() {
    local open states submitted other
    submitted=$(sort -u "$folder/submitted" | wc -l)
    for _ in {1..120}; do
        open=$(sql -d rehearsal -c "select count(*) from jobs where state not in
            ('succeeded', 'quarantined', 'dead_lettered', 'denied', 'rejected', 'expired', 'cancelled')")
        jobs=$(sql -d rehearsal -c "select count(*) from jobs")
        (( open == 0 && jobs >= submitted )) && break
        sleep 0.5
    done
    sort "$folder/done" | uniq -d > "$folder/twice"
    sort -u "$folder/submitted" | comm -23 - <(sort -u "$folder/done") > "$folder/missing"
    states=$(sql -d rehearsal -c "select string_agg(state || '=' || n, ' ') from (select state, count(*) n from jobs group by state) s")
    echo "submitted $submitted, jobs in the database $jobs ($states)," \
        "ran twice $(wc -l < "$folder/twice"), never ran $(wc -l < "$folder/missing")"
    (( submitted > 200 )) || fail "too little load to prove anything"
    other=$(sql -d rehearsal -c "select count(*) from jobs where state <> 'succeeded'")
    (( other <= ${1:-0} && other == $(sql -d rehearsal -c "select count(*) from dead_letters where fault_class = 'in_doubt'") )) \
        || fail "a job has another end than success"
    # After its last line the load may have submitted one more job.
    (( jobs - submitted <= 1 && jobs >= submitted )) || fail "jobs are lost or were accepted twice"
    [[ ! -s $folder/missing ]] || fail "jobs never ran; see $folder/missing"
    [[ -z $(sql -d rehearsal -c "select job_id from timeline where kind in ('dispatched', 'claimed', 'succeeded')
        group by job_id, kind, attempt having count(*) > 1 limit 1") ]] || fail "an attempt is on the timeline twice"
}

# Copies that a server sent twice are read and dropped by the worker. Signals in the retry queues may wait for minutes.
left() {
    "$folder/servers/rabbitmqctl" -q list_queues name messages \
        | awk '$2 + 0 > 0 && $1 !~ /^dispatcher\.(server\.dispatch|server\.undelivered|retry\.)/'
}

end_all() {
    local number
    for _ in {1..30}; do [[ -n $(left) ]] || break; sleep 1; done
    [[ -z $(left) ]] || fail "messages are left: $(left)"
    for number in 0 1; do end "${servers[number]}" "server $number"; done
    end "$worker" "the worker"
}

# verify: the audit of the history, with what both servers have signed.
verify() {
    program "$new" audit verify --checkpoint "$folder/audit-0/checkpoints.ndjson" --key "$folder/audit-0/sealing.pub" \
        --checkpoint "$folder/audit-1/checkpoints.ndjson" --key "$folder/audit-1/sealing.pub"
}
