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
    "$ops/servers.sh" stop "$folder/servers"
    rm -rf "$folder"
    (( code == 0 )) && echo "ops/package-test.sh: passed" || echo "ops/package-test.sh: FAILED" >&2
}
trap clean_up EXIT
trap 'exit 130' INT TERM

RUNTIMES='' "$ops/release.sh" "$version" "$folder/release" > "$folder/release.log"

# make PROJECT PACKAGE...: Program.cs comes from standard input. The packages lie in a folder of this test, not in the user's cache.
export NUGET_PACKAGES=$folder/cache DOTNET_CLI_TELEMETRY_OPTOUT=1
make() {
    local project=$folder/$1 package
    mkdir "$project"
    cat > "$project/Program.cs"
    printf '<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework>%s</PropertyGroup><ItemGroup>' \
        '<ImplicitUsings>enable</ImplicitUsings><Nullable>enable</Nullable>' > "$project/$1.csproj"
    for package in "${@:2}"; do printf '<PackageReference Include="%s" Version="%s" />' "${package%:*}" "${package#*:}" >> "$project/$1.csproj"; done
    echo '</ItemGroup></Project>' >> "$project/$1.csproj"
    dotnet restore "$project" -p:RestoreAdditionalProjectSources="$folder/release/packages" >> "$folder/$1.log"
    dotnet build "$project" --no-restore --configuration Release --output "$project/out" >> "$folder/$1.log"
}

make producer "Dispatcher.Contracts:$version" RabbitMQ.Client:7.2.2 << 'E'
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
