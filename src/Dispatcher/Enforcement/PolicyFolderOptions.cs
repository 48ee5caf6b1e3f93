using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Enforcement;

/// <summary>The policy folder, set by <c>serve --policies DIR</c> or <c>DISPATCHER_POLICIES</c>.</summary>
internal sealed class PolicyFolderOptions
{
    /// <summary>
    /// The folder with <c>rules/</c> and <c>topics.yaml</c>. The server reads it every second. Default: <c>policies</c> below the working
    /// folder.
    /// </summary>
    [Required]
    public string Path { get; set; } = "policies";
}

[OptionsValidator]
internal sealed partial class PolicyFolderOptionsValidator : IValidateOptions<PolicyFolderOptions>;
