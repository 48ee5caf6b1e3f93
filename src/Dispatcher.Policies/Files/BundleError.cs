namespace Dispatcher.Policies.Files;

/// <summary>One error of a bundle.</summary>
public sealed record BundleError
{
    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>; only the file if the error concerns the whole file.</summary>
    public required string Where { get; init; }

    /// <summary>The kind of error, one of <see cref="BundleErrorCodes"/>, for example <c>unknown_key</c>.</summary>
    public required string Code { get; init; }

    /// <summary>The value found and the allowed values.</summary>
    public required string Message { get; init; }

    /// <summary>How to fix it.</summary>
    public required string Fix { get; init; }

    /// <summary>The error on one line: <c>rules/prod.yaml:14: unknown_key: … Fix: …</c></summary>
    public override string ToString() => $"{Where}: {Code}: {Message} Fix: {Fix}";
}
