using System.Diagnostics.Metrics;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>What the metrics of one server record from now on.</summary>
internal sealed class Measurements : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly List<(string Name, string Labels, double Value)> _all = [];

    public Measurements(AServer server)
    {
        var meters = server.Get<IMeterFactory>();
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, meters))
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, labels, _) => Note(instrument, value, labels));
        _listener.SetMeasurementEventCallback<long>((instrument, value, labels, _) => Note(instrument, value, labels));
        _listener.SetMeasurementEventCallback<double>((instrument, value, labels, _) => Note(instrument, value, labels));
        _listener.Start();
    }

    public IEnumerable<string> Names => _all.Select(one => one.Name).Distinct();

    /// <param name="name">The name of the instrument.</param>
    /// <param name="labels">As <c>name=value</c>, joined by commas; empty: none.</param>
    public IReadOnlyList<double> Of(string name, string labels = "") =>
        [.. _all.Where(one => one.Name == name && one.Labels == labels).Select(one => one.Value)];

    public void Dispose() => _listener.Dispose();

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        var text = string.Join(',', labels.ToArray().Select(label => $"{label.Key}={label.Value}"));
        _all.Add((instrument.Name, text, value));
    }
}
