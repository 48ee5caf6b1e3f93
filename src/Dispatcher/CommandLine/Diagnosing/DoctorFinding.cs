namespace Dispatcher.CommandLine.Diagnosing;

/// <summary>How much a finding matters.</summary>
internal enum DoctorSeverity
{
    /// <summary>The server would not work, would lose messages or data, or would give a user rights beyond need.</summary>
    Error,

    /// <summary>The server works, and something is less safe than it could be.</summary>
    Warning,
}

/// <summary>Something wrong with a configuration. No member contains a secret.</summary>
/// <param name="Severity">How much it matters.</param>
/// <param name="Code">What is wrong, as a word for programs.</param>
/// <param name="Where">The setting, file, role, user, queue or policy.</param>
/// <param name="Seen">What was found.</param>
/// <param name="Allowed">What is expected instead.</param>
/// <param name="Fix">The command to run or the setting to change.</param>
internal sealed record DoctorFinding(DoctorSeverity Severity, string Code, string Where, string Seen, string Allowed, string Fix);
