using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Intake;

/// <summary>
/// How large a submission may be. The server refuses a larger one as malformed, with the limit in the error. Section <c>Intake</c>.
/// </summary>
internal sealed class IntakeOptions
{
    /// <summary>Most bytes of a payload, at most 1 MiB. Default 256 KiB: larger content belongs in an object store.</summary>
    [Range(1, 1_048_576)]
    public int MaxPayloadBytes { get; set; } = 262_144;

    /// <summary>Most labels of a job. Default 64: labels are for rules, not for content.</summary>
    [Range(0, 1_024)]
    public int MaxLabels { get; set; } = 64;

    /// <summary>Longest key of a label, in characters. Default 64.</summary>
    [Range(1, 256)]
    public int MaxLabelKey { get; set; } = 64;

    /// <summary>Longest value of a label, in characters. Default 256.</summary>
    [Range(0, 4_096)]
    public int MaxLabelValue { get; set; } = 256;

    /// <summary>Most bytes of a body: the payload and 128 KiB for the rest. The server refuses a larger body without reading it.</summary>
    public int MaxBodyBytes => MaxPayloadBytes + 131_072;
}

[OptionsValidator]
internal sealed partial class IntakeOptionsValidator : IValidateOptions<IntakeOptions>;
