using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>
/// Finds rules that can be removed without changing the verdict, constraints or approval of any decision, because one other rule covers
/// them. Coverage by several rules together is not searched.
/// </summary>
internal sealed class ShadowLint(LintedBundle bundle, FindingList findings)
{
    // The maximum number of covering candidates for a rule. The widest come first, so a later one hardly ever covers it.
    private const int MaxCandidates = 24;

    public void Run()
    {
        foreach (var rule in bundle.Live.Where(rule => !bundle.FitsUnread(rule.Topic)))
        {
            Check(rule);
        }
    }

    private void Check(Rule rule)
    {
        foreach (var cover in Candidates(rule).Where(cover => Covers(cover, rule)))
        {
            var isSame = CanCover(rule, cover) && Covers(rule, cover);
            if (isSame ? bundle.IsDoubtful(cover) != bundle.IsDoubtful(rule) : bundle.IsDoubtful(cover) || !cover.IsWhole)
            {
                // The author must change that rule, so no rule should be removed because of its current content.
                continue;
            }

            if (!isSame)
            {
                findings.Warning(
                    rule.Where,
                    LintCodes.Shadowed,
                    $"{rule.Id} ({VerdictNames.Of(rule.Decision)}) never changes a decision: {cover.Id} "
                        + $"({VerdictNames.Of(cover.Decision)}) at {cover.Where} covers it.",
                    $"remove {rule.Id}, or narrow {cover.Id}."
                );
                return;
            }

            if (cover.Number < rule.Number)
            {
                findings.Warning(
                    rule.Where,
                    LintCodes.SameRule,
                    $"{rule.Id} repeats {cover.Id} at {cover.Where}: it matches the same jobs with the same effect.",
                    "remove one of the two."
                );
                return;
            }
        }
    }

    /// <summary>
    /// Rules that may cover this one. A covering rule counts on every job on which the rule counts, so testing one such job excludes most.
    /// </summary>
    private IEnumerable<Rule> Candidates(Rule rule)
    {
        foreach (var topic in bundle.TopicsOf(rule))
        {
            if (bundle.FindCounting(topic, rule).Job is { } job)
            {
                return bundle
                    .CountingOn(topic, bundle.FilledIn(topic, rule, job))
                    .Where(cover => cover.Number != rule.Number && CanCover(cover, rule))
                    .OrderBy(cover => cover.Match.Parts.Count)
                    .ThenByDescending(cover => cover.Decision)
                    .ThenBy(cover => cover.Number)
                    .Take(MaxCandidates);
            }
        }

        return [];
    }

    /// <summary>Whether the effect is at least as strict and lasts at least as long.</summary>
    private bool CanCover(Rule cover, Rule rule) =>
        cover.Decision >= rule.Decision
        && (cover.From is null || cover.From <= bundle.Now || cover.From <= rule.From)
        && (cover.Until is null || rule.Until <= cover.Until)
        && (cover.Decision == Verdict.Deny || (AddsNoConstraint(cover, rule) && AddsNoApproval(cover, rule)));

    private static bool AddsNoConstraint(Rule cover, Rule rule)
    {
        var merged = ConstraintMerge.Of([cover, rule]);
        var alone = cover.Constraints;
        return (merged is null && alone is null)
            || (
                merged is not null
                && alone is not null
                && merged.TimeoutMs == alone.TimeoutMs
                && merged.MaxOutputBytes == alone.MaxOutputBytes
                && IsSame(merged.AllowedHosts, alone.AllowedHosts)
                && IsSame(merged.AllowedCommands, alone.AllowedCommands)
            );
    }

    private static bool AddsNoApproval(Rule cover, Rule rule)
    {
        var merged = ApprovalMerge.Of([cover, rule]);
        var alone = cover.Approval;
        return (merged is null && alone is null)
            || (
                merged is not null
                && alone is not null
                && merged.Groups.SequenceEqual(alone.Groups)
                && IsSame(merged.Exclude, alone.Exclude)
                && merged.DecideWithin == alone.DecideWithin
                && merged.UseWithin == alone.UseWithin
                && merged.Covers == alone.Covers
                && merged.OnPolicyChange == alone.OnPolicyChange
            );
    }

    private static bool IsSame(IReadOnlyList<string>? a, IReadOnlyList<string>? b) =>
        (a is null && b is null) || (a is not null && b is not null && a.SequenceEqual(b, StringComparer.Ordinal));

    /// <summary>Whether the cover counts on every job on which the rule counts, and also grants where the rule grants.</summary>
    private bool Covers(Rule cover, Rule rule) =>
        bundle
            .TopicsOf(rule)
            .All(topic =>
            {
                var fits = cover.Topic.Fits(topic.Name);
                return bundle.Find(topic, [rule, cover], facts => IsUncovered(cover, rule, facts, fits)).IsProvenEmpty;
            });

    private static bool IsUncovered(Rule cover, Rule rule, Facts facts, bool fits)
    {
        var truth = rule.Match.Test(facts);
        var covered = fits ? cover.Match.Test(facts) : Truth.False;
        return Evaluator.Counts(rule, truth) && !(Evaluator.Counts(cover, covered) && (cover.Decision == Verdict.Deny || covered >= truth));
    }
}
