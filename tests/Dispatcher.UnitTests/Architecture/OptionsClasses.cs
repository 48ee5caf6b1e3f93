using System.Reflection;
using Dispatcher.Contracts;
using Dispatcher.Hosting;
using Dispatcher.Persistence.Settings;
using Dispatcher.Policies;
using Dispatcher.ReferenceWorker;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Architecture;

/// <summary>The assemblies that ship.</summary>
internal static class Shipped
{
    public static readonly Assembly[] Assemblies =
    [
        typeof(SubmitJob).Assembly,
        typeof(Bundle).Assembly,
        typeof(OutboxOptions).Assembly,
        typeof(WorkerOptions).Assembly,
        typeof(ReferenceWorkerOptions).Assembly,
        typeof(Server).Assembly,
    ];

    /// <summary>Every type that the compiler did not generate.</summary>
    public static IEnumerable<Type> Types =>
        Assemblies
            .SelectMany(assembly => assembly.GetTypes())
            .Where(type =>
                type.FullName!.StartsWith("Dispatcher.", StringComparison.Ordinal) && !type.FullName.Contains('<', StringComparison.Ordinal)
            );
}

/// <summary>Classes of settings: bound from configuration or set by code, and checked at start.</summary>
internal static class OptionsClasses
{
    public static IEnumerable<Type> All() =>
        Shipped.Types.Where(type =>
            type is { IsClass: true, IsNested: false } && type.Name.EndsWith("Options", StringComparison.Ordinal) && !IsCommandLine(type)
        );

    /// <summary>Options of a verb are checked by the command line itself.</summary>
    private static bool IsCommandLine(Type type) => type.Namespace == "Dispatcher.CommandLine";
}
