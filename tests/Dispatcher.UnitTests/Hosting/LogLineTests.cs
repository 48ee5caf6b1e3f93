using System.Text.Json;
using Dispatcher.ReferenceWorker.Logs;
using Serilog.Events;
using Serilog.Parsing;
using ServerLines = Dispatcher.Hosting.LogLineFormatter;
using WorkerLines = Dispatcher.ReferenceWorker.Logs.LogLineFormatter;

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

        new WorkerLines().Format(Event("Program says {Text}", new InvalidOperationException(text), ("Text", text)), output);

        OneLineAndItsException(output.ToString(), forged);
    }

    [Theory]
    [MemberData(nameof(Forged))]
    public void Json_log_is_one_object_on_one_line(string forged)
    {
        var text = $"host{forged}{{\"level\":\"Information\"}}";
        var output = new StringWriter();

        new JsonLineFormatter().Format(Event("Program says {Text}", new InvalidOperationException(text), ("Text", text)), output);

        Assert.Single(output.ToString(), c => char.IsControl(c));
        var line = JsonDocument.Parse(output.ToString()).RootElement;
        Assert.Equal("Program says " + text, line.GetProperty("message").GetString());
        Assert.Equal(text, line.GetProperty("properties").GetProperty("Text").GetString());
    }

    /// <summary>What a log store indexes: names and types are a contract.</summary>
    [Fact]
    public void Json_log_has_event_id_level_time_trace_and_properties()
    {
        var output = new StringWriter();
        var id = new LogEventProperty("EventId", new StructureValue([new LogEventProperty("Id", new ScalarValue(2401))]));
        var logged = Event("Job {JobId} ends", null, ("JobId", "0198c5a2"), ("Attempt", 2), ("TraceId", "4bf9"), ("SourceContext", "A.B"));
        logged.AddOrUpdateProperty(id);

        new JsonLineFormatter().Format(logged, output);

        Assert.Equal(
            """
            {"time":"1970-01-01T00:00:00Z","level":"Warning","event_id":2401,"logger":"A.B","message":"Job 0198c5a2 ends",
            "trace_id":"4bf9","properties":{"JobId":"0198c5a2","Attempt":2}}
            """,
            output.ToString().TrimEnd().Replace("ends\",", "ends\",\n", StringComparison.Ordinal)
        );
    }

    /// <summary>A log line of a handler names its job, and names it only once.</summary>
    [Fact]
    public void Reference_worker_log_shows_the_job_during_a_run()
    {
        var output = new StringWriter();
        (string, object)[] scope = [("JobId", "0198c5a2"), ("Topic", "job.exec.shell\n"), ("Attempt", 1)];

        new WorkerLines().Format(Event("It works", null, scope), output);
        new WorkerLines().Format(Event("Job {JobId} ends", null, scope), output);

        Assert.Equal(
            [
                "00:00:00.000 Warning [0] [job 0198c5a2 job.exec.shell\\u000a attempt 1] It works",
                "00:00:00.000 Warning [0] Job 0198c5a2 ends",
            ],
            output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)
        );
    }

    [Fact]
    public async Task Worker_with_control_characters_in_its_texts_is_refused()
    {
        await using var server = await AServer.MigratedAsync();
        var caller = ACaller.With("worker");

        foreach (var forged in Forged.Select(row => row.Data))
        {
            var bad = JsonEncodedText.Encode($"a{forged}b").ToString();
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

            Assert.Equal((bad, 400, 400), (bad, claim, beat));
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
    }

    // Every further line is indented, which no line of the log is.
    private static LogEvent Event(string template, Exception? exception, params (string Name, object Value)[] properties) =>
        new(
            DateTimeOffset.UnixEpoch,
            LogEventLevel.Warning,
            exception,
            new MessageTemplateParser().Parse(template),
            properties.Select(property => new LogEventProperty(property.Name, new ScalarValue(property.Value)))
        );

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
