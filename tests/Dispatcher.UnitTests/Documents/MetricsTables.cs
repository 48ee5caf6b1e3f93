using System.Diagnostics.Metrics;
using System.Reflection;
using System.Runtime.CompilerServices;
using Dispatcher.Base;
using Dispatcher.Worker.Pools;

namespace Dispatcher.UnitTests.Documents;

/// <summary>
/// The metrics of server and worker as a table of <c>ops/README.md</c>. Every public method of the two classes is called once, so that each
/// instrument shows its labels.
/// </summary>
internal sealed class MetricsTables : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MeterListener _listener = new();
    private readonly Dictionary<Instrument, SortedSet<string>> _labels = [];
    private readonly HashSet<Instrument> _recorded = [];

    public MetricsTables()
    {
        var meters = _services.GetRequiredService<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, meters))
            {
                _labels.Add(instrument, new SortedSet<string>(StringComparer.Ordinal));
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((instrument, _, labels, _) => Note(instrument, labels));
        _listener.SetMeasurementEventCallback<long>((instrument, _, labels, _) => Note(instrument, labels));
        _listener.SetMeasurementEventCallback<double>((instrument, _, labels, _) => Note(instrument, labels));
        _listener.Start();
        RecordAll(new DispatcherMetrics(meters));
        RecordAll(new JobMetrics(meters));
        RecordAll(new StoreMetrics(meters));
        RecordAll(new WorkerMetrics(meters));
    }

    /// <summary>Instruments that no public method has recorded, by name.</summary>
    public IEnumerable<string> Silent => _labels.Keys.Except(_recorded).Select(Name);

    /// <summary>The names as <c>GET /metrics</c> has them.</summary>
    public IEnumerable<string> Names => _labels.Keys.Select(Name);

    public IEnumerable<string> All() => [Table("Server", DispatcherMetrics.Name), Table("Worker", WorkerMetrics.Name)];

    public void Dispose()
    {
        _listener.Dispose();
        _services.Dispose();
    }

    private string Table(string title, string meter) =>
        $"""
            ### {title}

            The OpenTelemetry meter is `{meter}`.{Where(meter)}

            | metric | kind | unit | labels | meaning |
            |---|---|---|---|---|
            {string.Join(
                '\n',
                _labels
                    .Where(entry => entry.Key.Meter.Name == meter)
                    .OrderBy(entry => Name(entry.Key), StringComparer.Ordinal)
                    .Select(entry => Row(entry.Key, entry.Value))
            )}

            """;

    private static string Where(string meter) => meter == WorkerMetrics.Name ? " `GET /metrics` has it when the server is embedded." : "";

    private static string Row(Instrument instrument, SortedSet<string> labels) =>
        $"| `{Name(instrument)}` | {Kind(instrument)} | {Unit(instrument)} | {string.Join(", ", labels.Select(label => $"`{label}`"))} | "
        + $"{instrument.Description!.Replace("|", "\\|", StringComparison.Ordinal)} |";

    private static string Name(Instrument instrument) =>
        instrument.Name.Replace('.', '_') + (instrument.Unit == "s" ? "_seconds" : "") + (Kind(instrument) == "counter" ? "_total" : "");

    private static string Unit(Instrument instrument) =>
        instrument.Unit switch
        {
            "s" => "seconds",
            "1" => "0 or 1",
            var unit => unit!.Trim('{', '}'),
        };

    private static string Kind(Instrument instrument) =>
        instrument.GetType().Name.Split('`')[0] switch
        {
            "Counter" => "counter",
            "Histogram" => "histogram",
            _ => "gauge",
        };

    private static void RecordAll(object metrics)
    {
        foreach (var method in metrics.GetType().GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
        {
            method.Invoke(metrics, [.. method.GetParameters().Select(parameter => Any(parameter.ParameterType))]);
        }
    }

    private static object? Any(Type type) =>
        type == typeof(string) ? "any"
        : type.IsValueType ? Activator.CreateInstance(type)
        : RuntimeHelpers.GetUninitializedObject(type);

    private void Note(Instrument instrument, ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        _recorded.Add(instrument);
        foreach (var label in labels)
        {
            _labels[instrument].Add(label.Key);
        }
    }
}
