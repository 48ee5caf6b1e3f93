namespace Dispatcher.TestContainers;

/// <summary>Writes the variables of the tests, and the scripts that they name.</summary>
internal static class ServerExports
{
    public static async Task WriteAsync(ContainerServers servers, string folder)
    {
        Directory.CreateDirectory(folder);
        var (broker, database) = (servers.RabbitMq.Id, servers.Postgres.Id);
        var restartBroker = await ScriptAsync(
            folder,
            "restart-rabbitmq",
            Restart(broker, $"docker exec -u rabbitmq {broker} rabbitmq-diagnostics -q check_running")
        );
        var restartDatabase = await ScriptAsync(
            folder,
            "restart-postgres",
            Restart(database, $"docker exec {database} pg_isready -q -h 127.0.0.1")
        );
        var control = await ScriptAsync(folder, "rabbitmqctl", $"exec docker exec -i -u rabbitmq {broker} rabbitmqctl \"$@\"");

        // Renamed at the end: a file that exists is complete.
        var exports = Path.Combine(folder, "exports");
        await File.WriteAllTextAsync(
            exports + ".new",
            $"""
            export DISPATCHER_TEST_RABBITMQ='{servers.Amqp}'
            export DISPATCHER_TEST_RABBITMQ_MANAGEMENT='{servers.Management}'
            export DISPATCHER_TEST_POSTGRES='{servers.Sql}'
            export DISPATCHER_TEST_RESTART_RABBITMQ='{restartBroker}'
            export DISPATCHER_TEST_RESTART_POSTGRES='{restartDatabase}'
            export DISPATCHER_TEST_RABBITMQCTL='{control}'
            export DISPATCHER_TEST_PYTHON=/usr/bin/python3

            """
        );
        File.Move(exports + ".new", exports, overwrite: true);
    }

    /// <summary>The argument "kill" ends the server as a crash would. The data stays in both cases.</summary>
    private static string Restart(string container, string answers) =>
        $"""
            if [[ $1 == kill ]]; then docker kill {container}; else docker stop {container}; fi > /dev/null
            docker start {container} > /dev/null
            for (( i = 0; i < 600; i++ )); do {answers} 2> /dev/null && exit 0; sleep 0.2; done
            exit 1
            """;

    private static async Task<string> ScriptAsync(string folder, string name, string text)
    {
        var path = Path.Combine(folder, name);
        await File.WriteAllTextAsync(path, $"#!/bin/bash\n{text}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
