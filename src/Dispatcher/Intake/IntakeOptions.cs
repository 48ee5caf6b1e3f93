using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Intake;

/// <summary>How large a submission may be. What is over a limit is refused as malformed, with the limit in the error. Section <c>Intake</c>.</summary>
internal sealed class IntakeOptions
{
    /// <summary>Most bytes of payload. Default 256 KiB: larger things belong in an object store. At most 1 MiB.</summary>
    [Range(1, 1_048_576)]
    public int MaxPayloadBytes { get; set; } = 262_144;

    /// <summary>Most labels. Default 64: labels are for rules, not for content.</summary>
    [Range(0, 1_024)]
    public int MaxLabels { get; set; } = 64;

    /// <summary>Longest label key in characters. Default 64.</summary>
    [Range(1, 256)]
    public int MaxLabelKey { get; set; } = 64;

    /// <summary>Longest label value in characters. Default 256.</summary>
    [Range(0, 4_096)]
    public int MaxLabelValue { get; set; } = 256;

    /// <summary>Most bytes of a whole body: the payload and 128 KiB for the rest. A larger one is refused unread.</summary>
    public int MaxBodyBytes => MaxPayloadBytes + 131_072;
}

[OptionsValidator]
internal sealed partial class IntakeOptionsValidator : IValidateOptions<IntakeOptions>;
