using System.Text.RegularExpressions;
using Dispatcher.Base;

namespace Dispatcher.CommandLine.Diagnosing;

/// <summary>All findings of one configuration. A check that fails never stops the checks that do not depend on it.</summary>
/// <param name="settings">The settings of the server.</param>
/// <param name="variable">A variable of the environment, or null.</param>
/// <param name="time">The clock of this machine.</param>
internal sealed partial class Diagnosis(ServerSettings settings, Func<string, string?> variable, TimeProvider time)
{
    private readonly List<DoctorFinding> _findings = [];
    private readonly List<string> _notChecked = [];

    public ServerSettings Settings => settings;

    public TimeProvider Time => time;

    /// <summary>Errors first.</summary>
    public IReadOnlyList<DoctorFinding> Findings => [.. _findings.OrderBy(finding => finding.Severity)];

    /// <summary>What was not checked, and why.</summary>
    public IReadOnlyList<string> NotChecked => _notChecked;

    /// <summary>Runs every check but those of <see cref="ServeSettings.Check"/>.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var pools = FileChecks.Run(this);
        if (settings.Postgres is not null)
        {
            await DatabaseChecks.RunAsync(this, cancellationToken);
        }
        else if (settings.IsEmbedded)
        {
            Skip("broker and PostgreSQL: the server is embedded");
        }

        if (settings.RabbitMq is not null && Worker.RabbitMq.BrokerAddress.Fault(settings.RabbitMq) is null)
        {
            await BrokerChecks.RunAsync(this, pools, cancellationToken);
        }
    }

    public void Error(string code, string where, string seen, string allowed, string fix) =>
        Add(new(DoctorSeverity.Error, code, where, seen, allowed, fix));

    public void Warning(string code, string where, string seen, string allowed, string fix) =>
        Add(new(DoctorSeverity.Warning, code, where, seen, allowed, fix));

    /// <summary>Adds an error that ends <c>serve</c>. Its message names the setting.</summary>
    public void Error(string code, ExitException fault) =>
        Error(code, SettingName().Match(fault.Message) is { Success: true } named ? named.Value : "settings", fault.Message, "", fault.Fix);

    public void Skip(string what) => _notChecked.Add(what);

    public string? Variable(string name) => variable(name);

    /// <summary>The value of a setting, or the content of its file. Null, with a finding, if the file cannot be read.</summary>
    public string? Setting(string name)
    {
        try
        {
            return ServerSettings.FromVariables(name, variable);
        }
        catch (ExitException unreadable)
        {
            Error("setting", unreadable);
            return null;
        }
    }

    /// <summary>Runs checks that need a server. The fault of a connection becomes an error and ends only these checks.</summary>
    /// <returns>False: a fault ended them.</returns>
    public async Task<bool> ConnectedAsync(string code, ConnectionSettings connection, string skipped, Func<Task> checks)
    {
        try
        {
            await ServerRun.WithNamedSettingsAsync(
                connection,
                async () =>
                {
                    await checks();
                    return ExitCode.Done;
                }
            );
            return true;
        }
        catch (ExitException fault)
        {
            Error(code, fault);
            Skip(skipped);
            return false;
        }
    }

    /// <summary>Two checks may find the same.</summary>
    private void Add(DoctorFinding finding)
    {
        if (!_findings.Exists(known => (known.Code, known.Where) == (finding.Code, finding.Where)))
        {
            _findings.Add(finding);
        }
    }

    [GeneratedRegex(@"DISPATCHER_[A-Z_]+[A-Z]")]
    private static partial Regex SettingName();
}
