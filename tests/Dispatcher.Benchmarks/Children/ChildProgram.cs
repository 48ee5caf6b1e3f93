using System.Text.Json;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Children;

/// <summary>The side of a child in its talk with the benchmark: each line of the standard input asks for a report.</summary>
internal static class ChildProgram
{
    /// <summary>Returns when the standard input is closed, which the end of the benchmark does too.</summary>
    public static async Task AnswerAsync(Func<long> done, CancellationToken cancellationToken)
    {
        using var input = new StreamReader(Console.OpenStandardInput());
        await using var output = new StreamWriter(Console.OpenStandardOutput());
        while (!cancellationToken.IsCancellationRequested && await input.ReadLineAsync(cancellationToken) is not null)
        {
            var report = new ChildReport(done(), GC.GetTotalAllocatedBytes());
            await output.WriteLineAsync(JsonSerializer.Serialize(report));
            await output.FlushAsync(cancellationToken);
        }
    }

    /// <summary>Answers until one of the loops fails, which ends the child.</summary>
    public static async Task AnswerWhileAsync(Func<long> done, IEnumerable<Task> loops, CancellationToken cancellationToken)
    {
        var answering = AnswerAsync(done, cancellationToken);
        var ended = await Task.WhenAny([answering, .. loops]);
        await ended;
    }
}
