#!/bin/bash
# Makes the identities of docker-compose.yml, one for each program. What exists stays.
#   identities.sh server     the servers' broker user, database role and admin key
#   identities.sh clients    the workers and one producer: needs a running server, which makes their keys
set -euo pipefail
umask 077

# The secrets of NAME are written to /secrets/NAME, which is the volume of that program alone.
identity() { dispatcher identity create "$@" --rabbitmq amqp://broker:5672/ --secrets /secrets --if-missing; }

case ${1:-} in
    server)
        identity dispatcher --kind server
        cp /secrets/dispatcher/api-key /secrets/admin/api-key
        # Also the rights on tables that a migration has added since.
        dispatcher migrate --serve-role dispatcher
        ;;
    clients)
        identity worker-shell --kind worker --pool shell
        identity worker-repo --kind worker --pool repo
        identity producer --kind producer --topic job.exec.shell --topic job.repo.read
        ;;
    *) sed -n '2,4p' "$0" >&2; exit 2 ;;
esac
