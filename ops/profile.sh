#!/bin/bash
# Shows what a running server, worker or other .NET process does, without a restart: counters, CPU by thread, and CPU by method.
#   ops/profile.sh PID [SECONDS]   samples twice SECONDS (default 20), as the user of the process; do it under load
# The first use downloads dotnet-counters and dotnet-trace. The trace stays in a folder that is printed; https://speedscope.app shows it.
# Exit codes: 1 it failed, for example because the process has no diagnostics; 2 wrong use.
set -euo pipefail

version=10.0.750501
self=$(realpath "$0")
[[ $# -le 2 && ${1:-} =~ ^[1-9][0-9]*$ && ${2:-20} =~ ^[1-9][0-9]*$ ]] || { sed -n '2,5p' "$self" >&2; exit 2; }
pid=$1 seconds=${2:-20}
[[ -d /proc/$pid ]] || { echo "ops/profile.sh: there is no process $pid" >&2; exit 1; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/dispatcher-profile.XXXXXX")
duration=$(printf '%02d:%02d:%02d' $(( seconds / 3600 )) $(( seconds / 60 % 60 )) $(( seconds % 60 )))

# The tool's own output is shown only if it fails.
tool() { # NAME ARGUMENT...
    dotnet tool exec --yes "$1@$version" -- "${@:2}" > "$folder/$1.output" 2>&1 || { tail -n 20 "$folder/$1.output" >&2; return 1; }
}

# Name and clock ticks of each thread; the name is in parentheses and may have spaces.
threads() { sed -sE 's/^([0-9]+) \((.*)\) . ([-0-9]+ ){10}([0-9]+) ([0-9]+) .*/\1\t\2\t\4\t\5/' "/proc/$pid/task/"*/stat 2> /dev/null || true; }

echo "Counters of process $pid for $seconds s, then a trace for $seconds s."
tool dotnet-counters collect -p "$pid" --duration "$duration" --format csv -o "$folder/counters.csv"
threads > "$folder/before"
tool dotnet-trace collect -p "$pid" --duration "$duration" --profile dotnet-sampled-thread-time -o "$folder/cpu.nettrace"
threads > "$folder/after"
tool dotnet-trace convert "$folder/cpu.nettrace" --format Speedscope -o "$folder/cpu"

/usr/bin/python3 - "$folder" "$seconds" << 'EOF'
import collections, csv, json, re, sys

folder, seconds = sys.argv[1], int(sys.argv[2])

def table(title, rows):
    print(f"\n{title}")
    for value, name in rows:
        print(f"{value:>14}  {name[:150]}")

counters = collections.defaultdict(list)
for row in csv.DictReader(open(f"{folder}/counters.csv")):
    counters[row["Counter Name"]].append(float(row["Mean/Increment"]))
table("Counters, mean", [(f"{sum(v) / len(v):,.2f}", k) for k, v in sorted(counters.items())])

def ticks(file):
    lines = (line.rstrip("\n").split("\t") for line in open(f"{folder}/{file}"))
    return {line[0]: (line[1], int(line[2]) + int(line[3])) for line in lines if len(line) == 4}

before, threads = ticks("before"), collections.Counter()
for thread, (name, value) in ticks("after").items():
    threads[name] += value - before.get(thread, (name, 0))[1]
table("CPU by thread name, % of one core", [(f"{v / seconds:.1f}", k) for k, v in threads.most_common(12) if v > 0])

# A sample whose last frame is CPU_TIME was taken in managed code; others wait, or run in the system. A thread that spins or that the
# sampler stopped is not at work either.
idle = re.compile(r"System\.Threading\.(LowLevel|WaitHandle|Monitor\.|Thread\.(<PollGC>|PollGC)|PortableThreadPool\+WorkerThread)")
trace = json.load(open(f"{folder}/cpu.speedscope.json"))
names = [frame["name"].split("(")[0] for frame in trace["shared"]["frames"]]
own, within, total = collections.Counter(), collections.Counter(), 0.0
for profile in trace["profiles"]:
    stack, last = [], 0.0
    for event in profile["events"]:
        spent, last = event["at"] - last, event["at"]
        path = [names[frame] for frame in stack if names[frame] != "?!?"]    # a frame without a name counts for its caller
        if len(path) > 1 and path[-1] == "CPU_TIME" and not idle.search(path[-2]):
            total += spent
            own[path[-2]] += spent
            for name in set(path[:-1]):
                within[name] += spent
        if event["type"] == "O":
            stack.append(event["frame"])
        else:
            stack.pop()

def share(counts, count, keep=lambda name: True):
    return [(f"{100 * v / total:.1f} %", k) for k, v in counts.most_common() if keep(k)][:count]

if total:
    print(f"\nThreads at work in managed code: {total / 1000 / seconds:.2f} on average, also while they wait for a core. Shares of it:")
    table("Methods by their own time", share(own, 25))
    table("Methods of Dispatcher with all that they call", share(within, 25, lambda name: name.lower().startswith("dispatcher")))
EOF
echo
echo "Trace: $folder/cpu.nettrace and cpu.speedscope.json"
