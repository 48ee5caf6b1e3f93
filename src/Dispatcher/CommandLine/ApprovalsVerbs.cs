using System.CommandLine;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.CommandLine;

/// <summary><c>dispatcher approvals list|show|approve|reject|watch</c>.</summary>
internal static class ApprovalsVerbs
{
    private const string AnId = "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-1";

    private const int MinViewDigits = 8;

    private static readonly TimeSpan WatchEvery = TimeSpan.FromSeconds(2);

    public static Command Create(ServerVerbs verbs) =>
        new("approvals", "List and show jobs that wait for an approval, and vote on them.")
        {
            List(verbs),
            Show(verbs),
            Deciding(verbs, "approve", "Approve the job as 'approvals show' showed it, under the rules that hold it."),
            Deciding(verbs, "reject", "Reject the job. One rejection is final."),
            Watch(verbs),
        };

    private static Verb List(ServerVerbs verbs)
    {
        var state = new Option<string?>("--state")
        {
            HelpName = "STATE",
            Description = "held (the default), approved, consumed, rejected, expired or invalidated.",
        };
        var all = new Option<bool>("--all") { Description = "Include approvals that a vote of this key does not count for." };
        var limit = new Option<int?>("--limit") { HelpName = "N", Description = "Maximum number of approvals." };
        var verb = new Verb(
            "list",
            "List the approvals that a vote of this key counts for: highest risk first, then oldest.",
            "dispatcher approvals list",
            "dispatcher approvals list --all --json"
        )
        {
            state,
            all,
            limit,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var query = new Query(
                    ("state", call.Arguments.GetValue(state)),
                    ("mine", call.Arguments.GetValue(all) ? "false" : null),
                    ("limit", call.Arguments.GetValue(limit))
                );
                return call.Report(
                    await call.Api.ApprovalsAsync(query, cancellationToken),
                    page => ApprovalScreen.ShowList(call.Screen, page)
                );
            }
        );
    }

    private static Verb Show(ServerVerbs verbs)
    {
        var id = Id();
        var verb = new Verb(
            "show",
            "Show an approval: the job, what would run under which limits, and the votes. A job's id alone shows its last round.",
            $"dispatcher approvals show {AnId}"
        )
        {
            id,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
                call.Report(
                    await call.Api.ApprovalAsync(call.Arguments.GetRequiredValue(id), cancellationToken),
                    approval => ApprovalScreen.ShowOne(call.Screen, approval)
                )
        );
    }

    private static Verb Deciding(ServerVerbs verbs, string verdict, string description)
    {
        var id = Id();
        var reason = new Option<string>("--reason")
        {
            HelpName = "TEXT",
            Description = "Reason of the vote; the timeline records it.",
            Required = true,
        };
        var seen = new Option<string>("--view")
        {
            HelpName = "HASH",
            Description = "View hash that 'approvals show' printed, or its first 8 digits or more. The vote counts only for that view.",
            Required = true,
        };
        var verb = new Verb(verdict, description, $"dispatcher approvals {verdict} {AnId} --view 3f2b8c6d4e10 --reason checked")
        {
            id,
            seen,
            reason,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var approval = await call.Api.ApprovalAsync(call.Arguments.GetRequiredValue(id), cancellationToken);
                if (!approval.IsSuccess)
                {
                    return call.Report(approval, _ => { });
                }

                var view = approval.Body.Text("view_hash");
                var shown = call.Arguments.GetRequiredValue(seen);
                CheckView(shown, view, approval.Body.Text("approval_id"));
                var vote = JsonSerializer.SerializeToUtf8Bytes(
                    new
                    {
                        job_hash = approval.Body.Text("job_hash"),
                        policy_hash = approval.Body.Text("policy_hash"),
                        view_hash = view,
                        reason = call.Arguments.GetRequiredValue(reason),
                    }
                );
                return call.Report(
                    await call.Api.VoteAsync(approval.Body.Text("approval_id"), verdict, vote, cancellationToken),
                    counted => ApprovalScreen.ShowCounted(call.Screen, counted)
                );
            }
        );
    }

    private static void CheckView(string shown, string view, string approvalId)
    {
        var fix = $"Read \"dispatcher approvals show {approvalId}\" and vote with at least {MinViewDigits} digits of its view hash.";
        if (shown.Length < MinViewDigits)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"--view {shown} has {shown.Length} digits; at least {MinViewDigits} are required.",
                fix
            );
        }

        if (!view.StartsWith(shown, StringComparison.Ordinal))
        {
            throw new ExitException(ExitCode.No, $"--view is {shown}, but the view hash of the approval is now {view}.", fix);
        }
    }

    private static Verb Watch(ServerVerbs verbs)
    {
        var all = new Option<bool>("--all") { Description = "Include approvals that a vote of this key does not count for." };
        var verb = new Verb(
            "watch",
            "Print each new approval that a vote of this key counts for, until Ctrl-C. With --json one line for each.",
            "dispatcher approvals watch"
        )
        {
            all,
        };
        return verbs.Add(
            verb,
            async (call, cancellationToken) =>
            {
                var known = new HashSet<string>(StringComparer.Ordinal);
                while (true)
                {
                    var page = await call.Api.ApprovalsAsync(
                        new Query(("mine", call.Arguments.GetValue(all) ? "false" : null), ("limit", 500)),
                        cancellationToken
                    );
                    if (!page.IsSuccess)
                    {
                        return call.Report(page, _ => { });
                    }

                    foreach (var approval in page.Body.Items("items").Where(approval => known.Add(approval.Text("approval_id"))))
                    {
                        Announce(call, approval);
                    }

                    await Task.Delay(WatchEvery, call.Terminal.Clock, cancellationToken);
                }
            }
        );
    }

    private static Argument<string> Id() =>
        new("APPROVAL_ID") { Description = "Id of the approval: job id and round; see 'dispatcher approvals list'." };

    private static void Announce(ServerCall call, JsonElement approval)
    {
        if (call.Json)
        {
            call.Screen.Json(approval.GetRawText());
        }
        else
        {
            ApprovalScreen.ShowNew(call.Screen, approval);
        }
    }
}
