using System.Diagnostics;

namespace Dispatcher.Benchmarks;

/// <summary>What one call costs: the median over the batches.</summary>
internal sealed record Cost(double Nanoseconds, double Bytes);

/// <summary>
/// Measures calls in batches, those of several candidates in turn, so that a slow moment of the machine meets all of them.
/// </summary>
internal static class Measurement
{
    // Many short ones: whatever else the machine does then spoils a few of them, and not the median.
    private const int Batches = 101;
    private static readonly TimeSpan Batch = TimeSpan.FromMilliseconds(1);

    /// <param name="candidates">Each takes the number of the call, to vary its input.</param>
    public static Cost[] Compare(params Action<int>[] candidates)
    {
        var sizes = Array.ConvertAll(candidates, Calibrate);
        var batches = new List<Cost>[candidates.Length];
        for (var i = 0; i < candidates.Length * Batches; i++)
        {
            var candidate = i % candidates.Length;
            (batches[candidate] ??= []).Add(Run(candidates[candidate], sizes[candidate]));
        }

        return Array.ConvertAll(
            batches,
            all => new Cost(Median(all.ConvertAll(one => one.Nanoseconds)), Median(all.ConvertAll(one => one.Bytes)))
        );
    }

    public static double Median(List<double> values)
    {
        values.Sort();
        return values[values.Count / 2];
    }

    /// <summary>How many calls fill a batch.</summary>
    private static int Calibrate(Action<int> call)
    {
        var calls = 1;
        while (Run(call, calls).Nanoseconds * calls < Batch.TotalNanoseconds)
        {
            calls *= 2;
        }

        return calls;
    }

    private static Cost Run(Action<int> call, int calls)
    {
        var bytes = GC.GetAllocatedBytesForCurrentThread();
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < calls; i++)
        {
            call(i);
        }

        var elapsed = Stopwatch.GetElapsedTime(start);
        return new Cost(elapsed.TotalNanoseconds / calls, (double)(GC.GetAllocatedBytesForCurrentThread() - bytes) / calls);
    }
}
