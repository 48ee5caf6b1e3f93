using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>What the files say, ready to be used if there was no error.</summary>
internal sealed record BundleContent(IReadOnlyList<CompiledTopic> Topics, IReadOnlyList<Pool> Pools, IReadOnlyList<Rule> Rules, Slots Slots)
{
    /// <summary>The topics of rules that could not be read. Only lint uses content with any.</summary>
    public IReadOnlyList<TopicPattern> LostRules { get; init; } = [];

    /// <summary>Registered topics whose entries could not be read. Only lint uses content with any.</summary>
    public IReadOnlyList<string> UnreadTopics { get; init; } = [];
}
