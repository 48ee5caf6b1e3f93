using System.Text;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies;

/// <summary>Builds the facts of a job of principal <c>billing</c>, without labels or tags and with an empty payload.</summary>
internal sealed record AJob(JobFacts Facts)
{
    public static AJob OnTopic(string topic) =>
        new(
            new JobFacts
            {
                Principal = "billing",
                Topic = topic,
                Labels = new Dictionary<string, string>(),
                RiskTags = [],
                Payload = "{}"u8.ToArray(),
            }
        );

    public static AJob ToTest() => OnTopic("test.run");

    public AJob WithLabel(string name, string value) => WithLabels(new Dictionary<string, string>(Facts.Labels) { [name] = value });

    public AJob WithLabels(IReadOnlyDictionary<string, string> labels) => new(Facts with { Labels = labels });

    public AJob WithTags(params string[] tags) => new(Facts with { RiskTags = tags });

    public AJob WithPayload(string json) => new(Facts with { Payload = Encoding.UTF8.GetBytes(json) });

    public AJob By(string principal) => new(Facts with { Principal = principal });

    public AJob InWorkflow(string workflow) => new(Facts with { WorkflowId = workflow });

    public AJob OnAttempt(int attempt) => new(Facts with { Attempt = attempt });
}
