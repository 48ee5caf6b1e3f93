using System.Globalization;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Audit.Retaining;

/// <summary>The base of tests that drop days. SQLite has no retention.</summary>
public abstract class RetentionTest() : StoreTest(StoreKind.Postgres)
{
    private RetainedHistory? _history;

    private protected RetainedHistory History => _history ?? throw new InvalidOperationException("The test has not begun.");

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        _history = await RetainedHistory.OnAsync(Database);
    }

    public override async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        _history?.Dispose();
        await base.DisposeAsync();
    }

    /// <summary>A job whose two entries are some days old, not sealed yet.</summary>
    private protected async Task<Job> EndedAsync(int days)
    {
        var job = await StoredAsync(AJob.New());
        await MovedAsync(JobEnds.Expired(job));
        await History.AgeAsync(job.JobId, days);
        return job;
    }

    /// <summary>The day so many days ago, in UTC.</summary>
    private protected static string Day(int ago) =>
        DateTimeOffset.UtcNow.AddDays(-ago).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
