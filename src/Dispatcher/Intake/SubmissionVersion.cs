using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;

namespace Dispatcher.Intake;

/// <summary>The format of a submission: the member <c>v</c>. Without it, the format is version 1.</summary>
internal static class SubmissionVersion
{
    /// <summary>False: the format is newer and may have any other member, so the version is reported as the only error.</summary>
    public static bool IsReadable(JsonMembers members, List<InputError> errors)
    {
        if (members.Member("v") is not { } version)
        {
            return true;
        }

        var number = version.ValueKind == JsonValueKind.Number && version.TryGetInt32(out var v) ? v : 0;
        if (number > NewerMessages.Known)
        {
            NewerMessages.Report(errors, version.GetRawText());
            return false;
        }

        if (number != NewerMessages.Known)
        {
            errors.Report(
                "bad_version",
                "/v",
                $"Seen: {InputErrors.Cut(version.GetRawText())}; allowed is {NewerMessages.Known}.",
                $"Leave \"v\" out or set it to {NewerMessages.Known}."
            );
        }

        return true;
    }
}
