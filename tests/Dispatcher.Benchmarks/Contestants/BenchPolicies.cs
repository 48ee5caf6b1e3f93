using System.Text;

namespace Dispatcher.Benchmarks.Contestants;

/// <summary>The policy folder of the server: 50 rules, of which three match each job, and a schema of the payload.</summary>
internal static class BenchPolicies
{
    public const string Pool = "bench";

    private const int Rules = 50;

    private const string Schema = """
        {
          "type": "object",
          "required": ["number", "command", "text"],
          "additionalProperties": false,
          "properties": {
            "number": { "type": "integer", "minimum": 0 },
            "command": { "type": "array", "items": { "type": "string", "maxLength": 64 }, "maxItems": 8 },
            "text": { "type": "string", "maxLength": 4096 }
          }
        }
        """;

    public static string Topic(int number) => $"job.bench.t{number}";

    public static void Write(string folder, int topics)
    {
        Directory.CreateDirectory(Path.Combine(folder, "rules"));
        Directory.CreateDirectory(Path.Combine(folder, "schemas"));
        File.WriteAllText(Path.Combine(folder, "schemas", "bench.json"), Schema);
        File.WriteAllText(Path.Combine(folder, "topics.yaml"), Registry(topics));
        File.WriteAllText(Path.Combine(folder, "rules", "bench.yaml"), RuleFile());
    }

    private static string Registry(int topics)
    {
        var text = new StringBuilder("version: v1\npools:\n  bench: { enforcers: [timeout_ms, max_output_bytes] }\ntopics:\n");
        for (var i = 0; i < topics; i++)
        {
            text.Append(
                null,
                $$"""
                  {{Topic(i)}}:
                    pool: bench
                    owner: bench
                    schema: bench.json
                    idempotent: true
                    timeouts: { start: 2m, run: 1m, heartbeat: 5s }

                """
            );
        }

        return text.ToString();
    }

    private static string RuleFile()
    {
        var text = new StringBuilder("version: v1\nrules:\n");
        text.Append("  - { id: run, match: { topic: 'job.bench.*' }, decision: ALLOW }\n");
        text.Append(
            "  - { id: limit, match: { topic: 'job.bench.*', labels: { env: dev } }, decision: ALLOW_WITH_CONSTRAINTS, "
                + "constraints: { timeout_ms: 30000 } }\n"
        );
        text.Append(
            "  - { id: output, match: { principal: bench }, decision: ALLOW_WITH_CONSTRAINTS, constraints: { max_output_bytes: 4096 } }\n"
        );
        for (var i = 3; i < Rules; i++)
        {
            text.Append(
                null,
                $"  - {{ id: other{i}, match: {{ topic: 'job.bench.*', labels: {{ target: t{i} }} }}, decision: DENY, reason: never }}\n"
            );
        }

        return text.ToString();
    }
}
