using System.Globalization;
using Dispatcher.Base;
using Dispatcher.Contracts;
using MassTransit;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>
/// Sets a message aside whose format is newer than this server knows, so that a newer server of a rolling upgrade can read it. The message
/// waits in the delay queue of its source. Then the broker moves it to the parked queue of the source, where any server reads it, and a
/// server that does not know the format sets it aside again.
/// </summary>
/// <remarks>
/// The broker accepts only the server's own name as <c>user_id</c>, so the checked name and the routing key move to headers.
/// <see cref="WaitedMessage"/> reads them back only from a message that the broker moved from the delay queue (decision 0032).
/// </remarks>
internal sealed partial class NewerMessages(
    RabbitConnection connection,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<NewerMessages> logger
) : IAsyncDisposable
{
    /// <summary>The version of every message format that this server reads and writes.</summary>
    public const int Known = 1;

    /// <summary>The code of the error of such a message.</summary>
    public const string Code = "newer_version";

    /// <summary>Long enough for an upgrade. A message that no server understood until then is refused as malformed.</summary>
    public static readonly TimeSpan MaxWait = TimeSpan.FromHours(1);

    private static readonly TimeSpan MaxConfirm = TimeSpan.FromSeconds(10);
    private readonly DispatcherMetrics _metrics = Begun(metrics);
    private readonly RabbitChannel _channel = new(connection, new CreateChannelOptions(true, true));

    /// <summary>The broker user of the server, under which its copies are published.</summary>
    public string Server => connection.User;

    public static void Report(List<InputError> errors, string version) =>
        errors.Report(
            Code,
            "/v",
            $"Seen: {InputErrors.Cut(version)}; this server knows {Known}.",
            $"Upgrade the server first, or send version {Known} (\"v\": {Known}, or no \"v\")."
        );

    /// <summary>
    /// Sends the message to the delay queue of <paramref name="source"/>; the caller acknowledges it afterwards. False: it must be refused,
    /// because it has another error, has waited for <see cref="MaxWait"/> or for its own expiration, or the delay queue is full. Only a
    /// submission expires or is rejected: a late outcome must not be lost.
    /// </summary>
    /// <exception cref="DelayUnavailableException">The broker did not confirm the copy. The caller keeps the message.</exception>
    public async Task<bool> DelayAsync(string source, ConsumeContext<RawMessage> delivery, IReadOnlyList<InputError> errors)
    {
        if (
            errors is not [{ Code: Code } error]
            || (source == QueueNames.Intake && delivery.Message is { Waited: null, SetAside.Reason: XDeath.Expired or XDeath.Rejected })
            || !delivery.TryGetPayload<RabbitMqBasicConsumeContext>(out var received)
        )
        {
            return false;
        }

        var sender = DeliveryFacts.Of(delivery);
        var now = time.GetUtcNow();
        var waited = delivery.Message.Waited ?? WaitedMessage.Begin(sender, received.Properties, now);
        if (now - waited.Since >= MaxWait || (source == QueueNames.Intake && now >= waited.ExpiresAt))
        {
            Log.GivenUp(logger, source, sender.UserId ?? "unknown", now - waited.Since, error.Message);
            return false;
        }

        if (!await SendAsync(source, waited.Properties(received.Properties, connection.User), delivery))
        {
            Log.Full(logger, source, sender.UserId ?? "unknown", error.Message);
            return false;
        }

        if (delivery.Message.Waited is null)
        {
            _metrics.MessagesOfNewerVersion(source, 1);
            Log.Delayed(logger, source, sender.UserId ?? "unknown", waited.Since + MaxWait, error.Message);
        }
        else
        {
            Log.DelayedAgain(logger, source, sender.UserId ?? "unknown", now - waited.Since);
        }

        return true;
    }

    public ValueTask DisposeAsync() => _channel.DisposeAsync();

    /// <summary>Begins the counter of each queue at 0.</summary>
    private static DispatcherMetrics Begun(DispatcherMetrics metrics)
    {
        foreach (var source in QueueNames.SourcesOfNewer)
        {
            metrics.MessagesOfNewerVersion(source, 0);
        }

        return metrics;
    }

    /// <summary>False: the delay queue is full.</summary>
    private async Task<bool> SendAsync(string source, BasicProperties properties, ConsumeContext<RawMessage> delivery)
    {
        // A publish on a blocked connection would wait in the client, and each retry would add a copy.
        if (connection.Blocked is { } alarm)
        {
            throw new DelayUnavailableException(source, "the broker blocks the connection: " + alarm);
        }

        try
        {
            var channel = await _channel.OpenAsync(delivery.CancellationToken);
            await channel
                .BasicPublishAsync("", QueueNames.Newer(source), true, properties, delivery.Message.Body, delivery.CancellationToken)
                .AsTask()
                .WaitAsync(MaxConfirm, delivery.CancellationToken);
            return true;
        }
        catch (RabbitMQ.Client.Exceptions.PublishException refused) when (!refused.IsReturn)
        {
            return false;
        }
        catch (Exception lost) when (!delivery.CancellationToken.IsCancellationRequested)
        {
            throw new DelayUnavailableException(source, lost.GetBaseException().Message, lost);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.NewerVersionDelayed,
            LogLevel.Warning,
            "A message of {Sender} from {Queue} has a newer format. {Version} It waits for a newer server until {Until:O}. "
                + "Upgrade this server before the programs that send to it, see ops/upgrade.md"
        )]
        public static partial void Delayed(ILogger logger, string queue, string sender, DateTimeOffset until, string version);

        [LoggerMessage(
            EventIds.NewerVersionAgain,
            LogLevel.Information,
            "A message of {Sender} from {Queue} has a newer format, and has waited for a newer server for {Waited}"
        )]
        public static partial void DelayedAgain(ILogger logger, string queue, string sender, TimeSpan waited);

        [LoggerMessage(
            EventIds.NewerVersionRefused,
            LogLevel.Error,
            "Refused a message of {Sender} from {Queue} with a newer format after {Waited}: no server read it in time. {Version} "
                + "Upgrade the servers; then the sender must send it again"
        )]
        public static partial void GivenUp(ILogger logger, string queue, string sender, TimeSpan waited, string version);

        [LoggerMessage(
            EventIds.NewerVersionFull,
            LogLevel.Error,
            "Refused a message of {Sender} from {Queue} with a newer format: the delay queue is full. {Version} "
                + "Upgrade the servers; then the sender must send it again"
        )]
        public static partial void Full(ILogger logger, string queue, string sender, string version);
    }
}

