using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Outbox;

namespace Dispatcher.UnitTests.Contracts;

public sealed class WireTests
{
    /// <summary>
    /// The messages as they are approved. The tests read these and not what the records write now, so they fail when the wire changes.
    /// </summary>
    private static readonly Dictionary<string, string> OnTheWire = Approved
        .Lines("Contracts/Messages")
        .Chunk(3)
        .ToDictionary(lines => lines[0], lines => lines[1]);

    public static TheoryData<string> Names() => [.. SampleMessages.All().Select(sample => sample.Name)];

    [Fact]
    public void Messages_are_written_as_approved() =>
        Approved.Matches(
            "Contracts/Messages",
            SampleMessages
                .All()
                .Append(("DispatchSignal", Text(DispatchSignal.Message(["main", "main"], TimeProvider.System).Body)))
                .Append(("WorkMessage (bare)", Text(WorkBody.Of(AJob.OnTopic("job.exec.shell").Dispatched().Stored, true))))
                .Append(("WorkMessage (full)", Text(WorkBody.Of(SampleMessages.FullJob().Stored, true))))
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
    public void Records_read_and_write_the_approved_messages(string name)
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

    /// <summary>Otherwise the null causes a failure later, where no code checks for it.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Null_is_refused_in_members_that_cannot_be_null(string name)
    {
        var type = Sample(name).Type;
        var members = type.Properties.Where(property => !property.IsGetNullable && Node(name).ContainsKey(property.Name)).ToList();

        Assert.NotEmpty(members);
        Assert.All(
            members,
            member =>
            {
                var node = Node(name);
                node[member.Name] = null;
                Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(node.ToJsonString(), type));
            }
        );
    }

    [Theory]
    [InlineData("""{"command":["git","--version"]}""")]
    [InlineData("{ \"a\" :\t1e2 ,\n\"b\": \"\\u00e9 é 😀 \\/ <>&'\" }")]
    [InlineData("\"text\"")]
    [InlineData("1.50")]
    [InlineData("[ ]")]
    public void Work_message_keeps_the_bytes_of_the_payload(string payload)
    {
        var job = AJob.OnTopic("job.exec.shell").Dispatched().WithPayload(payload).Stored;

        var message = JsonSerializer.Deserialize(WorkBody.Of(job, true), WireJson.Default.WorkMessage)!;

        Assert.Equal(payload, message.Payload.GetRawText());
    }

    [Fact]
    public void Work_message_has_the_values_of_the_job()
    {
        var job = SampleMessages.FullJob().Stored;

        var message = JsonSerializer.Deserialize(WorkBody.Of(job, true), WireJson.Default.WorkMessage)!;

        Assert.Equal((job.JobId, 2, job.Topic, job.Principal), (message.JobId, message.Attempt, message.Topic, message.Principal));
        Assert.Equal(job.Labels, message.Labels);
        Assert.Equal(job.Constraints!.AllowedHosts, message.Constraints!.AllowedHosts);
        Assert.Equal((AJob.Noon.AddMinutes(1), 120_000, 5_000), (message.StartBy, message.RunUntilMs, message.HeartbeatMs));
        Assert.Equal((job.PolicyHash, job.JobHash), (message.PolicyHash, message.JobHash));
    }

    [Fact]
    public void Work_message_has_every_member_of_its_record() =>
        Assert.Equal(
            SampleMessages.NamesOf<WorkMessage>().Order(),
            JsonNode.Parse(WorkBody.Of(SampleMessages.FullJob().Stored, true))!.AsObject().Select(member => member.Key).Order()
        );

    private static (JsonTypeInfo Type, string Json) Sample(string name)
    {
        var type = typeof(WireJson).Assembly.GetType($"{typeof(WireJson).Namespace}.{name.Split(' ')[0]}")!;
        return (WireJson.Default.GetTypeInfo(type)!, OnTheWire[name]);
    }

    private static JsonObject Node(string name) => JsonNode.Parse(Sample(name).Json)!.AsObject();

    private static string Text(byte[] body) => System.Text.Encoding.UTF8.GetString(body);
}
