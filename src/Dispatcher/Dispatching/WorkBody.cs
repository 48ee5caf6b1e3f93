using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Dispatching;

/// <summary>
/// Writes the body of a work message without a serializer, because the payload must stay byte for byte the same. The members are those of
/// <see cref="WorkMessage"/>; a test compares them.
/// </summary>
internal static class WorkBody
{
    public static byte[] Of(Job job, bool idempotent)
    {
        var buffer = ScratchBuffer.Take();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("v", 1);
            json.WriteString("job_id", job.JobId);
            json.WriteNumber("attempt", job.Attempt);
            json.WriteString("topic", job.Topic);
            json.WriteString("principal", job.Principal);
            json.WriteStartObject("labels");
            foreach (var (name, value) in job.Labels)
            {
                json.WriteString(name, value);
            }

            json.WriteEndObject();
            json.WritePropertyName("payload");

            // Validated at intake; a second validation would cost more than the rest.
            json.WriteRawValue(job.Payload, skipInputValidation: true);
            if (job.Constraints is not null)
            {
                json.WritePropertyName("constraints");
                JsonSerializer.Serialize(json, job.Constraints, WireJson.Default.Constraints);
            }

            json.WriteString("start_by", Timestamps.At(job.StartBy!.Value));
            json.WriteNumber("run_until_ms", job.RunLimitUs!.Value / 1_000);
            json.WriteNumber("heartbeat_ms", job.HeartbeatUs!.Value / 1_000);
            json.WriteBoolean("idempotent", idempotent);
            json.WriteString("policy_hash", job.PolicyHash);
            json.WriteString("job_hash", job.JobHash);
            json.WriteEndObject();
        }

        var body = buffer.WrittenSpan.ToArray();
        ScratchBuffer.Return(buffer);
        return body;
    }
}
