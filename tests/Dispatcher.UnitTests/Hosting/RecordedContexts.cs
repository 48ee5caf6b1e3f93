using System.Collections.Concurrent;
using System.Data.Common;
using System.Text.RegularExpressions;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace Dispatcher.UnitTests.Hosting;

/// <summary>Creates contexts on the store of a server, and records the statements that EF Core runs on them.</summary>
internal sealed partial class RecordedContexts : DbCommandInterceptor, IDbContextFactory<DispatcherDb>
{
    private readonly ConcurrentQueue<string> _statements = new();
    private readonly DbContextOptions<DispatcherDb> _options;

    private RecordedContexts(DispatcherDb db) =>
        _options = new DbContextOptionsBuilder<DispatcherDb>((DbContextOptions<DispatcherDb>)db.GetService<IDbContextOptions>())
            .AddInterceptors(this)
            .Options;

    public IReadOnlyCollection<string> Statements => _statements;

    /// <summary>The statements that read a payload or a result. The first bytes of a payload, for an excerpt, do not count.</summary>
    public IEnumerable<string> OfLargeColumns => _statements.Where(sql => LargeColumn().IsMatch(Excluded().Replace(sql, "")));

    public static async Task<RecordedContexts> OfAsync(AServer server)
    {
        await using var db = await server.DatabaseAsync();
        return new RecordedContexts(db);
    }

    public DispatcherDb CreateDbContext() => new(_options);

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command,
        CommandEventData eventData,
        InterceptionResult<DbDataReader> result,
        CancellationToken cancellationToken = default
    )
    {
        _statements.Enqueue(command.CommandText);
        return new(result);
    }

    [GeneratedRegex(@"\b(payload|result)\b")]
    private static partial Regex LargeColumn();

    /// <summary>The excerpt of a payload, and an empty value under the name of a large column.</summary>
    [GeneratedRegex(@"substr\([^,]*payload[^)]*\)|x'' as payload|cast\(null as bytea\) as result")]
    private static partial Regex Excluded();
}
