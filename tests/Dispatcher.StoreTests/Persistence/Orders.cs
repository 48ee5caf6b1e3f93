using Dispatcher.Persistence;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Persistence;

// The code of a user of the library: messages, a consumer, a saga with an activity, and a context.
/// <param name="OrderId">The order.</param>
/// <param name="Plain">Whether the consumer ignores the script and only publishes.</param>
public sealed record Place(Guid OrderId, bool Plain = false);

public sealed record Placed(Guid OrderId, int Number = 0);

public sealed record AddAmount(Guid OrderId, int Amount);

public sealed record Totalled(Guid OrderId, int Total);

public sealed record CloseOrder(Guid OrderId);

public sealed record PingOrder(Guid OrderId);

public sealed record OpenOrder(Guid OrderId);

public sealed record RaiseAll(int Below);

public sealed class Note
{
    public long NoteId { get; init; }

    public required string Text { get; init; }
}

public sealed class Order : SagaStateMachineInstance, ISagaVersion
{
    public Guid CorrelationId { get; set; }

    public string CurrentState { get; set; } = "";

    public int Total { get; set; }

    public int Version { get; set; }
}

public sealed class OrderDb(DbContextOptions<OrderDb> options) : DbContext(options)
{
    public DbSet<Order> Orders => Set<Order>();

    public DbSet<Note> Notes => Set<Note>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.AddOutbox();
        modelBuilder.Entity<Note>().ToTable("notes");

        // Names that must be quoted, in a schema on PostgreSQL.
        modelBuilder
            .Entity<Order>()
            .ToTable("Order Sagas", Database.ProviderName!.Contains("Npgsql", StringComparison.Ordinal) ? "The Shop" : null)
            .HasKey(order => order.CorrelationId);
        modelBuilder.Entity<Order>().Property(order => order.CorrelationId).HasColumnName("Order Id");
        modelBuilder.Entity<Order>().Property(order => order.Version).IsConcurrencyToken();
    }
}

/// <summary>The actions of consumer and activity in this test. Both get the context of the message's scope.</summary>
public sealed class Script
{
    public Func<ConsumeContext<Place>, OrderDb, Task> OnPlace { get; set; } =
        (context, _) => context.Publish(new Placed(context.Message.OrderId));

    public Func<BehaviorContext<Order, AddAmount>, OrderDb, Task> OnAdd { get; set; } = (_, _) => Task.CompletedTask;
}

public sealed class PlaceConsumer(OrderDb db, Script script, Journal journal) : IConsumer<Place>
{
    public async Task Consume(ConsumeContext<Place> context)
    {
        journal.Add(context.Message);
        await (context.Message.Plain ? context.Publish(new Placed(context.Message.OrderId)) : script.OnPlace(context, db));
    }
}

/// <summary>Writes the published messages to the journal.</summary>
public sealed class Recorder(Journal journal) : IConsumer<Placed>, IConsumer<Totalled>, IConsumer<Fault<Place>>
{
    public Task Consume(ConsumeContext<Placed> context) => Record(context);

    public Task Consume(ConsumeContext<Totalled> context) => Record(context);

    public Task Consume(ConsumeContext<Fault<Place>> context) => Record(context);

    private Task Record<T>(ConsumeContext<T> context)
        where T : class
    {
        journal.Add(context.Message);
        return Task.CompletedTask;
    }
}

public sealed class OrderMachine : MassTransitStateMachine<Order>
{
    public OrderMachine()
    {
        InstanceState(order => order.CurrentState);
        Event(() => Added, added => added.CorrelateById(context => context.Message.OrderId));
        Event(
            () => Closed,
            closed => closed.CorrelateById(context => context.Message.OrderId).OnMissingInstance(missing => missing.Fault())
        );
        Event(
            () => Pinged,
            pinged => pinged.CorrelateById(context => context.Message.OrderId).OnMissingInstance(missing => missing.Discard())
        );
        Event(
            () => Opened,
            opened =>
            {
                opened.CorrelateById(context => context.Message.OrderId);
                opened.InsertOnInitial = true;
                opened.SetSagaFactory(context => new Order { CorrelationId = context.Message.OrderId });
            }
        );
        Event(
            () => Raised,
            raised =>
                raised.CorrelateBy((order, context) => order.Total < context.Message.Below).OnMissingInstance(missing => missing.Discard())
        );
        Initially(Adding().TransitionTo(Open), When(Opened).Then(context => context.Saga.Total++).TransitionTo(Open));
        During(
            Open,
            Adding(),
            When(Opened).Then(context => context.Saga.Total++),
            When(Raised).Then(context => context.Saga.Total += 100),
            When(Closed).Finalize(),
            Ignore(Pinged)
        );
        SetCompletedWhenFinalized();
    }

    public State Open { get; } = null!;

    public Event<AddAmount> Added { get; } = null!;

    public Event<CloseOrder> Closed { get; } = null!;

    public Event<PingOrder> Pinged { get; } = null!;

    public Event<OpenOrder> Opened { get; } = null!;

    public Event<RaiseAll> Raised { get; } = null!;

    private EventActivityBinder<Order, AddAmount> Adding() =>
        When(Added)
            .Then(context => context.Saga.Total += context.Message.Amount)
            .Activity(activities => activities.OfType<AddActivity>())
            .Publish(context => new Totalled(context.Message.OrderId, context.Saga.Total));
}

/// <summary>The scope of the message creates it, so it has the context whose transaction is open.</summary>
public sealed class AddActivity(OrderDb db, Script script) : IStateMachineActivity<Order, AddAmount>
{
    public async Task Execute(BehaviorContext<Order, AddAmount> context, IBehavior<Order, AddAmount> next)
    {
        await script.OnAdd(context, db);
        await next.Execute(context);
    }

    public Task Faulted<TException>(BehaviorExceptionContext<Order, AddAmount, TException> context, IBehavior<Order, AddAmount> next)
        where TException : Exception => next.Faulted(context);

    public void Probe(ProbeContext context) => context.CreateScope("add");

    public void Accept(StateMachineVisitor visitor) => visitor.Visit(this);
}
