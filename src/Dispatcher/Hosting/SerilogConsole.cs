using Serilog;
using Serilog.Events;

namespace Dispatcher.Hosting;

/// <summary>Logs to standard error, so that what a command prints stays clean.</summary>
internal static class SerilogConsole
{
    public static void AddSerilogConsole(this IServiceCollection services, string leastLevel)
    {
        var level = Enum.TryParse<LogEventLevel>(leastLevel, ignoreCase: true, out var wanted) ? wanted : LogEventLevel.Information;
        var logger = new LoggerConfiguration()
            .MinimumLevel.Is(level)
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("MassTransit", LogEventLevel.Warning)

            // It shouts of commands that fail as expected (the first look for the migrations' table); those that matter come to us as exceptions.
            .MinimumLevel.Override("Microsoft.EntityFrameworkCore", LogEventLevel.Fatal)

            // Keys for cookies, which nobody uses here.
            .MinimumLevel.Override("Microsoft.AspNetCore.DataProtection", LogEventLevel.Error)
            .Enrich.FromLogContext()
            .WriteTo.Console(new LogLineFormatter(), standardErrorFromLevel: LogEventLevel.Verbose)
            .CreateLogger();
        services.AddLogging(logging => logging.ClearProviders().AddSerilog(logger, dispose: true));
    }
}
