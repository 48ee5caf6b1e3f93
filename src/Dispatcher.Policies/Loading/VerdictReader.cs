using Dispatcher.Contracts;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads a rule's <c>decision</c> or a case's <c>verdict</c>.</summary>
internal static class VerdictReader
{
    public static Verdict? Read(YamlNode node, string what, ErrorList errors)
    {
        if (Scalars.Text(node, what, errors) is not { } text)
        {
            return null;
        }

        return VerdictNames.Parse(text)
            ?? (
                errors.AddUnknown(node, BundleErrorCodes.UnknownDecision, what, VerdictNames.All) is { } nearest
                    ? VerdictNames.Parse(nearest)
                    : null
            );
    }
}
