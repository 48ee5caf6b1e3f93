using System.Text;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Dispatcher.Storage;

/// <summary>
/// The EF Core model of the store, the same for PostgreSQL and SQLite. Reads use it; conditional and frequent writes use
/// <see cref="IStore"/>.
/// </summary>
internal sealed class DispatcherDb(DbContextOptions<DispatcherDb> options) : DbContext(options)
{
    public DbSet<Job> Jobs => Set<Job>();

    public DbSet<Approval> Approvals => Set<Approval>();

    public DbSet<Denial> Denials => Set<Denial>();

    public DbSet<TimelineEntry> Timeline => Set<TimelineEntry>();

    public DbSet<TimelineSeal> Seals => Set<TimelineSeal>();

    public DbSet<TimelineCheckpoint> Checkpoints => Set<TimelineCheckpoint>();

    public DbSet<DeadLetter> DeadLetters => Set<DeadLetter>();

    public DbSet<OutboxMessage> Outbox => Set<OutboxMessage>();

    public DbSet<StoredBundle> Bundles => Set<StoredBundle>();

    public DbSet<BundleInForce> ActiveBundle => Set<BundleInForce>();

    public DbSet<Freeze> Freezes => Set<Freeze>();

    public DbSet<RunningProcess> Processes => Set<RunningProcess>();

    public DbSet<KnownWorker> Workers => Set<KnownWorker>();

    public DbSet<ApiKey> ApiKeys => Set<ApiKey>();

    public DbSet<PermitKey> PermitKeys => Set<PermitKey>();

