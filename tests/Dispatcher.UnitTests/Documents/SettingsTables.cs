using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.ReferenceWorker.Settings;
using Dispatcher.UnitTests.Architecture;

namespace Dispatcher.UnitTests.Documents;

/// <summary>The settings of server and workers as tables of <c>ops/README.md</c>: options of the programs, then options classes.</summary>
internal static class SettingsTables
{
    private const string ClassHead = "| setting | default | range | meaning |\n|---|---|---|---|";

    public static IEnumerable<string> All() => [Server(), .. Bound(), Worker(), .. SetByCode()];

    private static string Server() =>
        $"""
            ### Server

            An option wins over its variable, which its meaning names. The last five have no option. Instead of each variable `NAME`,
            `NAME_FILE` can give the path of a file that contains the value.

            | setting | of | meaning |
            |---|---|---|
            {string.Join('\n', Options("serve").Concat(Options("migrate")).Concat(Variables()))}

            """;

    private static IEnumerable<string> Options(string verb) =>
        RootCommandLine
            .Create(Terminal.OfProcess)
            .Subcommands.Single(command => command.Name == verb)
            .Options.Where(option => option is not System.CommandLine.Help.HelpOption)
            .Select(option => $"| `{Shown(option)}` | `{verb}` | {Cell(option.Description!)} |");

    private static string Shown(Option option) => option.HelpName is { } value ? $"{option.Name} {value}" : option.Name;

    private static IEnumerable<string> Variables() =>
        from variable in (IEnumerable<(string Name, string Property)>)
            [
                ("DISPATCHER_API_KEY", nameof(ServerSettings.ApiKey)),
                ("DISPATCHER_AUDIT_KEY", nameof(ServerSettings.AuditKey)),
                ("DISPATCHER_LOG_LEVEL", nameof(ServerSettings.LogLevel)),
                ("DISPATCHER_LOG_FORMAT", nameof(ServerSettings.LogFormat)),
                ("DISPATCHER_LOG_FILE", nameof(ServerSettings.LogFile)),
            ]
        select $"| `{variable.Name}` | `serve` | {XmlDocs.Of(typeof(ServerSettings).GetProperty(variable.Property)!)} |";

    /// <summary>The classes that the server binds to the environment: <c>Section__Name</c>.</summary>
    private static IEnumerable<string> Bound() =>
        from type in Classes()
        let section = Section(type)
        where section is not null
        select $"""
            ### Server: variables `{section}__…`

            {XmlDocs.Of(type)}

            {ClassHead}
            {string.Join('\n', Properties(type).Select(property => Row(type, property, $"{section}__{property.Name}")))}

            """;

    private static string Worker() =>
        $"""
            ### Reference worker

            The options of `dotnet run --project src/Dispatcher.ReferenceWorker --`.

            | option | variable | meaning |
            |---|---|---|
            {string.Join('\n', WorkerCommand.Documented.Select(WorkerRow))}

            """;

    private static string WorkerRow((string Option, string Variable, string Meaning) row) =>
        $"| `{row.Option}` | `{row.Variable}` | {Cell(row.Meaning)} |";

    /// <summary>The public classes that the program of a worker or consumer sets in its code.</summary>
    private static IEnumerable<string> SetByCode() =>
        from type in Classes()
        where type.IsPublic && Section(type) is null
        select $"""
            ### Set by code: `{type.Name}`

            {XmlDocs.Of(type)}

            {ClassHead}
            {string.Join('\n', Properties(type).Select(property => Row(type, property, property.Name)))}

            """;

    private static IEnumerable<Type> Classes() => OptionsClasses.All().OrderBy(type => type.Name, StringComparer.Ordinal);

    private static IEnumerable<PropertyInfo> Properties(Type type) =>
        type.GetProperties().Where(property => property.CanWrite || property.PropertyType.IsGenericType);

    private static string? Section(Type type)
    {
        var bound = $"AddOptions<{type.Name}>().BindConfiguration(\"";
        return Repository
            .SourceFiles("src")
            .Select(file => file.Text.Split(bound))
            .FirstOrDefault(parts => parts.Length > 1)
            ?[1].Split('"')[0];
    }

    private static string Row(Type type, PropertyInfo property, string name) =>
        $"| `{name}` | {Default(property, Activator.CreateInstance(type)!)} | {Limits(property)} | {XmlDocs.Of(property)} |";

    private static string Default(PropertyInfo property, object options) =>
        property.Name switch
        {
            // Different on every machine, or in every process.
            "Concurrency" => "twice the cores",
            "Instance" => "host/pid/random",
            "Version" => "of the program",
            _ => property.GetValue(options) switch
            {
                null or "" => "none",
                string text => $"`{text}`",
                System.Collections.IEnumerable many when !many.Cast<object>().Any() => "none",
                System.Collections.IEnumerable many => string.Join(", ", many.Cast<object>().Order().Select(value => $"`{value}`")),
                var value => Value(value),
            },
        };

    private static string Limits(PropertyInfo property) =>
        property.GetCustomAttribute<RangeAttribute>() is { } range
            ? $"{Value(Bound(range, range.Minimum))} to {Value(Bound(range, range.Maximum))}"
        : property.GetCustomAttribute<StringLengthAttribute>() is { } length
            ? $"{length.MinimumLength} to {length.MaximumLength} characters"
        : "";

    private static object Bound(RangeAttribute range, object limit) =>
        range.OperandType == typeof(TimeSpan) ? TimeSpan.Parse((string)limit, CultureInfo.InvariantCulture) : limit;

    private static string Value(object value) =>
        value switch
        {
            TimeSpan { TotalSeconds: 0 } => "0 s",
            TimeSpan { TotalSeconds: < 1 } time => $"{time.TotalMilliseconds:0} ms",
            TimeSpan { TotalMinutes: < 1 } time => $"{time.TotalSeconds:0} s",
            TimeSpan { TotalHours: < 1 } time => $"{time.TotalMinutes:0} min",
            TimeSpan { TotalDays: < 1 } time => $"{time.TotalHours:0} h",
            TimeSpan time => time.Days == 1 ? "1 day" : $"{time.Days} days",
            int number => number.ToString("N0", CultureInfo.InvariantCulture),
            bool flag => flag ? "true" : "false",
            IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
            _ => $"{value}",
        };

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).Trim();
}
