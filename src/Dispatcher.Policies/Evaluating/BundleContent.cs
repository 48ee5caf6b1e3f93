using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>The compiled content of a bundle. Ready for use if loading reported no error.</summary>
internal sealed record BundleContent(
    IReadOnlyList<CompiledTopic> Topics,
    IReadOnlyList<Pool> Pools,
    IReadOnlyList<Rule> Rules,
    Attributes Attributes
)
{
    /// <summary>The topics of rules that could not be read. Only lint uses content with any.</summary>
    public IReadOnlyList<TopicPattern> UnreadRules { get; init; } = [];

    /// <summary>Registered topics whose entries could not be read. Only lint uses content with any.</summary>
    public IReadOnlyList<string> UnreadTopics { get; init; } = [];
}
