using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Enforcement;

/// <summary>Where the policies lie. Section <c>Policies</c>; <c>serve --policies DIR</c>.</summary>
internal sealed class PolicyFolderOptions
{
    /// <summary>The folder with <c>rules/</c> and <c>topics.yaml</c>, looked at every second. Default: <c>policies</c> below the working folder.</summary>
    [Required]
    public string Path { get; set; } = "policies";
}

[OptionsValidator]
internal sealed partial class PolicyFolderOptionsValidator : IValidateOptions<PolicyFolderOptions>;
