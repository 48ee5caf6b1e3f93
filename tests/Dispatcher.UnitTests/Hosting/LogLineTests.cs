using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Serilog.Events;
using Serilog.Parsing;
using ServerLines = Dispatcher.Hosting.LogLineFormatter;
using WorkerLines = Dispatcher.ReferenceWorker.LogLineFormatter;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>Untrusted text cannot look like a line of the log.</summary>
public sealed class LogLineTests
{
    /// <summary>
    /// Control characters, line breaks of all kinds, directions of writing, tags, private and unassigned characters, blanks.
    /// </summary>
    public static TheoryData<string> Forged =>
        new(
            "\n",
            "\r\n",
            "\r",
            "\u0000",
            "\u001b[2J",
            "\u0008",
            "\u007f",
            "\u0085",
            "\u009b1m",
            "\u2028",
            "\u2029",
            "\u202e",
            "\u2066",
            "\U000e0041",
            "\u200b",
            "\u00ad",
            "\ue000",
            "\U000f0000",
            "\U000e0080",
            "\u115f",
            "\u1160",
            "\u3164",
            "\uffa0",
            "\u2800"
        );

    [Theory]
    [MemberData(nameof(Forged))]
    public void Server_log_escapes_messages_and_exceptions(string forged)
    {
        var text = $"host{forged}12:00:00.000 INF Dispatcher All is well";
        var output = new StringWriter();

        new ServerLines().Format(
            new LogEvent(
                DateTimeOffset.UnixEpoch,
                LogEventLevel.Warning,
                new InvalidOperationException(text),
                new MessageTemplateParser().Parse("Worker {Instance} ended"),
                [new LogEventProperty("Instance", new ScalarValue(text))]
            ),
            output
        );

        OneLineAndItsException(output.ToString(), forged);
    }

    [Fact]
    public void Outage_is_logged_as_one_line_without_a_stack()
    {
        var output = new StringWriter();
        try
        {
            throw new Npgsql.NpgsqlException("Failed to connect", new System.Net.Sockets.SocketException(111));
        }
        catch (Npgsql.NpgsqlException away)
        {
            new ServerLines().Format(
                new LogEvent(DateTimeOffset.UnixEpoch, LogEventLevel.Warning, away, new MessageTemplateParser().Parse("It is away"), []),
                output
            );
        }

        Assert.Equal(2, output.ToString().Count(c => c == '\n'));
        Assert.Contains("Connection refused", output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Forged))]
    public void Reference_worker_log_escapes_messages_and_exceptions(string forged)
    {
        var text = $"host{forged}12:00:00.000 Information Dispatcher All is well";
        var output = new StringWriter();

        var entry = new LogEntry<string>(
            LogLevel.Warning,
            "Dispatcher",
            default,
            text,
            new InvalidOperationException(text),
            (state, _) => $"Program says {state}"
        );

        new WorkerLines().Write(entry, null, output);

        OneLineAndItsException(output.ToString(), forged);
    }

    /// <summary>A log line of a handler names its job, and names it only once.</summary>
    [Fact]
    public void Reference_worker_log_shows_the_job_during_a_run()
    {
        var scopes = new LoggerExternalScopeProvider();
        var output = new StringWriter();
        var values = new Dictionary<string, object?> { ["JobId"] = "0198c5a2" };

        using (scopes.Push("job 0198c5a2 job.exec.shell\n attempt 1"))
        {
            new WorkerLines().Write(
                new LogEntry<string>(LogLevel.Information, "Handler", default, "state", null, (_, _) => "It works"),
                scopes,
                output
            );
            new WorkerLines().Write(
                new LogEntry<Dictionary<string, object?>>(
                    LogLevel.Information,
                    "Runner",
                    default,
                    values,
                    null,
                    (_, _) => "Job 0198c5a2 ends"
                ),
                scopes,
                output
            );
        }

        var lines = output.ToString().TrimEnd('\n').Split('\n');
        Assert.EndsWith("Handler[0] [job 0198c5a2 job.exec.shell\\u000a attempt 1] It works", lines[0], StringComparison.Ordinal);
        Assert.EndsWith("Runner[0] Job 0198c5a2 ends", lines[1], StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Forged))]
    public async Task Worker_with_control_characters_in_its_texts_is_refused(string forged)
    {
        await using var server = await AServer.MigratedAsync();
        var bad = JsonEncodedText.Encode($"a{forged}b").ToString();
        var caller = ACaller.With("worker");

        var (claim, claimErrors) = await server.AskAsync(
            "POST",
            "/api/attempts/claim",
            caller,
            body: $$"""{"worker": "{{bad}}", "claim_id": "{{Guid.CreateVersion7()}}", "permits": ["x"]}"""
        );
        var (beat, beatErrors) = await server.AskAsync(
            "POST",
            "/api/attempts/heartbeat",
            caller,
            body: $$"""
            {"worker": "{{bad}}", "runs": [],
             "registration": {"pool": "shell", "version": "{{bad}}", "topics": ["{{bad}}"], "enforcers": ["{{bad}}"], "capacity": 1} }
            """
        );

        Assert.Equal((400, 400), (claim, beat));
        Assert.Equal(["bad_worker /worker"], AServer.Errors(claimErrors));
        Assert.Equal(
            [
                "bad_worker /worker",
                "bad_version /registration/version",
                "bad_topics /registration/topics",
                "bad_enforcers /registration/enforcers",
            ],
            AServer.Errors(beatErrors)
        );
    }

    // Every further line is indented, which no line of the log is.
    private static void OneLineAndItsException(string output, string forged)
    {
        var character = forged.EnumerateRunes().First();
        Assert.True(character.Value == '\n' || !output.EnumerateRunes().Contains(character));
        var lines = output.TrimEnd('\n').Split('\n');
        Assert.Contains("All is well", lines[0], StringComparison.Ordinal);
        Assert.True(lines.Length > 1);
        Assert.All(lines.Skip(1), line => Assert.StartsWith("    ", line, StringComparison.Ordinal));
        Assert.DoesNotContain(output, one => one != '\n' && (char.IsControl(one) || one is (>= '\u2028' and <= '\u202e') or '\u2066'));
    }
}
