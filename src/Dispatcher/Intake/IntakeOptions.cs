using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Intake;

/// <summary>
/// Limits on the size of a submission. A submission over a limit is refused as malformed, with the limit in the error. Section
/// <c>Intake</c>.
/// </summary>
internal sealed class IntakeOptions
{
    /// <summary>Maximum bytes of payload. Default 256 KiB: larger things belong in an object store. At most 1 MiB.</summary>
    [Range(1, 1_048_576)]
    public int MaxPayloadBytes { get; set; } = 262_144;

    /// <summary>Maximum number of labels. Default 64: labels are for rules, not for content.</summary>
    [Range(0, 1_024)]
    public int MaxLabels { get; set; } = 64;

    /// <summary>Maximum length of a label key, in characters. Default 64.</summary>
    [Range(1, 256)]
    public int MaxLabelKey { get; set; } = 64;

    /// <summary>Maximum length of a label value, in characters. Default 256.</summary>
    [Range(0, 4_096)]
    public int MaxLabelValue { get; set; } = 256;

    /// <summary>Maximum bytes of a whole body: the payload and 128 KiB for the rest. A larger body is refused unread.</summary>
    public int MaxBodyBytes => MaxPayloadBytes + 131_072;
}

[OptionsValidator]
internal sealed partial class IntakeOptionsValidator : IValidateOptions<IntakeOptions>;
