using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.CommandLine;

/// <summary>Follows a submitted job to its final state.</summary>
internal static class JobWait
{
    // A short job ends soon; a long job costs the server one request in 2 s.
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(2);

    public static async Task<ExitCode> RunAsync(ServerCall call, ApiAnswer accepted, CancellationToken cancellationToken)
    {
        var id =
            accepted.Body.Value("job_id") is { ValueKind: JsonValueKind.String } text && text.TryGetGuid(out var guid)
                ? guid
                : throw new ExitException(
                    ExitCode.Unreachable,
                    $"{accepted.Request}: the answer names no job.",
                    "Check that server and command line have the same version."
                );

        var pause = FirstPause;
        for (var shown = ""; ; )
        {
            var answer = await call.Api.JobAsync(id, cancellationToken);
            var state = answer.Body.Text("state");
            if (!answer.IsSuccess || IsFinal(answer))
            {
                var code = call.Report(answer, job => ShowResult(call.Screen, job));
                return code == ExitCode.Done && state != "succeeded" ? ExitCode.No : code;
            }

            if (state != shown)
            {
                // Names the job, so that it can be found when the wait is interrupted.
                call.Screen.Note(state == "held" ? $"job {id}: held, waits for approval" : $"job {id}: {state}");
                shown = state;
            }

            await Task.Delay(pause, call.Terminal.Clock, cancellationToken);
            pause = pause * 1.5 < MaxPause ? pause * 1.5 : MaxPause;
        }
    }

    private static bool IsFinal(ApiAnswer answer)
    {
        try
        {
            return JsonSerializer.Deserialize<JobState>(answer.Body.Value("state")).IsFinal();
        }
        catch (Exception unknown) when (unknown is JsonException or InvalidOperationException)
        {
            throw new ExitException(
                ExitCode.Unreachable,
                $"{answer.Request}: unknown state '{answer.Body.Text("state")}'.",
                "Check that server and command line have the same version."
            );
        }
    }

    private static void ShowResult(Screen screen, JsonElement job)
    {
        screen.Fields(
            ("job", job.Text("job_id")),
            ("state", job.Text("state")),
            ("attempt", job.Text("attempt")),
            ("worker", job.Text("worker")),
            ("reason", job.Text("reason")),
            ("fault", job.Fault("fault"))
        );
        if (job.Raw("result") is { Length: > 0 } result)
        {
            screen.Line(result);
        }
    }
}
