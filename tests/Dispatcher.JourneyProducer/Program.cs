using System.Text.Json;
using Dispatcher.Contracts;
using MassTransit;

var broker = new Uri(Environment.GetEnvironmentVariable("DISPATCHER_RABBITMQ")!);
var me = broker.UserInfo.Split(':')[0]; // the principal is the broker user
var server = args is [var name] ? name : "main"; // the broker user of the server
var replies = $"reply.{me}.first";
var ended = new TaskCompletionSource();

var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
{
    rabbit.Host(broker);
    rabbit.ReceiveEndpoint(
        replies,
        endpoint =>
        {
            endpoint.ConfigureConsumeTopology = false; // answers are sent to the queue itself
            endpoint.PrefetchCount = 1; // answers in the order in which they were sent
            endpoint.PublishFaults = false; // this user may not declare MassTransit's fault exchanges
            endpoint.DiscardFaultedMessages(); // an answer cannot be moved to an error queue: it has the user_id of the server
            endpoint.DiscardSkippedMessages();
            endpoint.UseRawJsonDeserializer(RawSerializerOptions.AddTransportHeaders, isDefault: true);
            endpoint.Handler<JobDecision>(answer =>
                Take(answer, $"{answer.Message.State}: {answer.Message.Reason}", answer.Message.State == JobState.Denied)
            );
            endpoint.Handler<JobEvent>(answer =>
                Take(answer, $"{answer.Message.State}: {answer.Message.Result?.ToString() ?? answer.Message.Reason}", isEnd: true)
            );
            endpoint.Handler<Refused>(answer =>
                Take(answer, $"Refused: {answer.Message.Errors[0].Message} {answer.Message.Errors[0].Fix}", isEnd: true)
            );
        }
    );
});
await bus.StartAsync();

var jobs = await bus.GetSendEndpoint(new Uri("exchange:dispatcher.jobs?type=topic&alternateexchange=dispatcher.unrouted"));
var job = new SubmitJob
{
    Topic = "job.repo.read",
    IdempotencyKey = "first-2",
    Payload = JsonSerializer.SerializeToElement(new { repo = "demo", op = "log" }),
};
await jobs.Send(
    job,
    context =>
    {
        context.SetRoutingKey(job.Topic);
        var properties = context.GetPayload<RabbitMqSendContext>().BasicProperties;
        (properties.UserId, properties.ReplyTo) = (me, replies); // both are required to get an answer
    }
);
await ended.Task;
await bus.StopAsync();

Task Take(ConsumeContext answer, string text, bool isEnd)
{
    if (answer.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery) && delivery.Properties.UserId == server)
    {
        Console.WriteLine(text);
        if (isEnd)
        {
            ended.TrySetResult();
        }
    }

    return Task.CompletedTask; // anything else is not an answer of the server
}
