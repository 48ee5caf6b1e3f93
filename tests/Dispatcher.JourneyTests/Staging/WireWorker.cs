using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>A worker that knows only the wire: it claims one attempt, sends no heartbeat, and reports what the test wants.</summary>
internal sealed class WireWorker
{
    private const string User = "worker-test";

    private readonly DispatcherServer _dispatcher;
    private readonly IChannel _channel;
    private readonly string _key;

    private WireWorker(DispatcherServer dispatcher, IChannel channel, string key)
    {
        (_dispatcher, _channel, _key) = (dispatcher, channel, key);
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    public static async Task<WireWorker> BeginAsync(Journey journey, DispatcherServer dispatcher, int capacity = 1)
    {
        await journey.Records.PretendWorkerAsync("test", capacity);
        var connection = await journey.ConnectAsync(User);
        var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), Now);
        return new WireWorker(dispatcher, channel, await dispatcher.MakeKeyAsync(User, "worker:test"));
    }

    public async Task<(WorkMessage Work, Claim Claim)> ClaimAsync()
    {
        BasicGetResult? work = null;
        await Eventually.IsAsync(
            async () => (work = await _channel.BasicGetAsync(Queues.Work("test"), autoAck: true, Now)) is not null,
            () => "the work message comes",
            TimeSpan.FromSeconds(20)
        );
        var request = new ClaimRequest
        {
            Worker = "wire",
            ClaimId = Guid.CreateVersion7(),
            Permits = [Encoding.ASCII.GetString((byte[])work!.BasicProperties.Headers![Contracts.Headers.Permit]!)],
        };
        var (_, body) = await _dispatcher.SendAsync(
            HttpMethod.Post,
            "/api/attempts/claim",
            JsonSerializer.SerializeToUtf8Bytes(request, WireJson.Default.ClaimRequest),
            _key
        );
        var claim = Assert.Single(body.Deserialize(WireJson.Default.ClaimAnswer)!.Claims);
        return (JsonSerializer.Deserialize(work.Body.Span, WireJson.Default.WorkMessage)!, claim);
    }

    public static OutcomeBatch Succeeded(WorkMessage work, Claim claim) =>
        new()
        {
            Outcomes =
            [
                new AttemptOutcome
                {
                    JobId = work.JobId,
                    Attempt = work.Attempt,
                    RunId = claim.RunId!.Value,
                    Worker = "wire",
                    PermitId = claim.PermitId!.Value,
                    Kind = OutcomeKind.Succeeded,
                    StartedAt = DateTimeOffset.UnixEpoch,
                    EndedAt = DateTimeOffset.UnixEpoch,
                },
            ],
        };

    public ValueTask SendAsync(OutcomeBatch batch) => SendAsync(JsonSerializer.Serialize(batch, WireJson.Default.OutcomeBatch));

    public ValueTask SendAsync(string batch) =>
        _channel.BasicPublishAsync(
            Exchanges.Outcomes,
            "",
            mandatory: true,
            new BasicProperties { UserId = User, DeliveryMode = DeliveryModes.Persistent },
            Encoding.UTF8.GetBytes(batch),
            Now
        );
}
