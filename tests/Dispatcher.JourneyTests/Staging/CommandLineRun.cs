using Dispatcher.CommandLine.Screens;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>Verbs of the command line in the process of the tests: from the arguments to the exit code.</summary>
internal static class CommandLineRun
{
    /// <summary>A migration of queues makes and removes a broker user, which all virtual hosts share.</summary>
    private static readonly SemaphoreSlim OneMigration = new(1);

    /// <summary>Runs a verb to its end. Returns its exit code and all that it printed.</summary>
    public static async Task<(int Code, string Output)> OfAsync(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        if (arguments is not ["queues", ..])
        {
            return await RunAsync(environment, arguments);
        }

        await OneMigration.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            return await RunAsync(environment, arguments);
        }
        finally
        {
            OneMigration.Release();
        }
    }

    /// <summary>Runs <c>audit verify</c> on the records of a journey.</summary>
    public static Task<(int Code, string Output)> VerifyAuditAsync(Journey journey) =>
        OfAsync(new Dictionary<string, string>(), "audit", "verify", "--postgres", journey.Postgres, "--audit", journey.Audit);

    private static async Task<(int Code, string Output)> RunAsync(IReadOnlyDictionary<string, string> environment, string[] arguments)
    {
        await using var output = new LogText();
        var terminal = new Terminal(() => Stream.Null, output, output, environment.GetValueOrDefault, TimeProvider.System);
        var code = await RootCommandLine.InvokeAsync(arguments, terminal);
        return (code, output.ToString());
    }
}
