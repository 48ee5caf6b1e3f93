using System.Globalization;
using System.Text.RegularExpressions;
using Dispatcher.Base;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>
/// Checks whether the broker refuses large messages (<c>max_message_size</c>), and warns while it accepts them. AMQP 0-9-1 cannot query the
/// limit. So a message of one byte more than <see cref="Advised"/> is published to a queue that does not exist: the broker drops it, or
/// closes the channel and names its limit. The check is repeated for each new connection, because a restart of the broker may change the
/// setting.
/// </summary>
internal sealed partial class BrokerLimit(
    RabbitConnection connection,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<BrokerLimit> logger
) : Loop(Period, time, logger)
{
    /// <summary>The server warns above this limit. It is the default of RabbitMQ 4; older versions accept 128 MiB.</summary>
    public const int Advised = 16_777_216;

    /// <summary>
    /// The limit that the warning recommends. The largest message of Dispatcher and its workers, a batch of outcomes, is smaller.
    /// </summary>
    public const int Recommended = 1_048_576;

    /// <summary>
    /// A queue that is never declared. The message goes to the default exchange, and only the server may declare a queue with this prefix.
    /// </summary>
    private const string MissingQueue = "dispatcher.size-probe";

    private const ushort PreconditionFailed = 406;
    private const ushort AccessRefused = 403;

    private static readonly string Advice =
        $"The broker accepts messages of more than {Advised} bytes. "
        + $"Set max_message_size = {Recommended} in rabbitmq.conf, and restart the nodes one by one. "
        + $"A running node of version 3 also takes: rabbitmqctl eval 'application:set_env(rabbit, max_message_size, {Recommended}).'";

    /// <summary>A round compares two references while the connection is the same.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private IConnection? _probed;

    /// <summary>The largest message that the broker accepts, in bytes. Null: not known yet, or more than <see cref="Advised"/>.</summary>
    public long? MaxMessageBytes { get; private set; }

    /// <summary>The setting that an operator should change. Null: none.</summary>
    public string? Warning { get; private set; }

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        var open = await connection.OpenAsync(cancellationToken);
        if (ReferenceEquals(open, _probed))
        {
            return;
        }

        MaxMessageBytes = await ProbeAsync(open, cancellationToken);
        Warning = MaxMessageBytes is null ? Advice : null;
        _probed = open;
        metrics.BrokerAcceptsLargeMessages(Warning is not null);
        if (Warning is not null)
        {
            Log.TooHigh(logger, Warning);
        }
    }

    /// <summary>The limit that the broker names. Null: it accepts the message.</summary>
    public static async Task<long?> ProbeAsync(IConnection open, CancellationToken cancellationToken)
    {
        var confirmed = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
        await using var channel = await open.CreateChannelAsync(confirmed, cancellationToken);
        try
        {
            await channel.BasicPublishAsync("", MissingQueue, mandatory: false, new byte[Advised + 1], cancellationToken);
            return null;
        }
#pragma warning disable CA1031 // The client throws one of several types when the broker closes a channel; the close reason has the cause.
        catch (Exception) when (channel.CloseReason is { ReplyCode: PreconditionFailed or AccessRefused })
#pragma warning restore CA1031
        {
            // The broker checks the size first: a missing permission means that it accepted the size.
            return channel.CloseReason.ReplyCode == AccessRefused ? null : LimitIn(channel.CloseReason.ReplyText);
        }
    }

    /// <summary>
    /// The limit in the text of the broker. If the text has another form, the limit is at most <see cref="Advised"/>: more was refused.
    /// </summary>
    internal static long LimitIn(string replyText) =>
        Limit().Match(replyText) is { Success: true } named ? long.Parse(named.Groups[1].ValueSpan, CultureInfo.InvariantCulture) : Advised;

    [GeneratedRegex(@"max size (\d{1,18})")]
    private static partial Regex Limit();

    private static partial class Log
    {
        [LoggerMessage(EventIds.BrokerLimitHigh, LogLevel.Warning, "{Warning}")]
        public static partial void TooHigh(ILogger logger, string warning);
    }
}
