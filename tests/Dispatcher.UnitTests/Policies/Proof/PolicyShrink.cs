using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>Smaller variants of a failed scenario. Each of them is a valid bundle.</summary>
internal static class PolicyShrink
{
    public static IEnumerable<Scenario> Of(Scenario scenario)
    {
        // A single job first, because the other steps are tried far more often.
        var jobs = scenario.Jobs.Count > 1 ? scenario.Jobs.Select(job => (IReadOnlyList<JobModel>)[job]) : Each(scenario.Jobs, Of);
        return jobs.Select(fewer => scenario with { Jobs = fewer })
            .Concat(Of(scenario.Bundle).Select(bundle => scenario with { Bundle = bundle }))
            .Concat(Of(scenario.Extra).Select(extra => scenario with { Extra = extra }));
    }

    private static IEnumerable<BundleModel> Of(BundleModel bundle) =>
        Without(bundle.Rules)
            .Select(rules => bundle with { Rules = rules })
            .Concat(bundle.Topics.Count > 1 ? Without(bundle.Topics).Select(topics => bundle with { Topics = topics }) : [])
            .Concat(Each(bundle.Rules, Of).Select(rules => bundle with { Rules = rules }))
            .Concat(Each(bundle.Topics, Of).Select(topics => bundle with { Topics = topics }));

    private static IEnumerable<TopicModel> Of(TopicModel topic) =>
        Without(topic.Labels)
            .Select(labels => topic with { Labels = labels })
            .Concat(Without(topic.AlwaysTags).Select(tags => topic with { AlwaysTags = tags }))
            .Concat(Without(topic.OptionalTags).Select(tags => topic with { OptionalTags = tags }))
            .Concat(
                topic.Labels.SelectMany(label =>
                    Of(label.Value)
                        .Select(smaller =>
                            topic with
                            {
                                Labels = new Dictionary<string, LabelModel>(topic.Labels) { [label.Key] = smaller },
                            }
                        )
                )
            );

    private static IEnumerable<LabelModel> Of(LabelModel label) =>
        Changed(
                label,
                label with
                {
                    Values = null,
                },
                label with
                {
                    Required = false,
                },
                label with
                {
                    AbsentIsNoMatch = false,
                },
                label with
                {
                    Default = null,
                }
            )
            .Concat(Without(label.Table).Select(table => label with { Table = table }));

    private static IEnumerable<RuleModel> Of(RuleModel rule) =>
        Changed(
                rule,
                rule with
                {
                    Reason = null,
                },
                rule with
                {
                    From = null,
                },
                rule with
                {
                    Until = null,
                },
                rule with
                {
                    Approval = null,
                },
                rule.Decision == Verdict.RequireApproval ? rule with { Constraints = null } : rule
            )
            .Concat(Of(rule.Match).Select(match => rule with { Match = match }))
            .Concat(rule.Constraints is null ? [] : Of(rule.Constraints).Select(constraints => rule with { Constraints = constraints }))
            .Concat(rule.Approval is null ? [] : Of(rule.Approval).Select(approval => rule with { Approval = approval }));

    private static IEnumerable<MatchModel> Of(MatchModel match) =>
        Changed(
                match,
                match with
                {
                    Unless = null,
                },
                match with
                {
                    Topic = null,
                },
                match with
                {
                    Tags = null,
                },
                match with
                {
                    Principals = null,
                },
                match with
                {
                    Workflows = null,
                },
                match with
                {
                    AttemptAtLeast = null,
                }
            )
            .Concat(Without(match.Labels).Select(labels => match with { Labels = labels }))
            .Concat(Each(match.Labels, Of).Select(labels => match with { Labels = labels }))
            .Concat(match.Tags is null ? [] : Fewer(match.Tags.Tags).Select(tags => match with { Tags = match.Tags with { Tags = tags } }))
            .Concat(match.Unless is null ? [] : Of(match.Unless).Select(unless => match with { Unless = unless }));

    private static IEnumerable<LabelTest> Of(LabelTest test) => Fewer(test.Values).Select(values => test with { Values = values });

    private static IEnumerable<Constraints> Of(Constraints limits) =>
        Changed(
                limits,
                limits with
                {
                    TimeoutMs = null,
                },
                limits with
                {
                    MaxOutputBytes = null,
                },
                limits with
                {
                    AllowedHosts = null,
                },
                limits with
                {
                    AllowedCommands = null,
                }
            )
            .Where(fewer => fewer != new Constraints())
            .Concat(Fewer(limits.AllowedHosts ?? []).Select(hosts => limits with { AllowedHosts = hosts }))
            .Concat(Fewer(limits.AllowedCommands ?? []).Select(commands => limits with { AllowedCommands = commands }));

    private static IEnumerable<ApprovalModel> Of(ApprovalModel approval) =>
        Changed(
                approval,
                approval with
                {
                    Exclude = null,
                },
                approval with
                {
                    DecideWithinMinutes = null,
                },
                approval with
                {
                    UseWithinMinutes = null,
                },
                approval with
                {
                    Covers = null,
                },
                approval with
                {
                    OnPolicyChange = null,
                }
            )
            .Concat(Without(approval.Groups).Select(groups => approval with { Groups = groups }));

    private static IEnumerable<JobModel> Of(JobModel job) =>
        Changed(
                job,
                job with
                {
                    Workflow = null,
                },
                job with
                {
                    Attempt = 1,
                },
                job with
                {
                    Payload = PayloadModel.Without,
                },
                job with
                {
                    At = ABundle.Now,
                }
            )
            .Concat(Without(job.Labels).Select(labels => job with { Labels = labels }))
            .Concat(Without(job.Tags).Select(tags => job with { Tags = tags }));

    /// <summary>Only variants that differ from the original: otherwise shrinking would not end.</summary>
    private static IEnumerable<T> Changed<T>(T original, params T[] candidates) =>
        candidates.Where(candidate => !Equals(candidate, original));

    private static IEnumerable<IReadOnlyList<T>> Without<T>(IReadOnlyList<T> all) =>
        all.Select((_, i) => (IReadOnlyList<T>)[.. all.Take(i), .. all.Skip(i + 1)]);

    private static IEnumerable<IReadOnlyDictionary<string, T>> Without<T>(IReadOnlyDictionary<string, T> all) =>
        all.Keys.Select(name => (IReadOnlyDictionary<string, T>)all.Where(pair => pair.Key != name).ToDictionary());

    /// <summary>Lists with one item less, but at least one.</summary>
    private static IEnumerable<IReadOnlyList<T>> Fewer<T>(IReadOnlyList<T> all) => all.Count > 1 ? Without(all) : [];

    private static IEnumerable<IReadOnlyList<T>> Each<T>(IReadOnlyList<T> all, Func<T, IEnumerable<T>> shrink) =>
        all.SelectMany((item, i) => shrink(item).Select(smaller => (IReadOnlyList<T>)[.. all.Take(i), smaller, .. all.Skip(i + 1)]));
}