    /// <summary>In a query only: up to <paramref name="count"/> bytes from position <paramref name="first"/>, which starts at 1.</summary>
    public static byte[] Slice(byte[] bytes, int first, int count) => throw new InvalidOperationException("Only a query can call this.");

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDbFunction(() => Slice(Array.Empty<byte>(), 0, 0)).HasName("substr").IsBuiltIn();
        ConfigureJob(modelBuilder.Entity<Job>());
        ConfigureApproval(modelBuilder.Entity<Approval>());
        ConfigureDenial(modelBuilder.Entity<Denial>());
        modelBuilder.Entity<TimelineEntry>().ToTable("timeline").HasKey(entry => entry.EntryId);
        modelBuilder.Entity<TimelineEntry>().HasIndex(entry => new { entry.JobId, entry.EntryId });
        ConfigureSeals(modelBuilder);
        ConfigureDeadLetter(modelBuilder.Entity<DeadLetter>());
        ConfigureOutbox(modelBuilder.Entity<OutboxMessage>());
        modelBuilder.Entity<StoredBundle>().ToTable("bundles").HasKey(bundle => bundle.Hash);
        modelBuilder.Entity<BundleInForce>().ToTable("active_bundle").HasKey(bundle => bundle.Serial);
        modelBuilder.Entity<Freeze>().ToTable("freezes").HasKey(freeze => freeze.FreezeId);
        modelBuilder.Entity<RunningProcess>().ToTable("processes").HasKey(process => process.InstanceId);
        ConfigureWorker(modelBuilder.Entity<KnownWorker>());
        ConfigureApiKey(modelBuilder.Entity<ApiKey>());
        modelBuilder.Entity<PermitKey>().ToTable("permit_keys").HasKey(key => key.Kid);
        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(entity => entity.GetProperties()))
        {
            property.SetColumnName(SnakeCase(property.Name));
        }

        modelBuilder.Entity<Approval>().Property(approval => approval.CorrelationId).HasColumnName("approval_id");
        modelBuilder.Entity<Job>().Property(job => job.FailedAttempts).HasColumnName("spent");
        modelBuilder.Entity<Job>().Property(job => job.OverallDeadline).HasColumnName("give_up_at");
    }

    private static void ConfigureJob(EntityTypeBuilder<Job> job)
    {
        job.ToTable("jobs").HasKey(j => j.JobId);
        job.HasIndex(j => j.DueAt);
        job.HasIndex(j => new
        {
            j.Pool,
            j.ReadyAt,
            j.JobId,
        });
        job.HasIndex(j => new { j.Principal, j.IdempotencyKey }).IsUnique();
        job.Property(j => j.State).HasConversion(state => WireNames.Of(state), text => WireNames.State(text));
        job.Property(j => j.Verdict).HasConversion(verdict => WireNames.Of(verdict), text => WireNames.Verdict(text));
        job.Property(j => j.Labels).HasConversion(StoredJson.Labels, StoredJson.ByReference<IReadOnlyDictionary<string, string>>());
        job.Property(j => j.RiskTags).HasConversion(StoredJson.Strings, StoredJson.ByReference<IReadOnlyList<string>>());
        job.Property(j => j.Rules).HasConversion(StoredJson.Strings, StoredJson.ByReference<IReadOnlyList<string>>());
        job.Property(j => j.Constraints).HasConversion(StoredJson.Constraints);
        job.Property(j => j.Fault).HasConversion(StoredJson.Fault);
    }

    private static void ConfigureApproval(EntityTypeBuilder<Approval> approval)
    {
        approval.ToTable("approvals").HasKey(a => a.CorrelationId);
        approval.HasIndex(a => new { a.JobId, a.Round }).IsUnique();
        approval.Property(a => a.Version).IsConcurrencyToken();
        approval.Property(a => a.Requirement).HasConversion(StoredJson.Requirement, StoredJson.ByReference<ApprovalRequirement>());
        approval.Property(a => a.Votes).HasConversion(StoredJson.Votes, StoredJson.ByReference<IReadOnlyList<Vote>>());
        approval.Ignore(a => a.Name);
    }

    private static void ConfigureDenial(EntityTypeBuilder<Denial> denial)
    {
        denial.ToTable("denials").HasKey(d => d.JobId);
        denial.HasIndex(d => new { d.Principal, d.IdempotencyKey }).IsUnique();
        denial.Property(d => d.Labels).HasConversion(StoredJson.Labels, StoredJson.ByReference<IReadOnlyDictionary<string, string>>());
        denial.Property(d => d.RiskTags).HasConversion(StoredJson.Strings, StoredJson.ByReference<IReadOnlyList<string>>());
    }

    private static void ConfigureSeals(ModelBuilder modelBuilder)
    {
        var seal = modelBuilder.Entity<TimelineSeal>();
        seal.ToTable("timeline_seals").HasKey(s => s.Seq);
        seal.HasIndex(s => s.EntryId).IsUnique();
        seal.HasIndex(s => new { s.JobId, s.Seq });
        modelBuilder
            .Entity<TimelineCheckpoint>()
            .ToTable("timeline_checkpoints")
            .HasKey(checkpoint => new { checkpoint.Size, checkpoint.KeyId });
    }

    private static void ConfigureDeadLetter(EntityTypeBuilder<DeadLetter> letter)
    {
        letter.ToTable("dead_letters").HasKey(l => l.DeadLetterId);
        letter.HasIndex(l => l.At);
        letter.Property(l => l.Fault).HasConversion(StoredJson.Fault);
        letter.Property(l => l.Errors).HasConversion(StoredJson.Errors, StoredJson.ByReference<IReadOnlyList<InputError>>());
    }

    private static void ConfigureOutbox(EntityTypeBuilder<OutboxMessage> outbox)
    {
        outbox.ToTable("outbox").HasKey(message => message.MessageId);
        outbox.HasIndex(message => message.NextAt);
        outbox
            .Property(message => message.Headers)
            .HasConversion(StoredJson.Labels, StoredJson.ByReference<IReadOnlyDictionary<string, string>>());
    }

    private static void ConfigureWorker(EntityTypeBuilder<KnownWorker> worker)
    {
        worker
            .ToTable("workers")
            .HasKey(w => new
            {
                w.Pool,
                w.Principal,
                w.Instance,
            });
        worker.Property(w => w.Topics).HasConversion(StoredJson.StringsOrUnreadable, StoredJson.ByReference<IReadOnlyList<string>>());
        worker.Property(w => w.Enforcers).HasConversion(StoredJson.StringsOrUnreadable, StoredJson.ByReference<IReadOnlyList<string>>());
        worker.Property(w => w.Missing).HasConversion(StoredJson.StringsOrUnreadable, StoredJson.ByReference<IReadOnlyList<string>>());
    }

    private static void ConfigureApiKey(EntityTypeBuilder<ApiKey> key)
    {
        key.ToTable("api_keys").HasKey(k => k.KeyId);
        key.HasIndex(k => k.SecretHash).IsUnique();
        key.Property(k => k.Roles).HasConversion(StoredJson.Strings, StoredJson.ByReference<IReadOnlyList<string>>());
        key.Property(k => k.Groups).HasConversion(StoredJson.Strings, StoredJson.ByReference<IReadOnlyList<string>>());
    }

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder();
        for (var i = 0; i < name.Length; i++)
        {
            var startsWord = char.IsUpper(name[i]) && i > 0 && !char.IsUpper(name[i - 1]);
            text.Append(startsWord ? "_" : "").Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }
}
