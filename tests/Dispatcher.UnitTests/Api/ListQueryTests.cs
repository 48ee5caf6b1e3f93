using System.Diagnostics;
using System.Text.RegularExpressions;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Dispatcher.UnitTests.Api;

/// <summary>A payload has up to 256 KiB, a kept body 64 KiB, and a page up to 500 rows: lists must not read them.</summary>
public sealed partial class ListQueryTests
{
    [Theory]
    [InlineData("/api/jobs/", "?state=running&topic=a&principal=b&limit=500")]
    [InlineData("/api/jobs/", "?cursor=1_0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11")]
    [InlineData("/api/dead-letters/", "?limit=500")]
    [InlineData("/api/dead-letters/", "?cursor=1_0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11")]
    [InlineData("/api/approvals/", "?limit=500")]
    public async Task A_list_reads_no_payload_no_result_and_no_body(string list, string query)
    {
        using var statements = new Statements();
        await using var server = await AServer.MigratedAsync();

        var read = await statements.OfAsync(() => server.AskAsync("GET", list, ACaller.With(Role.Admin), query));

        Assert.NotEmpty(read);
        Assert.DoesNotContain(read, statement => LargeColumn().IsMatch(Excerpt().Replace(statement, "")));
    }

    [Fact]
    public async Task A_single_job_reads_one_row_with_its_payload()
    {
        using var statements = new Statements();
        await using var server = await AServer.MigratedAsync();
        var job = AJob.ToTest().Stored;
        await server.StoreAsync(job);

        var read = await statements.OfAsync(async () =>
            Assert.Equal(
                StatusCodes.Status200OK,
                (await server.AskAsync("GET", "/api/jobs/{jobId:guid}", ACaller.With(Role.Operator), id: job.JobId)).Status
            )
        );

        var statement = Assert.Single(read);
        Assert.Matches(LargeColumn(), statement);
        Assert.Contains("LIMIT 1", statement, StringComparison.Ordinal);
    }

    /// <summary>The list of approvals shows the first bytes of the payload, and reads no more.</summary>
    [GeneratedRegex("\\bsubstr\\([^()]*, 1, [0-9]{1,3}\\)")]
    private static partial Regex Excerpt();

    [GeneratedRegex("\\b(payload|result|body)\\b", RegexOptions.IgnoreCase)]
    private static partial Regex LargeColumn();

    /// <summary>Collects the SQL text of the statements that EF Core runs for one call.</summary>
    private sealed class Statements : IObserver<DiagnosticListener>, IObserver<KeyValuePair<string, object?>>, IDisposable
    {
        private readonly AsyncLocal<List<string>?> _ofThisCall = new();
        private readonly List<IDisposable> _subscriptions = [];

        public Statements() => _subscriptions.Add(DiagnosticListener.AllListeners.Subscribe(this));

        public async Task<IReadOnlyList<string>> OfAsync(Func<Task> call)
        {
            List<string> seen = [];
            _ofThisCall.Value = seen;
            await call();
            _ofThisCall.Value = null;
            return seen;
        }

        public void OnNext(DiagnosticListener value)
        {
            if (value.Name == DbLoggerCategory.Name)
            {
                _subscriptions.Add(value.Subscribe(this));
            }
        }

        public void OnNext(KeyValuePair<string, object?> value)
        {
            if (value is { Key: var name, Value: CommandEventData command } && name == RelationalEventId.CommandExecuting.Name)
            {
                _ofThisCall.Value?.Add(command.Command.CommandText);
            }
        }

        public void OnCompleted() { }

        public void OnError(Exception error) { }

        public void Dispose() => _subscriptions.ForEach(subscription => subscription.Dispose());
    }
}
