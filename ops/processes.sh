# Sourced by ops/servers.sh. Each process has a name: FOLDER/NAME.pid has its process id, FOLDER/NAME.output its output,
# FOLDER/NAME/ is its home, and the function NAME_answers succeeds when it is ready.
# shellcheck shell=bash

launch() { # NAME USER [VARIABLE=value...] COMMAND...
    local name=$1 user=$2 as=()
    shift 2
    (( EUID != 0 )) || as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups)
    # setsid: Ctrl-C in the terminal must reach the test script, not the servers.
    # env -i: a RABBITMQ_ or PG variable of the caller would make the server use other data.
    setsid "${as[@]}" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 HOME="$folder/$name" "$@" >> "$folder/$name.output" 2>&1 < /dev/null &
    echo $! > "$folder/$name.pid"
}

# A zombie counts as ended: in a container there may be no parent process that reaps it.
alive() { [[ -s $folder/$1.pid ]] && grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(< "$folder/$1.pid")/status"; }

finish() { # NAME SIGNAL: sends the signal and waits until the process has ended
    alive "$1" || return 0
    kill "-$2" "$(< "$folder/$1.pid")" 2> /dev/null || true
    for (( i = 0; i < 600; i++ )); do alive "$1" || return 0; sleep 0.05; done
    echo "ops/servers.sh: $1 did not end within 30 s of SIG$2" >&2
    return 1
}

await() { # NAME: waits until it answers; fails at once when its process ends first
    for (( i = 0; i < 600; i++ )); do
        "$1_answers" 2> /dev/null && return 0
        alive "$1" || break
        sleep 0.1
    done
    echo "ops/servers.sh: $1 does not answer; the end of its output:" >&2
    tail -n 20 "$folder/$1.output" >&2
    return 1
}
