using Microsoft.Extensions.Options;

namespace Dispatcher.Outbox;

/// <summary>Which events are published. Section <c>Events</c>.</summary>
internal sealed class EventOptions
{
    /// <summary>
    /// Names of events, see <see cref="Contracts.JobEvent.Event"/>. Default: <see cref="EventNames.Default"/>. <c>accepted</c>,
    /// <c>dispatched</c> and <c>started</c> can be added; each costs one message for each attempt or job. The server does not start with an
    /// unknown name.
    /// </summary>
    public ISet<string> Publish { get; } = new HashSet<string>(EventNames.Default, StringComparer.Ordinal);
}

/// <summary>Refuses unknown names of events.</summary>
internal sealed class EventOptionsValidator : IValidateOptions<EventOptions>
{
    public ValidateOptionsResult Validate(string? name, EventOptions options)
    {
        var unknown = options.Publish.Except(EventNames.All).ToList();
        return unknown.Count == 0
            ? ValidateOptionsResult.Success
            : ValidateOptionsResult.Fail(
                $"Events:Publish names {string.Join(", ", unknown)}; allowed are {string.Join(", ", EventNames.All)}."
            );
    }
}
