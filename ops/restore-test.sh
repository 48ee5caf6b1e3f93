#!/bin/bash
# Rehearses a restore under load, on private servers, by the steps of ops/upgrade.md:
#   ops/restore-test.sh [FOLDER]
# The database is copied while jobs run, and restored to that moment while the broker and the producers go on. Exit code 1 if a job is lost,
# if a job that had ended in the copy runs again, if a frozen server dispatches, or if audit verify does not name what is missing.
# shellcheck source=ops/rehearsal.sh
source "$(dirname "$(realpath "$0")")/rehearsal.sh"

begin "${1:-}"
step "Build"
build "$new"
step "Start broker, database, two servers and a worker"
start_stage "$new"
step "Load: about 40 jobs a second, half over HTTP at either server, half over AMQP"
start_load
sleep 6
step "Copy the database"
pg_dump -h 127.0.0.1 -p "$sql_port" -U postgres -Fc rehearsal > "$folder/copy"
sleep 6

step "1. Stop the servers and the worker; producers go on"
for number in 0 1; do end "${servers[number]}" "server $number"; done
end "$worker" "the worker"
step "2. Restore the copy"
sql -c "drop database rehearsal"
sql -c "create database rehearsal"
pg_restore -h 127.0.0.1 -p "$sql_port" -U postgres -d rehearsal "$folder/copy"
sql -d rehearsal -c "select substr(idempotency_key, 6) from jobs where state = 'succeeded'" | sort > "$folder/ended"
step "3. Start a server and freeze; then the others"
serve "$new" 0
program "$new" freeze --all --reason restored --for 1h > "$folder/freeze.log"
dispatched() { sql -d rehearsal -c "select count(*) from timeline where kind = 'dispatched'"; }
before=$(dispatched)
# A run of the copy has no worker any more, and its topic is not idempotent.
running=$(sql -d rehearsal -c "select count(*) from jobs where state = 'running'")
serve "$new" 1
work "$new"
step "5. What is missing"
! verify > "$folder/verify.log" || fail "audit verify does not see that the database is older than the checkpoints"
grep -m 3 . "$folder/verify.log"
step "7. The producers submit again, under the same keys, what they submitted so far"
submitted=$(tail -n 1 "$folder/submitted")
(submit 0 "$submitted")
(( $(dispatched) == before )) || fail "a frozen server dispatched"
step "8. Set the checkpoints aside, and restart the servers"
for number in 0 1; do
    end "${servers[number]}" "server $number"
    mv "$folder/audit-$number/checkpoints.ndjson" "$folder/checkpoints-$number.before.ndjson"
    serve "$new" "$number"
done
step "9. Unfreeze"
program "$new" unfreeze --all --reason checked > "$folder/freeze.log"
sleep 5
end_load

step "Check"
check_jobs "$running"
again=$(comm -12 "$folder/twice" "$folder/ended" | wc -l)
echo "running in the copy $running; ended in the copy $(wc -l < "$folder/ended"); of these ran again $again"
(( $(wc -l < "$folder/ended") > 50 )) || fail "too few jobs had ended in the copy"
(( again == 0 )) || fail "jobs that had ended in the copy ran again"
end_all
verify
