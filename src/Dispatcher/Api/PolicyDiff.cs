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
    /// <summary>A year.</summary>
    public const long MostSeconds = 31_536_000;

    [JsonPropertyName("old")]
    public required BundleReference Old { get; init; }

    [JsonPropertyName("new")]
    public required BundleReference New { get; init; }

    /// <summary>How far back jobs are looked at. Default: 7 days.</summary>
    [JsonPropertyName("since_seconds")]
    public long SinceSeconds { get; init; } = 604_800;
}

/// <summary>A bundle that is kept, by its hash, or a whole one that need not be.</summary>
internal sealed record BundleReference
{
    /// <summary>The hash, the first digits of it (at least 8), or <c>active</c>. Null: <see cref="Archive"/> is meant.</summary>
    [JsonPropertyName("hash")]
    public string? Hash { get; init; }

    /// <summary>What <see cref="Bundle.Archive"/> gives, in base64. Null: <see cref="Hash"/> is meant.</summary>
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
                        Message = "Both or neither of \"hash\" and \"archive\" is there.",
                        Fix = "Send one of them.",
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

/// <summary>What recorded jobs would get of each of two bundles if they came now.</summary>
internal sealed record PolicyDiffView
{
    public required string Old { get; init; }
    public required string New { get; init; }
    public required DateTimeOffset Since { get; init; }

    /// <summary>How many jobs and denied submissions were decided by both.</summary>
    public required int Jobs { get; init; }

    /// <summary>Denied submissions whose payload was too large to be kept.</summary>
    public required int NotComparable { get; init; }

    /// <summary>There are older jobs in the time asked for; only the newest were looked at.</summary>
    public required bool Truncated { get; init; }

    public required int Widened { get; init; }
    public required int Narrowed { get; init; }

    /// <summary>
    /// What changed, first what widened, newest first, at most <see cref="DecidedJobs.MostChanges"/>. Jobs that differ only in id and time are one.
    /// </summary>
    public required IReadOnlyList<ChangedJob> Changes { get; init; }

    /// <summary>
    /// Changed rules that the recorded jobs do not show: no job met them, or a made-up job is widened by them. At most
    /// <see cref="DecidedJobs.MostUnshownRules"/>.
    /// </summary>
    public required IReadOnlyList<UnshownRule> UnshownRules { get; init; }

    /// <summary>How many there are.</summary>
    public required int UnshownRuleCount { get; init; }
}

/// <summary>Jobs on which the two bundles differ in the same way. The id and the time are those of the newest.</summary>
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

    public static ChangedJob Of(DecidedJob job, Decision before, Decision after, DecisionChange change) =>
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

    /// <summary>All but id and time.</summary>
    public string Group() =>
        string.Join(
            '\n',
            [Topic, Principal, Before.ToString(), .. Before.Rules, After.ToString(), .. After.Rules, .. Widened, "-", .. Narrowed]
        );
}

/// <summary>A rule that was added, removed or changed, and whose effect the recorded jobs do not show, or not all of it.</summary>
/// <param name="Rule">The id.</param>
/// <param name="Change"><c>added</c>, <c>removed</c> or <c>changed</c>.</param>
/// <param name="Where">File and line, in the new bundle if that has it.</param>
/// <param name="IsMet">Whether a recorded job met it.</param>
/// <param name="MadeUp">A made-up job that meets the rule. Null: none was found.</param>
internal sealed record UnshownRule(string Rule, string Change, string Where, bool IsMet, MadeUpJobView? MadeUp);

/// <summary>A job that was made up for a rule, as both bundles decide it.</summary>
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

/// <summary>A decision in one line.</summary>
internal sealed record ShortDecision(Verdict Verdict, IReadOnlyList<string> Rules, string Reason)
{
    public static ShortDecision Of(Decision decision) => new(decision.Verdict, decision.Rules, decision.Reason);
}
