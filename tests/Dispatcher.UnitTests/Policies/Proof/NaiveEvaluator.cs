using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>
/// The meaning of a bundle, written as directly as possible: every rule is tested, and true, false and unknown (null) are combined with
/// C#'s three-valued <c>&amp;</c>, <c>|</c> and <c>!</c>.
/// </summary>
internal sealed class NaiveEvaluator
{
    private readonly BundleModel _bundle;
    private readonly JobModel _job;
    private readonly TopicModel _topic;
    private readonly Dictionary<string, string> _labels;

    private NaiveEvaluator(BundleModel bundle, JobModel job, TopicModel topic)
    {
        _bundle = bundle;
        _job = job;
        _topic = topic;
        _labels = job.Labels.Where(label => label.Value is not null).ToDictionary(label => label.Key, label => label.Value!);
    }

    public static Answer Decide(BundleModel bundle, JobModel job) =>
        bundle.Topics.SingleOrDefault(topic => topic.Name == job.Topic) is { } topic
            ? new NaiveEvaluator(bundle, job, topic).Decide()
            : Answer.Denied(ReasonCodes.UnknownTopic);

    private Answer Decide()
    {
        var problem = _topic
            .Labels.OrderBy(label => label.Key, StringComparer.Ordinal)
            .Select(label => TakeLabel(label.Key, label.Value))
            .FirstOrDefault(code => code is not null);
        return problem is null ? Combine() : Answer.Denied(problem);
    }

    /// <summary>Replaces the stated value of a label by the derived one. Returns the reason code of an error.</summary>
    private string? TakeLabel(string name, LabelModel model)
    {
        var said = _labels.GetValueOrDefault(name);
        var value = model.Source switch
        {
            LabelSource.Producer => said,
            LabelSource.Payload => Derive(model),
            LabelSource.Principal => _job.Principal,
        };
        _labels.Remove(name);
        if (value is null)
        {
            return model.Required ? ReasonCodes.LabelMissing : null;
        }

        _labels[name] = value;
        return said is not null && said != value ? ReasonCodes.LabelConflict
            : model.Values?.Contains(value) == false ? ReasonCodes.LabelInvalid
            : null;
    }

    private string? Derive(LabelModel model) =>
        _job.Payload.Command is not { } command
            ? null
            : model
                .Table.FirstOrDefault(row =>
                    (
                        row.Fit switch
                        {
                            RowComparison.Prefix => command.Take(row.Elements.Count),
                            RowComparison.Suffix => command.Skip(command.Count - row.Elements.Count),
                            _ => command,
                        }
                    ).SequenceEqual(row.Elements)
                )
                ?.Value
                ?? model.Default;

    private Answer Combine()
    {
        List<(RuleModel Rule, bool? Truth)> tested =
        [
            .. _bundle.Rules.Where(IsInEffect).OrderBy(rule => rule.Id, StringComparer.Ordinal).Select(rule => (rule, Holds(rule.Match))),
        ];
        List<RuleModel> granting =
        [
            .. tested.Where(test => test.Truth == true && test.Rule.Decision != Verdict.Deny).Select(test => test.Rule),
        ];
        List<RuleModel> matching =
        [
            .. tested
                .Where(test => test.Truth == true || (test.Truth is null && test.Rule.Decision != Verdict.Allow))
                .Select(test => test.Rule),
        ];
        Answer denied = new()
        {
            Verdict = Verdict.Deny,
            Reason = "",
            MatchedRules = Ids(matching),
        };
        List<RuleModel> denying = [.. matching.Where(rule => rule.Decision == Verdict.Deny)];
        if (denying.Count > 0)
        {
            return denied with { Rules = Ids(denying), Reason = Reason(denying, "denied by") };
        }

        if (granting.Count == 0)
        {
            return denied with { Reason = ReasonCodes.NoMatch };
        }

        List<RuleModel> limiting = [.. matching.Where(rule => rule.Constraints is not null)];
        var limits = Tightest([.. limiting.Select(rule => rule.Constraints!)]);
        if (limits is { AllowedHosts.Count: 0 } or { AllowedCommands.Count: 0 })
        {
            return denied with { Rules = Ids(limiting), Reason = ReasonCodes.ConstraintUnsatisfiable };
        }

        return Names(limits).Except(_bundle.Pools[_topic.Pool]).Any()
            ? denied with
            {
                Rules = Ids(limiting),
                Reason = ReasonCodes.NotEnforceable,
            }
            : Grant(matching, limiting.Count == 0 ? null : limits);
    }

    private static Answer Grant(List<RuleModel> matching, Constraints? limits)
    {
        var verdict = matching.Max(rule => rule.Decision);
        List<RuleModel> deciding = [.. matching.Where(rule => rule.Decision == verdict)];
        return new Answer
        {
            Verdict = verdict,
            Rules = Ids(deciding),
            MatchedRules = Ids(matching),
            Reason = Reason(deciding, verdict == Verdict.RequireApproval ? "approval required by" : "allowed by"),
            Constraints = limits,
            Approval =
                verdict == Verdict.RequireApproval ? Strictest([.. deciding.Select(rule => rule.Approval ?? new ApprovalModel())]) : null,
        };
    }

