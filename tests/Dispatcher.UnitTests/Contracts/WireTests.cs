using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Outbox;

namespace Dispatcher.UnitTests.Contracts;

public sealed class WireTests
{
    public static TheoryData<string> Names() => [.. SampleMessages.All().Select(sample => sample.Name)];

    [Fact]
    public void Messages_are_written_as_approved() =>
        Approved.Matches(
            "Contracts/Messages",
            SampleMessages
                .All()
                .Append(("DispatchSignal", Text(DispatchSignal.Message(["main", "main"], TimeProvider.System).Body)))
                .Append(("WorkMessage (bare)", Text(WorkBody.Of(AJob.OnTopic("job.exec.shell").Dispatched().Stored, true))))
                .Append(("WorkMessage (full)", Text(WorkBody.Of(FullJob().Stored, true))))
                .Select(sample => $"{sample.Item1}\n{sample.Item2}\n")
        );

    [Fact]
    public void Every_message_has_an_example()
    {
        string[] shown = [.. SampleMessages.All().Select(sample => sample.Name.Split(' ')[0]), nameof(WorkMessage)];
        var roots = Directory
            .GetFiles(Path.Combine(Repository.Root, "src", "Dispatcher.Contracts"), "WireJson.cs")
            .SelectMany(File.ReadAllLines)
            .Where(line => line.StartsWith("[JsonSerializable(typeof(", StringComparison.Ordinal))
            .Select(line => line.Split('(', ')')[2]);

        Assert.Equal(roots.Order(), shown.Distinct().Order());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void What_is_read_back_is_what_was_written(string name)
    {
        var (type, json) = Sample(name);

        Assert.Equal(json, JsonSerializer.Serialize(JsonSerializer.Deserialize(json, type), type));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_message_carries_its_version_except_the_claims_of_a_permit(string name) =>
        Assert.Equal(!name.StartsWith(nameof(PermitClaims), StringComparison.Ordinal), Node(name)["v"]?.GetValue<int>() == 1);

    [Theory]
    [MemberData(nameof(Names))]
    public void Unknown_members_are_refused(string name)
    {
        var node = Node(name);
        node["surprise"] = 1;

        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(node.ToJsonString(), Sample(name).Type));
    }

    /// <summary>Otherwise the null is met later, where nobody expects it.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Null_is_refused_where_it_means_nothing(string name)
    {
        var (type, json) = Sample(name);
        foreach (var member in type.Properties.Where(property => !property.IsGetNullable && Node(name).ContainsKey(property.Name)))
        {
            var node = Node(name);
            node[member.Name] = null;
            Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(node.ToJsonString(), type));
        }

        Assert.NotEmpty(json);
    }

    [Theory]
    [InlineData("""{"command":["git","--version"]}""")]
    [InlineData("{ \"a\" :\t1e2 ,\n\"b\": \"\\u00e9 é 😀 \\/ <>&'\" }")]
    [InlineData("\"text\"")]
    [InlineData("1.50")]
    [InlineData("[ ]")]
    public void A_work_message_carries_the_payload_byte_for_byte(string payload)
    {
        var job = AJob.OnTopic("job.exec.shell").Dispatched().WithPayload(payload).Stored;

        var message = JsonSerializer.Deserialize(WorkBody.Of(job, true), WireJson.Default.WorkMessage)!;

        Assert.Equal(payload, message.Payload.GetRawText());
    }

    [Fact]
    public void A_work_message_says_what_the_job_says()
    {
        var job = FullJob().Stored;

        var message = JsonSerializer.Deserialize(WorkBody.Of(job, true), WireJson.Default.WorkMessage)!;

        Assert.Equal((job.JobId, 2, job.Topic, job.Principal), (message.JobId, message.Attempt, message.Topic, message.Principal));
        Assert.Equal(job.Labels, message.Labels);
        Assert.Equal(job.Constraints!.AllowedHosts, message.Constraints!.AllowedHosts);
        Assert.Equal((AJob.Noon.AddMinutes(1), 120_000, 5_000), (message.StartBy, message.RunUntilMs, message.HeartbeatMs));
        Assert.Equal((job.PolicyHash, job.JobHash), (message.PolicyHash, message.JobHash));
    }

    [Fact]
    public void A_work_message_has_every_member_of_its_contract() =>
        Assert.Equal(
            SampleMessages.NamesOf<WorkMessage>().Order(),
            JsonNode.Parse(WorkBody.Of(FullJob().Stored, true))!.AsObject().Select(member => member.Key).Order()
        );

    private static AJob FullJob() =>
        AJob.OnTopic("job.exec.shell")
            .WithLabel("env", "dev")
            .WithLabel("who", "Zoë \"Z\"")
            .WithPayload("""{ "command": ["git","--version"] }""")
            .Dispatched(attempt: 2)
            .With(job =>
                job with
                {
                    Constraints = new Constraints { AllowedHosts = ["api.github.com"], TimeoutMs = 5_000 },
                }
            );

    private static (JsonTypeInfo Type, string Json) Sample(string name)
    {
        var type = typeof(WireJson).Assembly.GetType($"{typeof(WireJson).Namespace}.{name.Split(' ')[0]}")!;
        return (WireJson.Default.GetTypeInfo(type)!, SampleMessages.All().Single(sample => sample.Name == name).Json);
    }

    private static JsonObject Node(string name) => JsonNode.Parse(Sample(name).Json)!.AsObject();

    private static string Text(byte[] body) => System.Text.Encoding.UTF8.GetString(body);
}
