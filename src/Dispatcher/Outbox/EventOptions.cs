using Microsoft.Extensions.Options;

namespace Dispatcher.Outbox;

/// <summary>The events that the server publishes on the exchange <c>dispatcher.events</c>. Section <c>Events</c>.</summary>
internal sealed class EventOptions
{
    /// <summary>
    /// Names of events, as in the field <c>event</c> of <see cref="Contracts.JobEvent"/>; in the environment <c>Events__Publish__0</c> and
    /// so on, which add to the default. Default: the events that a producer, an approver or an operator waits for. <c>accepted</c>,
    /// <c>dispatched</c> and <c>started</c> can be added; each costs one message for each job. A name that does not exist stops the start.
    /// </summary>
    public ISet<string> Publish { get; } = new HashSet<string>(EventNames.Default, StringComparer.Ordinal);
}

/// <summary>Refuses names of events that do not exist.</summary>
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
