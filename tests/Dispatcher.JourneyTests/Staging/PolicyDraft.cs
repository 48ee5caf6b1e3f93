namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// A journey's own policy folder: one topic for each verdict, pools of the journeys' worker and of the reference worker, and short leases.
/// </summary>
internal sealed class PolicyDraft(string folder)
{
    private const string Topics = """
        version: v1
        pools:
          test: { enforcers: [timeout_ms, max_output_bytes] }
          repo: { enforcers: [timeout_ms, max_output_bytes] }
          nobody: {}
          strict: { enforcers: [allowed_hosts] }
        topics:
          job.test.once:
            pool: test
            owner: testers
            idempotent: true
            timeouts: { start: 20s, run: 20s, heartbeat: 500ms }
            max_attempts: 5
          job.test.stream: { pool: test, owner: testers, idempotent: true, timeouts: { start: 60s, run: 60s, heartbeat: 5s } }
          job.test.careful:
            pool: test
            owner: testers
            idempotent: false
            timeouts: { start: 20s, run: 4s, heartbeat: 500ms }
            max_attempts: 3
          job.test.limited:
            pool: test
            owner: testers
            idempotent: true
            timeouts: { start: 20s, run: 20s, heartbeat: 500ms }
            max_attempts: 5
          job.test.brisk:
            pool: test
            owner: testers
            idempotent: true
            timeouts: { start: 3s, run: 20s, heartbeat: 500ms }
            max_attempts: 10
          job.test.held: { pool: test, owner: testers, idempotent: true, timeouts: { start: 20s, run: 20s, heartbeat: 5s } }
          job.test.handover: { pool: test, owner: testers, idempotent: true, timeouts: { start: 2s, run: 20s, heartbeat: 500ms } }
          job.test.denied: { pool: test, owner: testers }
          job.test.strict: { pool: test, owner: testers, schema: strict.json }
          job.test.line:
            pool: test
            owner: testers
            idempotent: true
            timeouts: { start: 8s, run: 20s, heartbeat: 500ms }
            max_attempts: 10
          job.test.faulty:
            pool: test
            owner: testers
            idempotent: true
            timeouts: { start: 20s, run: 1s, heartbeat: 500ms }
            max_attempts: 3
            backoff: { first: 400ms, most: 600ms }
          job.test.downstream:
            pool: test
            owner: testers
            idempotent: true
            timeouts: { start: 20s, run: 5s, heartbeat: 5s }
            max_attempts: 50
            backoff: { first: 200ms, most: 1s }
          job.test.fenced: { pool: strict, owner: testers }
          job.test.unserved: { pool: nobody, owner: testers, timeouts: { start: 60s } }
          job.repo.read:
            pool: repo
            owner: platform
            risk: low
            idempotent: true
            timeouts: { start: 20s, run: 20s, heartbeat: 2s }
            max_attempts: 5

        """;

    private const string Rules = """
        version: v1
        rules:
          - { id: run-once, match: { topic: job.test.once }, decision: ALLOW }
          - { id: run-stream, match: { topic: job.test.stream }, decision: ALLOW }
          - { id: run-brisk, match: { topic: job.test.brisk }, decision: ALLOW }
          - { id: run-careful, match: { topic: job.test.careful }, decision: ALLOW }
          - { id: run-line, match: { topic: job.test.line }, decision: ALLOW }
          - { id: run-faulty, match: { topic: job.test.faulty }, decision: ALLOW }
          - { id: run-downstream, match: { topic: job.test.downstream }, decision: ALLOW }
          - { id: run-fenced, match: { topic: job.test.fenced }, decision: ALLOW }
          - { id: run-unserved, match: { topic: job.test.unserved }, decision: ALLOW }
          - { id: limit, match: { topic: job.test.limited }, decision: ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 15000 } }
          - { id: ask, match: { topic: job.test.held }, decision: REQUIRE_APPROVAL, reason: people decide }
          - id: ask-sre
            match: { topic: job.test.handover }
            decision: REQUIRE_APPROVAL
            reason: operations decide
            approval: { groups: { sre: 1 } }
          - { id: never, match: { topic: job.test.denied }, decision: DENY, reason: not here }
          - { id: read, match: { topic: job.repo.read }, decision: ALLOW }

        """;

    private const string StrictSchema =
        """{ "type": "object", "required": ["text"], "additionalProperties": false, "properties": { "text": { "type": "string" } } }""";

    private string _morePools = "";

    public string Folder => folder;

    public PolicyDraft Write(string moreRules = "")
    {
        Directory.CreateDirectory(Path.Combine(folder, "rules"));
        Directory.CreateDirectory(Path.Combine(folder, "schemas"));
        Replace(Path.Combine("schemas", "strict.json"), StrictSchema);
        Replace("topics.yaml", Topics.Replace("topics:\n", _morePools + "topics:\n", StringComparison.Ordinal));
        Replace(Path.Combine("rules", "test.yaml"), Rules + moreRules);
        return this;
    }

    /// <summary>Registers one more pool. The next <see cref="Write"/> keeps it.</summary>
    public void AddPool(string pool) => _morePools += $"  {pool}: {{}}\n";

    /// <summary>As the shipped folder is.</summary>
    public void CopyShipped()
    {
        Directory.CreateDirectory(Path.Combine(folder, "rules"));
        File.Delete(Path.Combine(folder, "rules", "test.yaml"));
        File.Delete(Path.Combine(folder, "schemas", "strict.json"));
        Directory.CreateDirectory(Path.Combine(folder, "schemas"));
        var shipped = Path.Combine(Repository(), "policies");
        var schemas = Directory.GetFiles(Path.Combine(shipped, "schemas")).Select(file => Path.GetRelativePath(shipped, file));
        foreach (var file in schemas.Concat(["topics.yaml", Path.Combine("rules", "checklist.yaml"), Path.Combine("rules", "dev.yaml")]))
        {
            File.Copy(Path.Combine(shipped, file), Path.Combine(folder, file), overwrite: true);
        }
    }

    /// <summary>Changes a file in one step: the server must never read half of it.</summary>
    public void Replace(string file, string text)
    {
        var path = Path.Combine(folder, file);
        File.WriteAllText(path + ".new", text);
        File.Move(path + ".new", path, overwrite: true);
    }

    private static string Repository()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Dispatcher.sln")))
        {
            folder =
                Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests do not run from below the repository.");
        }

        return folder;
    }
}
