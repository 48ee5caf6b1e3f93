using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Approvals;

/// <summary>Checks whether a vote counts. Pure. Each check returns null, or why the vote does not count.</summary>
internal static class VoteRules
{
    /// <summary>
    /// Checks whether the person may vote on this job at all. These may not: a key without a person, the requester and every person behind
    /// it, persons that the rule excludes, and persons in none of the required groups.
    /// </summary>
    /// <param name="cast">The vote.</param>
    /// <param name="principal">The principal that submitted the job.</param>
    /// <param name="requirement">The requirement of the approval.</param>
    /// <param name="people">The persons behind <paramref name="principal"/> and behind the excluded principals.</param>
    public static VoteRefusal? Eligibility(CastVote cast, string principal, ApprovalRequirement requirement, ILookup<string, string> people)
    {
        if (cast.Person.Length == 0)
        {
            return new VoteRefusal(
                "no_person",
                $"The key of {cast.Subject} names no person, and only persons vote. An admin can create a key that names one: "
                    + $"dispatcher keys create --subject <subject> --person <person> --role approver."
            );
        }

        if (cast.Subject == principal || people[principal].Contains(cast.Person))
        {
            return new VoteRefusal(
                "own_job",
                $"{principal} submitted the job and is the same person as {cast.Person}; another person must decide on it."
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
                $"Only votes of the groups {string.Join(", ", requirement.Groups.Select(group => group.Group))} count; "
                    + $"the key of {cast.Subject} has {(cast.Groups.Count == 0 ? "none" : string.Join(", ", cast.Groups))}."
            );
    }

    /// <summary>Checks whether the approval still waits for this vote, and whether the vote names the hashes of the approval.</summary>
    public static VoteRefusal? Timeliness(Approval approval, CastVote cast, long now)
    {
        if (approval.State != ApprovalStates.Held)
        {
            return new VoteRefusal(
                "not_held",
                $"Approval {approval.Name} is {approval.State.ToLowerInvariant()}"
                    + $"{(approval.EndReason is null ? "" : $": {approval.EndReason}")}."
            );
        }

        if (now > approval.DecideBy)
        {
            return new VoteRefusal("expired", $"The time to decide on {approval.Name} has passed.");
        }

        if (Changed(approval, cast) is { Count: > 0 } changed)
        {
            return new VoteRefusal("changed", "The vote names other hashes than the approval; review the approval again, then vote.")
            {
                Changed = changed,
            };
        }

        return approval.Votes.Any(vote => vote.Person == cast.Person)
            ? new VoteRefusal("already_voted", $"{cast.Person} has already voted on {approval.Name}; each person has one vote.")
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
    /// <summary>The next step for the caller. Null: the message states it.</summary>
    public string? Fix =>
        Code switch
        {
            "own_job" or "excluded" => "Another approver must vote.",
            "not_in_group" =>
                "A member of one of these groups must vote; an admin can create a key with a group: dispatcher keys create --group.",
            "not_held" or "expired" or "already_voted" => "See its present state with \"dispatcher approvals show\".",
            "changed" or "raced" => "Review it with \"dispatcher approvals show\" and vote with the view hash shown there.",
            "no_approver" => "Ask an admin for a key with the role approver.",
            _ => null,
        };

    /// <summary>The hashes that differ. Empty: the refusal has another reason.</summary>
    public IReadOnlyList<ChangedHash> Changed { get; init; } = [];

    /// <summary>The refusal after repeated concurrent changes of the approval while the vote was checked and written.</summary>
    public static VoteRefusal Raced(Approval approval) =>
        new("raced", $"Approval {approval.Name} changed while the vote was written; review it again, then vote.");

    /// <summary>Whether the vote must be checked again, because of a concurrent change.</summary>
    public bool IsRaced => Code == "raced";

    /// <summary>Whether this person may never vote on the approval. False: only this vote does not count.</summary>
    public bool IsIneligible => Code is "no_person" or "own_job" or "excluded" or "not_in_group";
}

/// <summary>A hash as the vote names it, and its present value.</summary>
internal sealed record ChangedHash(string Field, string Voted, string Now);
