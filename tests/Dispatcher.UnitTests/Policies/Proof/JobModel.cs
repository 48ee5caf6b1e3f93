using System.Text;
using System.Text.Json;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>A job, and the time of its decision.</summary>
internal sealed record JobModel
{
    public required string Topic { get; init; }

    public required string Principal { get; init; }

    /// <summary>The producer's labels. A null value counts as absent.</summary>
    public IReadOnlyDictionary<string, string?> Labels { get; init; } = new Dictionary<string, string?>();

    public IReadOnlyList<string> Tags { get; init; } = [];

    public string? Workflow { get; init; }

    public int Attempt { get; init; } = 1;

    public PayloadModel Payload { get; init; } = PayloadModel.Without;

    public DateTimeOffset At { get; init; } = ABundle.Now;

    public JobFacts Facts =>
        new()
        {
            Topic = Topic,
            Principal = Principal,
            Labels = Labels.ToDictionary(label => label.Key, label => label.Value!),
            RiskTags = Tags,
            WorkflowId = Workflow,
            Attempt = Attempt,
            Payload = Encoding.UTF8.GetBytes(Payload.Text),
        };

    public override string ToString() =>
        JsonSerializer.Serialize(
            new
            {
                At,
                Topic,
                Principal,
                Labels,
                Tags,
                Workflow,
                Attempt,
                Payload = Payload.Text,
            }
        );
}

/// <summary>A payload, and its command under <c>/command</c> as a person reads it. Null: it has none.</summary>
internal sealed record PayloadModel(string Text, IReadOnlyList<string>? Command)
{
    public static readonly PayloadModel Without = new("{}", null);

    public static readonly PayloadModel[] All =
    [
        Without,
        new("""{"command":["ls"]}""", ["ls"]),
        new("""{"command":"ls"}""", ["ls"]),
        new("""{"command":["ls","-l"]}""", ["ls", "-l"]),
        new("""{"command":["rm"]}""", ["rm"]),
        new("""{"command":["rm","-rf"]}""", ["rm", "-rf"]),
        new("""{"command":"ls -l"}""", ["ls -l"]),
        new("""{"command":["LS"]}""", ["LS"]),
        new("""{"command":[]}""", []),
        new("""{"command":5}""", null),
        new("""{"command":["ls",5]}""", null),
        new("""{"command":null}""", null),
        new("""{"command":["rm"],"command":["ls"]}""", null),
        new("""{"other":["ls"]}""", null),
        new("no json", null),
        new("", null),
    ];
}