    private bool IsInEffect(RuleModel rule) => !(_job.At < rule.From) && !(_job.At >= rule.Until);

    private bool? Holds(MatchModel match)
    {
        List<bool?> parts = [match.Topic is null || Fits([.. match.Topic.Split('.')], [.. _job.Topic.Split('.')])];
        parts.AddRange(match.Labels.Select(Holds));
        parts.Add(match.Tags is null ? true : Holds(match.Tags));
        parts.Add(match.Principals is null || match.Principals.Contains(_job.Principal));
        parts.Add(
            match.Workflows is null ? true
            : _job.Workflow is null ? null
            : match.Workflows.Contains(_job.Workflow)
        );
        parts.Add(match.AttemptAtLeast is null || _job.Attempt >= match.AttemptAtLeast);
        parts.Add(match.Unless is null ? true : !Holds(match.Unless));
        return parts.Aggregate((all, part) => all & part);
    }

    private static bool Fits(string[] pattern, string[] topic) =>
        pattern switch
        {
            [] => topic is [],
            ["**"] => topic.Length > 0,
            [string first, .. string[] rest] => topic.Length > 0 && (first == "*" || first == topic[0]) && Fits(rest, topic[1..]),
        };

    private bool? Holds(LabelTest test)
    {
        var value = _labels.GetValueOrDefault(test.Name);
        bool? whenAbsent = _topic.Labels.TryGetValue(test.Name, out var model) && model.AbsentIsNoMatch ? false : null;
        return test.Kind switch
        {
            LabelTestKind.AnyOf => value is null ? whenAbsent : test.Values.Contains(value),
            LabelTestKind.NoneOf => value is null ? whenAbsent : !test.Values.Contains(value),
            LabelTestKind.Exists => value is not null,
            LabelTestKind.IsAbsent => value is null,
        };
    }

    private bool? Holds(TagTest test)
    {
        var present = test.Tags.Select(HasTag);
        return test.Kind switch
        {
            TagTestKind.All => present.Aggregate((all, one) => all & one),
            TagTestKind.Any => present.Aggregate((any, one) => any | one),
            TagTestKind.None => !present.Aggregate((any, one) => any | one),
        };
    }

    private bool? HasTag(string tag) =>
        _job.Tags.Contains(tag) || _topic.AlwaysTags.Contains(tag) ? true
        : _topic.OptionalTags.Contains(tag) ? false
        : null;

    private static Constraints Tightest(IReadOnlyList<Constraints> all) =>
        new()
        {
            AllowedHosts = Common([.. all.Select(one => one.AllowedHosts).OfType<IReadOnlyList<string>>()]),
            AllowedCommands = Common([.. all.Select(one => one.AllowedCommands).OfType<IReadOnlyList<string>>()]),
            TimeoutMs = all.Min(one => one.TimeoutMs),
            MaxOutputBytes = all.Min(one => one.MaxOutputBytes),
        };

    private static List<string>? Common(IReadOnlyList<IReadOnlyList<string>> sets) =>
        sets.Count == 0
            ? null
            : [.. sets.SelectMany(set => set).Distinct().Where(item => sets.All(set => set.Contains(item))).Order(StringComparer.Ordinal)];

    private static IEnumerable<string> Names(Constraints constraints) =>
        new (string Name, object? Value)[]
        {
            ("allowed_hosts", constraints.AllowedHosts),
            ("allowed_commands", constraints.AllowedCommands),
            ("timeout_ms", constraints.TimeoutMs),
            ("max_output_bytes", constraints.MaxOutputBytes),
        }
            .Where(pair => pair.Value is not null)
            .Select(pair => pair.Name);

    private static ApprovalRequirement Strictest(IReadOnlyList<ApprovalModel> all) =>
        new()
        {
            Groups =
            [
                .. all.SelectMany(one => one.Groups)
                    .GroupBy(group => group.Key, group => group.Value)
                    .OrderBy(group => group.Key, StringComparer.Ordinal)
                    .Select(group => new ApprovalGroup(group.Key, group.Max())),
            ],
            Exclude = [.. all.SelectMany(one => one.Exclude ?? ["requester"]).Distinct().Order(StringComparer.Ordinal)],
            DecideWithin = TimeSpan.FromMinutes(all.Min(one => one.DecideWithinMinutes ?? 24 * 60)),
            UseWithin = TimeSpan.FromMinutes(all.Min(one => one.UseWithinMinutes ?? 60)),
            Covers = all.All(one => one.Covers == ApprovalCover.Retries) ? ApprovalCover.Retries : ApprovalCover.Attempt,
            OnPolicyChange = all.Any(one => one.OnPolicyChange == OnPolicyChange.Invalidate)
                ? OnPolicyChange.Invalidate
                : OnPolicyChange.SameBasis,
        };

    private static List<string> Ids(IEnumerable<RuleModel> rules) => [.. rules.Select(rule => rule.Id)];

    private static string Reason(IReadOnlyList<RuleModel> deciding, string unless) =>
        deciding.All(rule => rule.Reason is null)
            ? $"{unless} {string.Join(", ", Ids(deciding))}"
            : string.Join("; ", deciding.Select(rule => rule.Reason).OfType<string>().Distinct());
}
