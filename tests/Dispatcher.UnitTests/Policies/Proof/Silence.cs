using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>
/// Variants with one fact less, where a missing fact must not help. It may help, by design, if a rule tests absence (<c>exists</c>), if the
/// registry makes absence definite (<c>absent: no_match</c>, optional tags), or if the fact itself was refused.
/// </summary>
internal static class Silence
{
    public static IEnumerable<JobModel> OfTheJob(BundleModel bundle, JobModel job)
    {
        TopicModel? topic = bundle.Topics.SingleOrDefault(topic => topic.Name == job.Topic);
        HashSet<string> askedFor =
        [
            .. bundle
                .Rules.SelectMany(rule => rule.Match.All)
                .SelectMany(match => match.Labels)
                .Where(test => test.Kind is LabelTestKind.Exists or LabelTestKind.IsAbsent)
                .Select(test => test.Name),
        ];
        var labels = job
            .Labels.Where(label => !askedFor.Contains(label.Key) && MayFallSilent(topic, label.Key, label.Value))
            .Select(label => label.Key);
        var tags = job.Tags.Where(tag => topic?.OptionalTags.Contains(tag) != true).Distinct();
        return labels
            .Select(name => job with { Labels = job.Labels.Where(label => label.Key != name).ToDictionary() })
            .Concat(tags.Select(tag => job with { Tags = [.. job.Tags.Where(other => other != tag)] }))
            .Append(job with { Workflow = null });
    }

    public static IEnumerable<BundleModel> OfTheRegistry(BundleModel bundle) =>
        from topic in bundle.Topics
        from silent in OfTheTopic(topic)
        select bundle with
        {
            Topics = [.. bundle.Topics.Select(other => other == topic ? silent : other)],
        };

    private static IEnumerable<TopicModel> OfTheTopic(TopicModel topic)
    {
        var always = topic.AlwaysTags.Except(topic.OptionalTags);
        var noMatch = topic.Labels.Where(label => label.Value.AbsentIsNoMatch).Select(label => label.Key);
        return always
            .Select(tag => topic with { AlwaysTags = [.. topic.AlwaysTags.Where(other => other != tag)] })
            .Concat(topic.OptionalTags.Select(tag => topic with { OptionalTags = [.. topic.OptionalTags.Where(other => other != tag)] }))
            .Concat(
                noMatch.Select(name =>
                    topic with
                    {
                        Labels = new Dictionary<string, LabelModel>(topic.Labels)
                        {
                            [name] = topic.Labels[name] with { AbsentIsNoMatch = false },
                        },
                    }
                )
            );
    }

    private static bool MayFallSilent(TopicModel? topic, string name, string? value) =>
        topic?.Labels.GetValueOrDefault(name) is not { } label
        || (label is { Source: LabelSource.Producer, AbsentIsNoMatch: false } && (value is null || label.Values?.Contains(value) != false));
}
