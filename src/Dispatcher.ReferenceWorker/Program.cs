using Dispatcher.ReferenceWorker.Logs;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.ReferenceWorker.Settings;
using Dispatcher.ReferenceWorker.Telemetry;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker;

/// <summary>The worker program. Exit codes: 0 stopped, 1 a pool could no longer be served, 2 wrong use.</summary>
internal static class ReferenceWorkerProgram
{
    public static async Task<int> Main(string[] args)
    {
        if (args is [Supervisor.Mode] && OperatingSystem.IsLinux())
        {
            return await Supervisor.RunAsync(Console.OpenStandardInput(), Console.OpenStandardOutput());
        }

        // Before any secret is read that a diagnostics socket could show.
        ProcessSecrets.RestartWithoutDiagnostics();
        var call = WorkerCommand.Parse(args);
        if (WorkerCommand.IsHelp(call))
        {
            Console.WriteLine(WorkerCommand.Help());
            return 0;
        }

        List<string> errors = [];
        if (WorkerSettings.Read(call, Environment.GetEnvironmentVariable, errors) is not { } settings)
        {
            return WrongUse(errors);
        }

        if (settings.Warning is { } warning)
        {
            Console.Error.WriteLine("warning: " + warning);
        }

        var builder = Host.CreateEmptyApplicationBuilder(null);
        // The SDK of OpenTelemetry reads its variables from the configuration, which is empty otherwise.
        builder.Configuration.AddInMemoryCollection(OtlpVariables.All());
        builder.Logging.AddLog(settings.LogFormat, settings.LogFile);
        builder.Services.AddOtlpExport();
        builder.Services.AddReferenceWorker(settings.Pools, settings.Configure, (_, options) => settings.Configure(options));
        try
        {
            using var host = builder.Build();
            // Before the host validates, which would log the same errors again with a stack.
            host.Services.GetRequiredService<IStartupValidator>().Validate();
            await host.RunAsync();
            // A pool that failed has set the exit code to 1 before it stopped the host.
            return Environment.ExitCode;
        }
        catch (OperationCanceledException) when (Environment.ExitCode != 0)
        {
            // The host was stopped while it started.
            return Environment.ExitCode;
        }
        catch (PlatformNotSupportedException exception)
        {
            return WrongUse([exception.Message]);
        }
        catch (OptionsValidationException exception)
        {
            return WrongUse(exception.Failures);
        }
        catch (AggregateException several) when (several.InnerExceptions.All(exception => exception is OptionsValidationException))
        {
            return WrongUse(several.InnerExceptions.Cast<OptionsValidationException>().SelectMany(exception => exception.Failures));
        }
    }

    private static int WrongUse(IEnumerable<string> errors)
    {
        foreach (var error in errors)
        {
            Console.Error.WriteLine(error);
        }

        return 2;
    }
}
