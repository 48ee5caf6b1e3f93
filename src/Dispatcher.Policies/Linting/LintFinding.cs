using System.Text.Json.Serialization;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>One finding of lint.</summary>
public sealed record LintFinding
{
    /// <summary>The severity.</summary>
    public required LintSeverity Severity { get; init; }

    /// <summary>One of <see cref="LintCodes"/>, or one of <see cref="BundleErrorCodes"/> for a load error.</summary>
    public required string Code { get; init; }

    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>; only the file if the finding concerns the whole file.</summary>
    public required string Where { get; init; }

    /// <summary>The value found and the allowed values.</summary>
    public required string Message { get; init; }

    /// <summary>How to fix it.</summary>
    public required string Fix { get; init; }

    /// <summary>A job that proves the finding. Null: the finding needs none.</summary>
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

/// <summary>The severity of a finding.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<LintSeverity>))]
public enum LintSeverity
{
    /// <summary>Information.</summary>
    [JsonStringEnumMemberName("info")]
    Info,

    /// <summary>Probably not the author's intention.</summary>
    [JsonStringEnumMemberName("warning")]
    Warning,

    /// <summary>The bundle does not load, or a part of it can never have its effect.</summary>
    [JsonStringEnumMemberName("error")]
    Error,
}
