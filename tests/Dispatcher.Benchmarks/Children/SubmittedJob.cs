using System.Text;
using System.Text.Json;

namespace Dispatcher.Benchmarks.Children;

/// <summary>A submission: as the benchmark writes it, and as the limit reads it.</summary>
internal sealed record SubmittedJob(Guid JobId, string Topic, string Labels, byte[] Payload)
{
    /// <summary>The length of the body, in bytes.</summary>
    private const int Length = 650;

    public static byte[] Body(Guid jobId, string topic, int number)
    {
        var start = $$"""
            {"job_id":"{{jobId}}","topic":"{{topic}}","labels":{"env":"dev","target":"none"},
            "payload":{"number":{{number}},"command":["git","status","--short"],"text":"
            """;
        return Encoding.UTF8.GetBytes(start.PadRight(Length - 3, 'x') + "\"}}");
    }

    public static SubmittedJob Read(byte[] body)
    {
        using var document = JsonDocument.Parse(body);
        var job = document.RootElement;
        return new SubmittedJob(
            job.GetProperty("job_id").GetGuid(),
            job.GetProperty("topic").GetString()!,
            job.GetProperty("labels").GetRawText(),
            Encoding.UTF8.GetBytes(job.GetProperty("payload").GetRawText())
        );
    }
}
