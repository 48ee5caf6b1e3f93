using System.Text.Json;
using Dispatcher.Contracts;

namespace Dispatcher.CommandLine.Demo;

/// <summary>Shows what happens to the jobs of the demonstration, as it happens.</summary>
/// <param name="api">The server.</param>
/// <param name="screen">Where to show it. Null: nowhere, only the results are wanted.</param>
/// <param name="clock">For waiting.</param>
internal sealed class DemoAudience(ApiClient api, Screen? screen, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    // Entries are numbered over all jobs, so that one number is enough.
    private long _shown;

    public ApiClient Api => api;

    public void Line(string text) => screen?.Line(text);

    /// <summary>Shows each new entry of a job's timeline until the job <paramref name="rests"/>; then its result or fault. Returns the job.</summary>
    public async Task<JsonElement> FollowAsync(Guid id, Func<JobState, bool> rests, CancellationToken cancellationToken)
    {
        while (true)
        {
            // Before the timeline, which then has the entry of the state that ends the loop.
            var job = (await api.JobAsync(id, cancellationToken)).Body;
            await ShowTimelineAsync(id, cancellationToken);
            if (rests(job.GetProperty("state").Deserialize<JobState>()))
            {
                ShowEnd(job);
                return job;
            }

            await Task.Delay(Pause, clock, cancellationToken);
        }
    }

    /// <summary>Shows the entries of a job that were not shown yet. Returns all.</summary>
    public async Task<JsonElement> ShowTimelineAsync(Guid id, CancellationToken cancellationToken)
    {
        var entries = (await api.TimelineAsync(id, cancellationToken)).Body.GetProperty("items");
        foreach (var entry in entries.EnumerateArray().Where(entry => entry.GetProperty("entry_id").GetInt64() > _shown))
        {
            _shown = entry.GetProperty("entry_id").GetInt64();
            Line($"  {entry.GetProperty("at").GetDateTimeOffset():HH:mm:ss.fff}  {entry.Text("kind"), -12} by {entry.Text("actor")}");
        }

        return entries;
    }

    private void ShowEnd(JsonElement job)
    {
        if (job.Text("state") == "succeeded")
        {
            Line($"  result: {job.Raw("result")}");
        }
        else if (job.Fault("fault") is { Length: > 0 } fault)
        {
            Line($"  fault: {fault}");
        }
    }
}
