using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Policies;
using Dispatcher.Policies.Explaining;
using Dispatcher.Policies.Model;
using Dispatcher.Web;

namespace Dispatcher.Api;

/// <summary>The body of <c>POST /api/policies/diff</c>.</summary>
internal sealed record PolicyDiffRequest
{
    /// <summary>One year.</summary>
    public const long MaxSeconds = 31_536_000;

    [JsonPropertyName("old")]
    public required BundleReference Old { get; init; }

    [JsonPropertyName("new")]
    public required BundleReference New { get; init; }

    /// <summary>Age of the oldest job to compare, in seconds: 1 to <see cref="MaxSeconds"/>. Default: 7 days.</summary>
    [JsonPropertyName("since_seconds")]
    public long SinceSeconds { get; init; } = 604_800;
}

/// <summary>A stored bundle by its hash, or a whole bundle as an archive.</summary>
internal sealed record BundleReference
{
    /// <summary>The hash, the first digits of it (at least 8), or <c>active</c>. Null: <see cref="Archive"/> is given.</summary>
    [JsonPropertyName("hash")]
    public string? Hash { get; init; }

    /// <summary>A <see cref="Bundle.Archive"/> in base64. Null: <see cref="Hash"/> is given.</summary>
    [JsonPropertyName("archive")]
    public byte[]? Archive { get; init; }

    public async Task<FoundBundle> FindAsync(StoredBundles kept, string where, CancellationToken cancellationToken)
    {
        if ((Hash is null) == (Archive is null))
        {
            return new FoundBundle(
                null,
                Problems.Malformed([
                    new InputError
                    {
                        Code = "hash_or_archive",
                        Where = where,
                        Message = "The reference has both or neither of \"hash\" and \"archive\".",
                        Fix = "Send exactly one of them.",
                    },
                ])
            );
        }

        if (Hash is not null)
        {
            return await kept.FindAsync(Hash, where + "/hash", cancellationToken);
        }

        var load = Bundle.FromArchive(Archive);
        return new FoundBundle(
            load.Bundle,
            load.Bundle is null
                ? Problems.Malformed([
                    .. load.Errors.Select(error => new InputError
                    {
                        Code = error.Code,
                        Where = $"{where}/archive {error.Where}",
                        Message = error.Message,
                        Fix = error.Fix,
                    }),
                ])
                : null
        );
    }
}

/// <summary>How two bundles differ in their decisions on recorded jobs, evaluated at the current time.</summary>
internal sealed record PolicyDiffView
{
    public required string Old { get; init; }
    public required string New { get; init; }
    public required DateTimeOffset Since { get; init; }

    /// <summary>Number of jobs and denied submissions that both bundles evaluated.</summary>
    public required int Jobs { get; init; }

    /// <summary>Number of denied submissions whose payload was too large to store.</summary>
    public required int NotComparable { get; init; }

    /// <summary>The requested time has more jobs; only the newest were read.</summary>
    public required bool Truncated { get; init; }

    public required int Widened { get; init; }
    public required int Narrowed { get; init; }

    /// <summary>
    /// Changed decisions: widened ones first, then newest first, at most <see cref="StoredDecisions.MaxChanges"/>. Jobs that differ only in
    /// id and time form one change.
    /// </summary>
    public required IReadOnlyList<ChangedJob> Changes { get; init; }

    /// <summary>
    /// Changed rules whose effect the recorded jobs do not cover: no job matched them, or they widen the decision on a made-up job. At
    /// most <see cref="StoredDecisions.MaxUnshownRules"/>.
    /// </summary>
    public required IReadOnlyList<UnshownRule> UnshownRules { get; init; }

    /// <summary>Number of all such rules, listed or not.</summary>
    public required int UnshownRuleCount { get; init; }
}

/// <summary>Jobs on which the two bundles differ in the same way. Id and time are those of the newest job.</summary>
internal sealed record ChangedJob(
    Guid JobId,
    string Topic,
    string Principal,
    DateTimeOffset CreatedAt,
    ShortDecision Before,
    ShortDecision After,
    IReadOnlyList<string> Widened,
    IReadOnlyList<string> Narrowed
)
{
    public int Count { get; init; } = 1;

    public static ChangedJob Of(StoredSubmission job, Decision before, Decision after, DecisionChange change) =>
        new(
            job.JobId,
            job.Topic,
            job.Principal,
            Timestamps.At(job.CreatedAt),
            ShortDecision.Of(before),
            ShortDecision.Of(after),
            change.Widened,
            change.Narrowed
        );

    /// <summary>A key of all fields but id and time.</summary>
    public string Group() =>
        string.Join(
            '\n',
            [Topic, Principal, Before.ToString(), .. Before.Rules, After.ToString(), .. After.Rules, .. Widened, "-", .. Narrowed]
        );
}

/// <summary>A rule that was added, removed or changed, and whose effect the recorded jobs do not cover completely.</summary>
/// <param name="Rule">The id.</param>
/// <param name="Change"><c>added</c>, <c>removed</c> or <c>changed</c>.</param>
/// <param name="Where">File and line, in the new bundle if it contains the rule.</param>
/// <param name="IsMet">Whether the rule matched a recorded job.</param>
/// <param name="MadeUp">A made-up job that the rule matches. Null: none was found.</param>
internal sealed record UnshownRule(string Rule, string Change, string Where, bool IsMet, MadeUpJobView? MadeUp);

/// <summary>A made-up job for a rule, with the decisions of both bundles.</summary>
internal sealed record MadeUpJobView
{
    public required string Topic { get; init; }
    public required string Principal { get; init; }
    public required IReadOnlyDictionary<string, string> Labels { get; init; }
    public required IReadOnlyList<string> RiskTags { get; init; }
    public required JsonNode? Payload { get; init; }
    public string? WorkflowId { get; init; }
    public required int Attempt { get; init; }
    public required ShortDecision Before { get; init; }
    public required ShortDecision After { get; init; }
    public required IReadOnlyList<string> Widened { get; init; }
    public required IReadOnlyList<string> Narrowed { get; init; }

    public static MadeUpJobView Of(SampleJob made) =>
        new()
        {
            Topic = made.Job.Topic,
            Principal = made.Job.Principal,
            Labels = made.Job.Labels,
            RiskTags = made.Job.RiskTags,
            Payload = JsonNode.Parse(made.Job.Payload.Span),
            WorkflowId = made.Job.WorkflowId,
            Attempt = made.Job.Attempt,
            Before = ShortDecision.Of(made.Before),
            After = ShortDecision.Of(made.After),
            Widened = made.Change.Widened,
            Narrowed = made.Change.Narrowed,
        };
}

/// <summary>A decision in short form.</summary>
internal sealed record ShortDecision(Verdict Verdict, IReadOnlyList<string> Rules, string Reason)
{
    public static ShortDecision Of(Decision decision) => new(decision.Verdict, decision.Rules, decision.Reason);
}
