using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The memory that a server needs does not grow with the stored payloads.</summary>
public sealed class MemoryJourneys
{
    private const int Jobs = 1_000;
    private const int AtOnce = 8;
    private const long Most = 500_000_000;

    [Fact]
    public async Task Lists_of_jobs_with_large_payloads_need_little_memory()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        var held = AJob.On("job.test.held").With(new JsonObject { ["data"] = new string('x', 250_000) });
        await (await journey.ProducerAsync()).PublishAsync(held);
        await dispatcher.InStateAsync(held.JobId, "held");
        await journey.Records.MultiplyAsync(held.JobId, Jobs - 1);
        var ana = await dispatcher.MakeKeyAsync("ana", "approver");

        foreach (
            var list in new[]
            {
                "/api/approvals?limit=1",
                "/api/approvals?limit=500",
                "/api/approvals?mine=false&limit=500",
                "/api/jobs?limit=500",
                "/api/jobs?state=held&limit=500",
                "/api/dead-letters?limit=500",
                $"/api/jobs/{held.JobId}/timeline",
                "/api/keys",
                "/api/policies",
                "/api/workers",
            }
        )
        {
            var key = list.StartsWith("/api/approvals", StringComparison.Ordinal) ? ana : null;
            await Peak.ResetAsync(dispatcher.ProcessId);

            var answers = await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => dispatcher.SendAsync(HttpMethod.Get, list, key: key)));

            Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.Status));
            var peak = await Peak.BytesAsync(dispatcher.ProcessId);
            Assert.True(peak < Most, $"{AtOnce} at once of {list} took the server to {peak} bytes; allowed are {Most}.");
        }

        Assert.Equal(
            500,
            (await dispatcher.SendAsync(HttpMethod.Get, "/api/approvals?limit=500", key: ana)).Body.GetProperty("items").GetArrayLength()
        );
    }
}

/// <summary>The highest resident size of a process, as Linux counts it.</summary>
internal static class Peak
{
    public static Task ResetAsync(int processId) =>
        File.WriteAllTextAsync(
            string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/clear_refs"),
            "5",
            TestContext.Current.CancellationToken
        );

    /// <summary>Since the last reset.</summary>
    public static async Task<long> BytesAsync(int processId)
    {
        var status = await File.ReadAllLinesAsync(
            string.Create(CultureInfo.InvariantCulture, $"/proc/{processId}/status"),
            TestContext.Current.CancellationToken
        );
        var peak = status
            .Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
            .Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        return long.Parse(peak[1], CultureInfo.InvariantCulture) * 1_024;
    }
}
