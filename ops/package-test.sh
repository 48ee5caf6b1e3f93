#!/bin/bash
# Tests the packages of ops/release.sh as their users take them: two projects outside the repository, with a folder as their source, make
# a producer and a worker. The producer submits a job, and the worker runs it, against private servers and with identities of their own.
set -euo pipefail
ops=$(dirname "$(realpath "$0")")
version=0.0.1-test.$$ folder=$(mktemp -d "${TMPDIR:-/tmp}/dispatcher-packages.XXXXXX") children=()
clean_up() {
    local code=$?
    (( code == 0 )) || tail -n 20 "$folder"/*.log >&2
    (( ${#children[@]} == 0 )) || kill -TERM "${children[@]}" 2> /dev/null || true
    wait
    [[ ! -d $folder/servers ]] || "$ops/servers.sh" stop "$folder/servers"
    rm -rf "$folder"
    (( code == 0 )) && echo "ops/package-test.sh: passed" || echo "ops/package-test.sh: FAILED" >&2
}
trap clean_up EXIT
trap 'exit 130' INT TERM

RUNTIMES='' "$ops/release.sh" "$version" "$folder/release" > "$folder/release.log"

# The packages go to a folder of this test, not to the user's cache.
export NUGET_PACKAGES=$folder/cache DOTNET_CLI_TELEMETRY_OPTOUT=1
# make PROJECT PACKAGE:VERSION...: Program.cs comes from standard input.
make() {
    local project=$folder/$1 package
    mkdir "$project"
    cat > "$project/Program.cs"
    {
        echo '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework>'
        echo '<ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable></PropertyGroup><ItemGroup>'
        for package in "${@:2}"; do echo "<PackageReference Include=\"${package%:*}\" Version=\"${package#*:}\" />"; done
        echo '</ItemGroup></Project>'
    } > "$project/$1.csproj"
    dotnet restore "$project" -p:RestoreAdditionalProjectSources="$folder/release/packages" >> "$folder/$1.log"
    dotnet build "$project" --no-restore --configuration Release --output "$project/out" >> "$folder/$1.log"
}

make producer "Dispatcher.Contracts:$version" RabbitMQ.Client:7.2.2 << 'END'
using System.Text.Json;
using Dispatcher.Contracts;
using RabbitMQ.Client;
var broker = new ConnectionFactory { Uri = new Uri(Environment.GetEnvironmentVariable("DISPATCHER_RABBITMQ")!) };
await using var connection = await broker.CreateConnectionAsync();
await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
var job = new SubmitJob { Topic = "job.exec.shell", IdempotencyKey = "packaged", Labels = new Dictionary<string, string> { ["env"] = "dev" },
    Payload = JsonSerializer.SerializeToElement(new { command = new[] { "echo", "packaged" } }) };
var body = JsonSerializer.SerializeToUtf8Bytes(job, WireJson.Default.SubmitJob);
await channel.BasicPublishAsync(Exchanges.Jobs, job.Topic, true, new BasicProperties { UserId = broker.UserName, Persistent = true }, body);
END
make worker "Dispatcher.Worker:$version" << 'END'
using Dispatcher.Worker;
using Microsoft.Extensions.Hosting;
var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddDispatcherWorker("shell", options =>
{
    options.RabbitMq = new Uri(builder.Configuration["DISPATCHER_RABBITMQ"]!);
    options.Dispatcher = new Uri(builder.Configuration["DISPATCHER_URL"]!);
    options.ApiKey = builder.Configuration["DISPATCHER_API_KEY"];
}).Handle<Shout>("job.exec.shell").Enforces("allowed_commands");
builder.Build().Run();
sealed class Shout : IJobHandler { public Task<JobResult> RunAsync(JobRun run, CancellationToken stop) =>
    Task.FromResult(JobResult.From(new { shouted = run.Payload.GetProperty("command")[1].GetString()!.ToUpperInvariant() })); }
END

mkdir "$folder/servers"
chmod 711 "$folder"      # the users of the servers must be able to enter their folder
"$ops/servers.sh" start "$folder/servers"
# shellcheck source=/dev/null
source "$folder/servers/exports"
dotnet build "$ops/../src/Dispatcher" --configuration Release > "$folder/build.log"
program=$ops/../src/Dispatcher/bin/Release/net10.0/dispatcher
DISPATCHER_API_KEY=$(openssl rand -hex 32)
port=$(/usr/bin/python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
export DISPATCHER_API_KEY DISPATCHER_URL=http://127.0.0.1:$port
export DISPATCHER_RABBITMQ=$DISPATCHER_TEST_RABBITMQ DISPATCHER_POSTGRES="${DISPATCHER_TEST_POSTGRES%Database=*}Database=packages"
export DISPATCHER_RABBITMQ_MANAGEMENT=${DISPATCHER_TEST_RABBITMQ_MANAGEMENT/:\/\//://guest:guest@}
"$program" serve --migrate --urls "$DISPATCHER_URL" --policies "$ops/../policies" --audit "$folder/audit" > "$folder/server.log" 2>&1 &
children+=($!)
for (( i = 0; i < 150; i++ )); do "$program" status > /dev/null 2>&1 && break; sleep 0.2; done
"$program" identity create packaged-worker --kind worker --pool shell --secrets "$folder/secrets" > /dev/null
"$program" identity create packaged-producer --kind producer --topic job.exec.shell --secrets "$folder/secrets" > /dev/null
DISPATCHER_RABBITMQ=$(< "$folder/secrets/packaged-worker/rabbitmq") DISPATCHER_API_KEY=$(< "$folder/secrets/packaged-worker/api-key") \
    "$folder/worker/out/worker" > "$folder/worker-run.log" 2>&1 &
children+=($!)
DISPATCHER_RABBITMQ=$(< "$folder/secrets/packaged-producer/rabbitmq") "$folder/producer/out/producer"
for (( i = 0; i < 150; i++ )); do
    job=$("$program" jobs list --state succeeded --json | grep -oE '"job_id": *"[^"]*"' | head -n 1 | cut -d '"' -f 4 || true)
    [[ -z $job ]] || break
    sleep 0.2
done
"$program" jobs show "$job" | tee "$folder/job.log"
grep -q '"shouted": *"PACKAGED"' "$folder/job.log"
