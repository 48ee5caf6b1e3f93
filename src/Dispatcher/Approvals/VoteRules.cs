using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Approvals;

/// <summary>Which votes count. Pure; each answer is null or says why not.</summary>
internal static class VoteRules
{
    /// <summary>Whether this person may vote on this job at all. Never: a key that names no person; whoever handed it in, or shares a person with who did; whom the rule excludes; who has none of the groups.</summary>
    /// <param name="cast">The vote.</param>
    /// <param name="principal">Who handed the job in.</param>
    /// <param name="requirement">What the job waits for.</param>
    /// <param name="people">The people behind <paramref name="principal"/> and behind the principals that the rule excludes.</param>
    public static VoteRefusal? Standing(CastVote cast, string principal, ApprovalRequirement requirement, ILookup<string, string> people)
    {
        if (cast.Person.Length == 0)
        {
            return new VoteRefusal(
                "no_person",
                $"The key of {cast.Subject} names no person, and only people vote. An admin makes one that does: "
                    + $"dispatcher keys create --subject <their own name> --person <person> --role approver."
            );
        }

        if (cast.Subject == principal || people[principal].Contains(cast.Person))
        {
            return new VoteRefusal(
                "own_job",
                $"The job was handed in by {principal}, who is the same person as {cast.Person}; somebody else must decide on it."
            );
        }

        if (requirement.Exclude.Any(name => name == cast.Subject || people[name].Contains(cast.Person)))
        {
            return new VoteRefusal("excluded", $"The rule excludes {cast.Subject} from deciding on this job.");
        }

        return Quorum.Counts(requirement, cast.Groups)
            ? null
            : new VoteRefusal(
                "not_in_group",
                $"The vote counts only of groups {string.Join(", ", requirement.Groups.Select(group => group.Group))}; the key of {cast.Subject} has {(cast.Groups.Count == 0 ? "none" : string.Join(", ", cast.Groups))}."
            );
    }

    /// <summary>Whether the approval still waits for just this vote, and the voter decides on what is there and not on something else.</summary>
    public static VoteRefusal? Timeliness(Approval approval, CastVote cast, long now)
    {
        if (approval.State != ApprovalStates.Held)
        {
            return new VoteRefusal(
                "not_held",
                $"Approval {approval.Name} is {approval.State.ToLowerInvariant()}{(approval.EndReason is null ? "" : $": {approval.EndReason}")}."
            );
        }

        if (now > approval.DecideBy)
        {
            return new VoteRefusal("expired", $"The time to decide on {approval.Name} has passed.");
        }

        if (Changed(approval, cast) is { Count: > 0 } changed)
        {
            return new VoteRefusal("changed", "The vote names something else than what waits; look at it again and vote on what it is now.")
            {
                Changed = changed,
            };
        }

        return approval.Votes.Any(vote => vote.Person == cast.Person)
            ? new VoteRefusal("already_voted", $"{cast.Person} has voted on {approval.Name} already; one vote a person.")
            : null;
    }

    private static List<ChangedHash> Changed(Approval approval, CastVote cast)
    {
        var pairs = new[]
        {
            new ChangedHash("job_hash", cast.JobHash, approval.JobHash),
            new ChangedHash("policy_hash", cast.PolicyHash, approval.PolicyHash),
            new ChangedHash("view_hash", cast.ViewHash ?? approval.ViewHash, approval.ViewHash),
        };
        return [.. pairs.Where(pair => pair.Voted != pair.Now)];
    }
}

/// <summary>Why a vote does not count.</summary>
internal sealed record VoteRefusal(string Code, string Message)
{
    /// <summary>What to do next. Null: the message says it.</summary>
    public string? Fix =>
        Code switch
        {
            "own_job" or "excluded" => "Another approver must vote.",
            "not_in_group" =>
                "Let somebody vote who is in one of these groups, or ask an admin for a key with one: dispatcher keys create --group.",
            "not_held" or "expired" or "already_voted" => "\"dispatcher approvals show\" says how it stands.",
            "changed" or "raced" => "Look at it with \"dispatcher approvals show\" and vote with the view hash shown there.",
            "no_approver" => "Ask an admin for a key with the role approver.",
            _ => null,
        };

    /// <summary>Which hashes differ. Empty: it is something else.</summary>
    public IReadOnlyList<ChangedHash> Changed { get; init; } = [];

    /// <summary>The answer when others changed the approval again and again while the vote was checked and written.</summary>
    public static VoteRefusal Raced(Approval approval) =>
        new(
            "raced",
            $"Approval {approval.Name} was changed by others while the vote was written; look at it again and vote on what it is now."
        );

    /// <summary>Whether it is <see cref="Raced"/>: what is there now decides.</summary>
    public bool IsRaced => Code == "raced";

    /// <summary>Whether this person may never vote here, or the vote only came at the wrong time.</summary>
    public bool IsOfStanding => Code is "no_person" or "own_job" or "excluded" or "not_in_group";
}

/// <summary>A hash that the vote named, and what it is.</summary>
internal sealed record ChangedHash(string Field, string Voted, string Now);
