#!/bin/bash
# Rehearses a rolling upgrade under load, on private servers:
#   ops/upgrade-test.sh [REV] [FOLDER]     from the commit REV (default HEAD~1) to the working tree
# Two servers and a worker of REV take jobs over HTTP and AMQP. Then "migrate" of the new version runs, and each server and the worker is
# replaced, one after the other. Exit code 1 if a job is lost, runs twice or has not exactly one end, if audit verify finds anything, or if
# a queue keeps a message.
# shellcheck source=ops/rehearsal.sh
source "$(dirname "$(realpath "$0")")/rehearsal.sh"

begin "${2:-}"
rev=$(git rev-parse --verify --short "${1:-HEAD~1}^{commit}") old=$folder/old
step "Build $rev and the working tree"
git worktree add --detach "$old" "$rev" > /dev/null 2>&1
build "$old"
build "$new"
step "Start broker, database, and two servers and a worker of $rev"
start_stage "$old"
step "Load: about 40 jobs a second, half over HTTP at either server, half over AMQP"
start_load
sleep 5

step "Migrate with the new version, beneath the servers of $rev"
program "$new" migrate --serve-role serve | tee -a "$folder/migrate.log"
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
end_load

step "Check"
check_jobs
[[ ! -s $folder/twice ]] || fail "jobs ran twice; see $folder/twice"
end_all
verify
