using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>Finds problems in the registry: topics that no rule grants, missing timeouts and schemas, unused pools.</summary>
internal sealed class TopicLint(LintedBundle bundle, FindingList findings)
{
    public void Run()
    {
        foreach (var topic in bundle.Topics)
        {
            CheckRules(topic);
            CheckTimeouts(topic);
            CheckSchema(topic);
        }

        HashSet<string> used = [.. bundle.Content.Topics.Select(topic => topic.Pool.Name)];
        var mayMiss = bundle.Content.UnreadTopics.Count > 0 || bundle.Topics.Any(topic => topic.Compiled.Broken.Contains("pool"));
        foreach (var pool in bundle.Content.Pools.Where(pool => !mayMiss && !used.Contains(pool.Name)))
        {
            findings.Info(pool.Where, LintCodes.UnusedPool, $"no topic uses pool {pool.Name}.", "remove it, or name it in a topic.");
        }
    }

    private void CheckRules(LintedTopic topic)
    {
        List<Rule> rules = [.. bundle.Live.Where(rule => rule.Topic.Fits(topic.Name))];
        if (
            bundle.MayMissRulesFor(topic)
            || rules.Exists(rule => rule.Decision != Verdict.Deny && !bundle.FindMatching(topic, rule).IsProvenEmpty)
        )
        {
            return;
        }

        var witness = bundle.AnyJob(topic);
        if (rules.Count == 0)
        {
            findings.Warning(
                topic.Compiled.Where,
                LintCodes.TopicWithoutRule,
                $"no rule matches topic {topic.Name}, so every job is denied; required: at least one rule that can grant.",
                "add a rule, or remove the topic.",
                witness
            );
        }
        else
        {
            findings.Warning(
                topic.Compiled.Where,
                LintCodes.TopicWithoutGrant,
                $"no rule for topic {topic.Name} can grant, so every job is denied; required: at least one rule that can grant.",
                "add an ALLOW, ALLOW_WITH_CONSTRAINTS or REQUIRE_APPROVAL that a job can match, or remove the topic.",
                witness
            );
        }
    }

    private void CheckTimeouts(LintedTopic topic)
    {
        if (topic.Compiled.DefaultTimeouts is { Count: > 0 } missing && !topic.Compiled.Broken.Contains("timeouts"))
        {
            findings.Info(
                topic.Compiled.Where,
                LintCodes.DefaultTimeouts,
                $"topic {topic.Name} leaves timeouts to the defaults: "
                    + $"{string.Join(", ", missing.Select(name => $"{name} {Default(topic.JobClass, name).TotalSeconds:0}s"))}.",
                "set them explicitly if they matter."
            );
        }
    }

    private void CheckSchema(LintedTopic topic)
    {
        if (topic.JobClass.Schema is null && !topic.Compiled.Broken.Contains("schema"))
        {
            var message =
                $"topic {topic.Name}, whose risk is {topic.JobClass.Risk}, accepts any payload; "
                + "allowed: 'schema' with the name of a file in schemas/.";
            const string Fix = "describe the payload in a schema.";
            if (topic.JobClass.Risk == "high")
            {
                findings.Warning(topic.Compiled.Where, LintCodes.NoSchema, message, Fix);
            }
            else
            {
                findings.Info(topic.Compiled.Where, LintCodes.NoSchema, message, Fix);
            }
        }
    }

    private static TimeSpan Default(JobClass jobClass, string name) =>
        name switch
        {
            "start" => jobClass.StartWithin,
            "run" => jobClass.RunWithin,
            "overall" => jobClass.OverallWithin,
            _ => jobClass.HeartbeatEvery,
        };
}
