using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Dispatcher.TestContainers;

[assembly: UnsupportedOSPlatform("windows")]

// A private RabbitMQ and a private PostgreSQL in containers, for one test run. ops/test.sh starts this program.
//   Dispatcher.TestContainers FOLDER
// When both answer, FOLDER/exports sets the variables of the tests, as "ops/servers.sh start FOLDER" does. SIGTERM ends both.
if (args is not [var folder])
{
    Console.Error.WriteLine("usage: Dispatcher.TestContainers FOLDER");
    return 2;
}

var stopped = new TaskCompletionSource();
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
await using var servers = new ContainerServers();
await servers.StartAsync();
await ServerExports.WriteAsync(servers, folder);
await stopped.Task;
return 0;

void Stop(PosixSignalContext signal)
{
    // The program must first remove its containers.
    signal.Cancel = true;
    stopped.TrySetResult();
}
