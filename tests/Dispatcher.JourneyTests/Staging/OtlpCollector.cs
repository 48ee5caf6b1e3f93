using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Text;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>A span as a program exported it.</summary>
internal sealed record CollectedSpan(string Service, string TraceId, string SpanId, string ParentId, string Name)
{
    public IReadOnlyDictionary<string, string> Attributes { get; init; } = new Dictionary<string, string>();

    public IReadOnlyList<string> LinkedTraces { get; init; } = [];

    public override string ToString() =>
        $"{Service}: {Name} {TraceId}/{SpanId} < {ParentId} {{{string.Join(", ", Attributes.Select(pair => $"{pair.Key}={pair.Value}"))}}}";
}

/// <summary>
/// Takes OTLP over HTTP in protobuf, as a collector does, and keeps the spans. It reads the fields of
/// <c>opentelemetry/proto/trace/v1/trace.proto</c> that the journeys check.
/// </summary>
internal sealed class OtlpCollector : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<CollectedSpan> _spans = new();
    private readonly ConcurrentDictionary<string, bool> _metrics = new(StringComparer.Ordinal);

    private OtlpCollector(WebApplication app)
    {
        _app = app;
        app.MapPost("/v1/traces", async (HttpRequest request) => Keep(await BodyAsync(request)));
        app.MapPost("/v1/metrics", async (HttpRequest request) => KeepMetrics(await BodyAsync(request)));
    }

    public IReadOnlyList<CollectedSpan> Spans => [.. _spans];

    /// <summary>The metrics that came, each as <c>service/name</c>.</summary>
    public IReadOnlyCollection<string> Metrics => [.. _metrics.Keys];

    public string Address { get; private set; } = "";

    /// <summary>The variables that make a program send its traces here, soon after they end.</summary>
    public IReadOnlyDictionary<string, string> Variables =>
        new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Address,
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
        };

    public static async Task<OtlpCollector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var collector = new OtlpCollector(builder.Build());
        await collector._app.StartAsync(TestContext.Current.CancellationToken);
        collector.Address = collector._app.Urls.Single();
        return collector;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private static async Task<byte[]> BodyAsync(HttpRequest request)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        return body.ToArray();
    }

    private IResult Keep(byte[] request)
    {
        foreach (var ofResource in Messages(request, 1))
        {
            var service = ServiceOf(ofResource);
            foreach (var span in Messages(ofResource, 2).SelectMany(scope => Messages(scope, 2)))
            {
                _spans.Enqueue(SpanOf(service, span));
            }
        }

        return Results.Bytes([], "application/x-protobuf");
    }

    private IResult KeepMetrics(byte[] request)
    {
        foreach (var ofResource in Messages(request, 1))
        {
            foreach (var metric in Messages(ofResource, 2).SelectMany(scope => Messages(scope, 2)))
            {
                _metrics[$"{ServiceOf(ofResource)}/{Encoding.UTF8.GetString(Messages(metric, 1).Single())}"] = true;
            }
        }

        return Results.Bytes([], "application/x-protobuf");
    }

    private static string ServiceOf(byte[] ofResource) =>
        Messages(ofResource, 1).SelectMany(resource => Attributes(resource, 1)).FirstOrDefault(pair => pair.Key == "service.name").Value
        ?? "";

    private static CollectedSpan SpanOf(string service, byte[] span) =>
        new(service, Hex(span, 1), Hex(span, 2), Hex(span, 4), Encoding.UTF8.GetString(Messages(span, 5).Single()))
        {
            Attributes = Attributes(span, 9).ToDictionary(pair => pair.Key, pair => pair.Value),
            LinkedTraces = [.. Messages(span, 13).Select(link => Hex(link, 1))],
        };

    private static string Hex(byte[] message, int field) => Convert.ToHexStringLower(Messages(message, field).FirstOrDefault([]));

    private static IEnumerable<KeyValuePair<string, string>> Attributes(byte[] message, int field) =>
        Messages(message, field)
            .Select(pair => KeyValuePair.Create(Encoding.UTF8.GetString(Messages(pair, 1).Single()), Value(Messages(pair, 2).Single())));

    /// <summary>A text, or the number of a bool or an integer.</summary>
    private static string Value(byte[] any) =>
        Fields(any)
            .Select(field =>
                field.Bytes is { } text
                    ? Encoding.UTF8.GetString(text)
                    : field.Number.ToString(System.Globalization.CultureInfo.InvariantCulture)
            )
            .FirstOrDefault("");

    private static IEnumerable<byte[]> Messages(byte[] message, int field) =>
        Fields(message).Where(one => one.Field == field && one.Bytes is not null).Select(one => one.Bytes!);

    /// <summary>The fields of a protobuf message: bytes of a length-delimited field, or the number of another.</summary>
    private static List<(int Field, byte[]? Bytes, ulong Number)> Fields(byte[] message)
    {
        var fields = new List<(int, byte[]?, ulong)>();
        for (var at = 0; at < message.Length; )
        {
            var key = Varint(message, ref at);
            var (field, wire) = ((int)(key >> 3), (int)(key & 7));
            switch (wire)
            {
                case 0:
                    fields.Add((field, null, Varint(message, ref at)));
                    break;
                case 1:
                    fields.Add((field, null, BinaryPrimitives.ReadUInt64LittleEndian(message.AsSpan(at))));
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(message, ref at);
                    fields.Add((field, message[at..(at + length)], 0));
                    at += length;
                    break;
                case 5:
                    fields.Add((field, null, BinaryPrimitives.ReadUInt32LittleEndian(message.AsSpan(at))));
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"Field {field} has wire type {wire}, which protobuf 3 does not have.");
            }
        }

        return fields;
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var part = message[at++];
            value |= (ulong)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                return value;
            }
        }
    }
}
