using System.Text.Json.Serialization;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>One thing that lint has to say of a bundle.</summary>
public sealed record LintFinding
{
    /// <summary>How bad it is.</summary>
    public required LintSeverity Severity { get; init; }

    /// <summary>One of <see cref="LintCodes"/>, or of <see cref="BundleErrorCodes"/> when the bundle does not load because of it.</summary>
    public required string Code { get; init; }

    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>; only the file when the whole of it is meant.</summary>
    public required string Where { get; init; }

    /// <summary>What was seen, and what is allowed.</summary>
    public required string Message { get; init; }

    /// <summary>What to do about it.</summary>
    public required string Fix { get; init; }

    /// <summary>A job that shows it. Null: it shows without one.</summary>
    public JobFacts? Witness { get; init; }

    /// <summary>The finding on one line: <c>rules/prod.yaml:14: error shadowed: … Fix: …</c></summary>
    public override string ToString() => $"{Where}: {Word(Severity)} {Code}: {Message} Fix: {Fix}";

    private static string Word(LintSeverity severity) =>
        severity switch
        {
            LintSeverity.Info => "info",
            LintSeverity.Warning => "warning",
            LintSeverity.Error => "error",
        };
}

/// <summary>How bad a finding is.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LintSeverity>))]
public enum LintSeverity
{
    /// <summary>Good to know.</summary>
    [JsonStringEnumMemberName("info")]
    Info,

    /// <summary>Probably not what its author means.</summary>
    [JsonStringEnumMemberName("warning")]
    Warning,

    /// <summary>The bundle does not load, or a part of it can never do what it says.</summary>
    [JsonStringEnumMemberName("error")]
    Error,
}
