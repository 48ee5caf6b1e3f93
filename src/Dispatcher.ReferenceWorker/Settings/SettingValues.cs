using System.Globalization;
using Dispatcher.ReferenceWorker.Logs;

namespace Dispatcher.ReferenceWorker.Settings;

/// <summary>
/// The texts of the settings, and how each kind is parsed. An option beats the variable <c>DISPATCHER_NAME</c>, which beats the file
/// that <c>DISPATCHER_NAME_FILE</c> names. Each wrong value adds one error and reads as not set.
/// </summary>
internal sealed class SettingValues
{
    private const string Prefix = "DISPATCHER_";

    private readonly Dictionary<string, string> _values;
    private readonly Dictionary<string, string> _arguments;
    private readonly ICollection<string> _errors;

    public SettingValues(Dictionary<string, string> arguments, Func<string, string?> environment, ICollection<string> errors)
    {
        (_arguments, _values, _errors) = (arguments, new(arguments, StringComparer.Ordinal), errors);
        foreach (var name in WorkerCommand.Names)
        {
            if (FromEnvironment(name, environment) is { } value)
            {
                _values.TryAdd(name, value);
            }
        }
    }

    /// <summary>Names the options whose arguments hold a secret. Null: there are none.</summary>
    public string? Warning
    {
        get
        {
            var secrets = _arguments
                .Where(argument => IsSecret(argument.Key, argument.Value))
                .Select(argument => argument.Key)
                .Order()
                .ToList();
            return secrets.Count == 0
                ? null
                : $"Other users of this machine can read the secret in {string.Join(" and ", secrets.Select(name => "--" + name))} from "
                    + $"the list of processes. Set {string.Join(" and ", secrets.Select(VariableOf))} instead, or the same with _FILE "
                    + "to the path of a file that holds it.";
        }
    }

    public string? Text(string name) => _values.GetValueOrDefault(name);

    public List<string>? List(string name) =>
        Text(name) is { } text ? [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)] : null;

    public int? Number(string name, string meaning)
    {
        if (Text(name) is not { } text)
        {
            return null;
        }

        if (int.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var number))
        {
            return number;
        }

        _errors.Add($"--{name} ({VariableOf(name)}) must be {meaning}, not '{text}'.");
        return null;
    }

    /// <summary>Null also for a text that is not an address, without an error.</summary>
    public Uri? Address(string name) => Uri.TryCreate(Text(name), UriKind.Absolute, out var address) ? address : null;

    public Uri? RequiredAddress(string name, string example)
    {
        var address = Address(name);
        if (address is null && Text(name) is { } text)
        {
            _errors.Add($"--{name} ({VariableOf(name)}) must be an address such as {example}, not '{text}'.");
        }

        return address;
    }

    public IReadOnlyList<string> PoolList()
    {
        var pools = List(WorkerCommand.Pools) ?? ReferenceWorkerPools.All;
        foreach (var pool in pools.Where(pool => !ReferenceWorkerPools.All.Contains(pool)))
        {
            _errors.Add(
                $"--{WorkerCommand.Pools} ({VariableOf(WorkerCommand.Pools)}) has '{pool}', which is not a pool "
                    + $"(known: {string.Join(", ", ReferenceWorkerPools.All)})."
            );
        }

        return pools;
    }

    public IDictionary<string, Recipe>? RecipeFile()
    {
        if (Text(WorkerCommand.Recipes) is not { } file)
        {
            return null;
        }

        try
        {
            return File.Exists(file) ? Recipe.Read(file) : throw new InvalidDataException($"'{file}' does not exist.");
        }
        catch (InvalidDataException unusable)
        {
            _errors.Add(
                $"--{WorkerCommand.Recipes} ({VariableOf(WorkerCommand.Recipes)}): {unusable.Message} "
                    + """Name a JSON file such as {"web": {"Env": "prod", "Command": ["deploy"]}}."""
            );
            return null;
        }
    }

    public string LogFormat()
    {
        var format = Text(WorkerCommand.LogFormat) ?? LogTargets.Text;
        Report(WorkerCommand.LogFormat, LogTargets.FormatFault(format));
        return format;
    }

    public string? LogFile()
    {
        var file = Text(WorkerCommand.LogFile);
        Report(WorkerCommand.LogFile, file is null ? null : LogTargets.FileFault(file));
        return file;
    }

    private void Report(string name, string? fault)
    {
        if (fault is not null)
        {
            _errors.Add($"--{name} ({VariableOf(name)}) {fault}.");
        }
    }

    private string? FromEnvironment(string name, Func<string, string?> environment)
    {
        var variable = VariableOf(name);
        if (environment(variable) is { Length: > 0 } value)
        {
            return value;
        }

        if (environment(variable + "_FILE") is not { Length: > 0 } file)
        {
            return null;
        }

        if (File.Exists(file))
        {
            return File.ReadAllText(file).Trim();
        }

        _errors.Add($"{variable}_FILE names '{file}', which does not exist.");
        return null;
    }

    private static bool IsSecret(string name, string value) =>
        name switch
        {
            WorkerCommand.ApiKey => true,
            WorkerCommand.RabbitMq => value.Contains('@', StringComparison.Ordinal)
                && value.Split('@')[0].Count(character => character == ':') > 1,
            WorkerCommand.Effects => value.Contains("password", StringComparison.OrdinalIgnoreCase)
                || value.Contains("pwd", StringComparison.OrdinalIgnoreCase)
                || (value.Contains("://", StringComparison.Ordinal) && value.Contains('@', StringComparison.Ordinal)),
            _ => false,
        };

    public static string VariableOf(string name) => Prefix + name.Replace('-', '_').ToUpperInvariant();
}
