#!/bin/bash
# Makes the secrets of docker-compose.yml, each in the volume of its readers. A secret that exists stays.
set -euo pipefail
umask 077
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
# write FILE OWNER: from standard input. The rename makes a file complete or absent, also after a kill.
write() {
    cat > "$1.new"
    chmod 400 "$1.new"
    chown "$2" "$1.new"
    mv "$1.new" "$1"
}
rabbitmq=999:999 postgres=999:999 dispatcher=1654:1654 grafana=472:0

# Each principal of Dispatcher has a folder, in which docker/identities.sh writes its secrets.
for folder in admin dispatcher worker-shell worker-repo producer; do
    chown "$dispatcher" "/secrets/$folder"
    chmod 700 "/secrets/$folder"
done
chown "$dispatcher" /audit/*
chown "$rabbitmq" /secrets/rabbitmq /rabbitmq/*
chown "$postgres" /secrets/postgres
chown "$grafana" /secrets/grafana
chmod 700 /audit/* /secrets/rabbitmq /secrets/postgres /secrets/grafana

# The copy for the administrator is written last: where it exists, the copies of its readers are complete.
if [[ ! -e /secrets/admin/rabbitmq ]]; then
    password=$(random)
    printf 'default_user = administrator\ndefault_pass = %s\n' "$password" | write /secrets/rabbitmq/20-administrator.conf "$rabbitmq"
    printf 'http://administrator:%s@rabbitmq:15672' "$password" | write /secrets/admin/rabbitmq "$dispatcher"
fi
if [[ ! -e /secrets/admin/postgres ]]; then
    password=$(random)
    printf '%s' "$password" | write /secrets/postgres/password "$postgres"
    printf 'Host=postgres;Database=dispatcher;Username=owner;Password=%s' "$password" | write /secrets/admin/postgres "$dispatcher"
fi
[[ -e /secrets/grafana/password ]] || random | write /secrets/grafana/password "$grafana"
# The nodes of a RabbitMQ cluster share a cookie.
if [[ ! -e /rabbitmq/3/.erlang.cookie ]]; then
    cookie=$(random)
    for node in 1 2 3; do printf '%s' "$cookie" | write "/rabbitmq/$node/.erlang.cookie" "$rabbitmq"; done
fi
