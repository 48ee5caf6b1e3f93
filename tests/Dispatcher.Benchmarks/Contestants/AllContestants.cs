namespace Dispatcher.Benchmarks.Contestants;

/// <summary>The contestants by name.</summary>
internal static class AllContestants
{
    public const string LimitName = "limit";

    public static readonly Contestant Limit = new(
        LimitName,
        "hand-written on RabbitMQ.Client and Npgsql, batches of 200: what this machine can do",
        (stage, events, token) => LimitContestant.StartAsync(stage, effect: false, events, token)
    );

    public static readonly Contestant LimitEffect = new(
        "limit-effect",
        "the same with one idempotent effect row for each job",
        (stage, events, token) => LimitContestant.StartAsync(stage, effect: true, events, token)
    );

    public static readonly Contestant MassTransit = new(
        "masstransit",
        "plain MassTransit, four hops, prefetch 256, no database",
        MassTransitContestant.StartAsync
    );

    public static readonly Contestant Ours = Product("ours", "the product, handler without work, worker concurrency 64", new OursSetup());

    public static readonly Contestant OursDefault = Product(
        "ours-default",
        "the same with the default concurrency of the worker",
        new OursSetup { Concurrency = null }
    );

    public static readonly Contestant OursEffect = Product(
        "ours-effect",
        "one effect through OnceAsync, concurrency 64",
        new OursSetup { Effect = true }
    );

    public static readonly Contestant OursTwo = Product(
        "ours-2x2",
        "two servers and two workers of concurrency 64",
        new OursSetup { Processes = 2 }
    );

    public static readonly Contestant[] OfThroughput = [Limit, LimitEffect, MassTransit, Ours, OursDefault, OursEffect, OursTwo];

    public static readonly Contestant[] OfLatency = [Limit, MassTransit, OursDefault];

    public static Contestant Product(string name, string description, OursSetup setup) =>
        new(name, description, (stage, _, token) => OursContestant.StartAsync(stage, setup, token));
}
