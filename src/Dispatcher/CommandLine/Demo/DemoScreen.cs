using System.Text.Json;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Contracts;

namespace Dispatcher.CommandLine.Demo;

/// <summary>Shows the timelines of the demonstration's jobs while they grow.</summary>
/// <param name="api">The server.</param>
/// <param name="screen">Null: nothing is shown; the caller only needs the results.</param>
/// <param name="clock">For pauses.</param>
internal sealed class DemoScreen(ApiClient api, Screen? screen, TimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    // Entries of all jobs have ascending numbers, so one number is enough.
    private long _shown;

    public ApiClient Api => api;

    public void Line(string text) => screen?.Line(text);

    /// <summary>
    /// Shows each new entry of a job's timeline until the job <paramref name="rests"/>; then its result or fault. Returns the job.
    /// </summary>
    public async Task<JsonElement> FollowAsync(Guid id, Func<JobState, bool> rests, CancellationToken cancellationToken)
    {
        while (true)
        {
            // Read before the timeline, so that the timeline has the entry of the final state.
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

    /// <summary>Shows the new entries of a job. Returns all entries.</summary>
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