/// <summary>The broker takes no copy for a delay queue. <see cref="StoreRetry"/> holds the message and retries.</summary>
internal sealed class DelayUnavailableException(string source, string reason, Exception? cause = null)
    : Exception($"The broker did not confirm a copy for {QueueNames.Newer(source)}: {reason}.", cause);

/// <summary>What the server knew of a message that it set aside. A client can write these headers too: see <see cref="Of"/>.</summary>
/// <param name="UserId">The sender that the broker checked.</param>
/// <param name="RoutingKey">The key of the first publish.</param>
/// <param name="Since">When a server first read it.</param>
/// <param name="ExpiresAt">The end of the sender's <c>expiration</c>, measured from <paramref name="Since"/>. Null: it has none.</param>
internal sealed record WaitedMessage(string? UserId, string RoutingKey, DateTimeOffset Since, DateTimeOffset? ExpiresAt)
{
    private const string Prefix = "dispatcher-original-";
    private const string UserHeader = Prefix + "user-id";
    private const string KeyHeader = Prefix + "routing-key";
    private const string SinceHeader = Prefix + "since";
    private const string ExpiryHeader = Prefix + "expires-at";

    /// <summary>
    /// Null unless <paramref name="server"/> sent the message to the delay queue of <paramref name="source"/>: the checked sender is the
    /// server, and the newest entries of <c>x-death</c> are of <paramref name="path"/> and then that queue. A client that may write to the
    /// queue cannot be the sender, and cannot write before the entries of the broker.
    /// </summary>
    public static WaitedMessage? Of(ConsumeContext context, string server, string source, params IReadOnlyList<string> path)
    {
        if (
            !context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery)
            || delivery.Properties.UserId != server
            || !XDeath.Came(context, [.. path, QueueNames.Newer(source)])
        )
        {
            return null;
        }

        var headers = context.ReceiveContext.TransportHeaders;
        return Millis(headers, SinceHeader) is { } since
            ? new WaitedMessage(Text(headers, UserHeader), Text(headers, KeyHeader) ?? "", since, Millis(headers, ExpiryHeader))
            : null;
    }

    public static WaitedMessage Begin(DeliveryFacts sender, IReadOnlyBasicProperties properties, DateTimeOffset now) =>
        new(
            sender.UserId,
            sender.RoutingKey,
            now,
            long.TryParse(properties.Expiration, NumberStyles.None, CultureInfo.InvariantCulture, out var expiration)
                ? now.AddMilliseconds(Math.Min(expiration, uint.MaxValue))
                : null
        );

    /// <summary>
    /// The properties of the message in the delay queue. Headers that the broker acts on (CC, BCC, x-…) are dropped: it would act on them
    /// with the rights of the server.
    /// </summary>
    public BasicProperties Properties(IReadOnlyBasicProperties received, string server)
    {
        var headers = (received.Headers ?? new Dictionary<string, object?>())
            .Where(header => !IsReserved(header.Key))
            .ToDictionary(header => header.Key, header => header.Value);
        headers[UserHeader] = UserId;
        headers[KeyHeader] = RoutingKey;
        headers[SinceHeader] = Text(Since);
        if (ExpiresAt is { } expiresAt)
        {
            headers[ExpiryHeader] = Text(expiresAt);
        }

        var properties = new BasicProperties(received)
        {
            UserId = server,
            DeliveryMode = DeliveryModes.Persistent,
            Headers = headers,
        };
        properties.ClearExpiration();
        return properties;
    }

    /// <summary>Whether the message has a header of a copy, from any sender.</summary>
    public static bool HasHeader(IReadOnlyBasicProperties properties) =>
        properties.Headers?.Keys.Any(header => header.StartsWith(Prefix, StringComparison.Ordinal)) == true;

    private static bool IsReserved(string header) =>
        header is "CC" or "BCC"
        || header.StartsWith("x-", StringComparison.OrdinalIgnoreCase)
        || header.StartsWith(Prefix, StringComparison.Ordinal);

    private static string Text(DateTimeOffset at) => at.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);

    private static string? Text(MassTransit.Headers headers, string name) =>
        headers.TryGetHeader(name, out var value) ? value as string : null;

    private static DateTimeOffset? Millis(MassTransit.Headers headers, string name) =>
        long.TryParse(Text(headers, name), NumberStyles.None, CultureInfo.InvariantCulture, out var millis)
            ? DateTimeOffset.FromUnixTimeMilliseconds(millis)
            : null;
}
