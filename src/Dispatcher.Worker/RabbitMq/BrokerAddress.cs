namespace Dispatcher.Worker.RabbitMq;

/// <summary>Checks the address of a broker before it is used.</summary>
internal static class BrokerAddress
{
    /// <summary>The form of an address, for error messages.</summary>
    public const string Example =
        "amqp://user:password@127.0.0.1:5672/vhost; in each part, / @ : ? and # are percent-encoded (%2F %40 %3A %3F %23)";

    /// <summary>
    /// What is wrong with the address, as the end of "it ...". Null: it is an address. The text quotes only the scheme, because a
    /// character that is not encoded makes a part of the password look like a host or a virtual host.
    /// </summary>
    public static string? Fault(string text)
    {
        var end = text.IndexOf("://", StringComparison.Ordinal);
        var scheme = end > 0 ? text[..end] : null;
        return scheme is null ? "has no amqp://"
            : scheme.ToLowerInvariant() is not ("amqp" or "amqps") ? $"begins with {scheme}://"
            : !Uri.TryCreate(text, UriKind.Absolute, out var address) ? "has a host or port that cannot be read"
            : address.Segments.Length > 2 || (address.PathAndQuery + address.Fragment).Contains('@', StringComparison.Ordinal)
                ? "has more than a virtual host after host and port"
            : null;
    }
}
