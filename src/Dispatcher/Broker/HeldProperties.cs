using System.Globalization;
using System.Text;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>
/// The properties of a message while <see cref="QueueMigration"/> holds it. Its expiration moves to a header: otherwise it would expire
/// there.
/// </summary>
internal static class HeldProperties
{
    private const string Expiration = "dispatcher-held-expiration";

    public static BasicProperties Of(IReadOnlyBasicProperties received)
    {
        var held = new BasicProperties(received);
        var headers = Headers(received);
        headers.Remove(Expiration);
        if (received.IsExpirationPresent())
        {
            headers[Expiration] = received.Expiration;
        }

        held.ClearExpiration();
        Put(held, headers);
        return held;
    }

    public static BasicProperties Released(IReadOnlyBasicProperties held)
    {
        var released = new BasicProperties(held);
        var headers = Headers(held);
        if (
            headers.Remove(Expiration, out var expiration)
            && expiration is byte[] text
            && uint.TryParse(Encoding.ASCII.GetString(text), NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
        )
        {
            // A client that publishes to the holding queue may write anything there.
            released.Expiration = milliseconds.ToString(CultureInfo.InvariantCulture);
        }

        Put(released, headers);
        return released;
    }

    /// <summary>The broker has acted on CC and BCC already, and would send further copies.</summary>
    private static Dictionary<string, object?> Headers(IReadOnlyBasicProperties properties) =>
        (properties.Headers ?? new Dictionary<string, object?>())
            .Where(header => header.Key is not ("CC" or "BCC" or "x-delivery-count"))
            .ToDictionary(header => header.Key, header => header.Value);

    private static void Put(BasicProperties properties, Dictionary<string, object?> headers)
    {
        properties.Headers = headers;
        if (headers.Count == 0)
        {
            properties.ClearHeaders();
        }
    }
}
