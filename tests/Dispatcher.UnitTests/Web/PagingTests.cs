using Dispatcher.Jobs;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Web;

public sealed class PagingTests
{
    private const string Id = "0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11";

    private static readonly string[] BadCursors =
    [
        "",
        "x",
        "1",
        "1_2",
        "_" + Id,
        "-1_" + Id,
        " 1_" + Id,
        $"1_{{{Id}}}",
        $"1_{Id}_",
        "1_" + Id + "%00",
    ];
    private static readonly string[] BadLimits = ["0", "-1", "501"];

    public static TheoryData<string, string, string> BadQueries()
    {
        var queries = new TheoryData<string, string, string>
        {
            { "/api/jobs/", "?topic=a%00", "nul_character ?topic" },
            { "/api/jobs/", "?principal=%00", "nul_character ?principal" },
            { "/api/jobs/", "?state=gone", "unknown_state ?state" },
        };
        foreach (var list in new[] { "/api/jobs/", "/api/dead-letters/" })
        {
            queries.AddRange([.. BadCursors.Select(cursor => (list, "?cursor=" + cursor, "bad_cursor ?cursor"))]);
            queries.AddRange([.. BadLimits.Select(limit => (list, "?limit=" + limit, "bad_limit ?limit"))]);
        }

        return queries;
    }

    [Theory]
    [MemberData(nameof(BadQueries))]
    public async Task List_refuses_an_invalid_query(string list, string query, string error)
    {
        await using var server = await AServer.MigratedAsync();

        var (status, body) = await server.AskAsync("GET", list, ACaller.With(Role.Operator), query);

        Assert.Equal(StatusCodes.Status400BadRequest, status);
        Assert.Equal([error], AServer.Errors(body));
    }

    [Theory]
    [InlineData("/api/jobs/", "heldd", "held")]
    [InlineData("/api/approvals/", "consumd", "consumed")]
    public async Task Unknown_state_is_answered_with_the_nearest_one(string list, string state, string nearest)
    {
        await using var server = await AServer.MigratedAsync();

        var (_, body) = await server.AskAsync("GET", list, ACaller.With(Role.Operator), "?state=" + state);

        var fix = body.GetProperty("errors")[0].GetProperty("fix").GetString();
        Assert.StartsWith($"Did you mean \"{nearest}\"? Allowed: ", fix, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/jobs/")]
    [InlineData("/api/dead-letters/")]
    public async Task Pages_list_every_row_once_newest_first(string list)
    {
        await using var server = await AServer.MigratedAsync();
        var ids = Enumerable.Range(1, 5).Select(i => new Guid($"0197f3a0-0000-7000-8000-00000000000{i}")).ToList();
        await server.StoreAsync([
            .. ids.Select((id, i) => AJob.ToTest().With(job => job with { JobId = id, CreatedAt = 100 + (i / 2) }).Stored),
        ]);
        await server.StoreAsync([.. ids.Select((id, i) => ALetter(id, 100 + (i / 2)))]);

        var seen = new List<Guid>();
        var query = "?limit=2";
        for (var pages = 0; query is not null && pages < 5; pages++)
        {
            var page = (await server.AskAsync("GET", list, ACaller.With(Role.Operator), query)).Body;
            seen.AddRange(
                page.GetProperty("items")
                    .EnumerateArray()
                    .Select(item => item.GetProperty(list == "/api/jobs/" ? "job_id" : "dead_letter_id").GetGuid())
            );
            query = page.GetProperty("next").GetString() is { } next ? $"?limit=2&cursor={next}" : null;
        }

        Assert.Equal(Enumerable.Reverse(ids), seen);
    }

    [Fact]
    public void Cursor_survives_a_round_trip()
    {
        var cursor = new Cursor(1_775_044_800_000_000, Guid.Parse(Id));

        Assert.Equal(cursor, Cursor.Read(cursor.ToString()));
    }

    private static DeadLetter ALetter(Guid id, long at) =>
        new()
        {
            DeadLetterId = id,
            At = at,
            FaultClass = "malformed",
            Owner = "dispatcher",
            Topic = "unknown",
            Principal = "billing",
            Errors = [],
        };
}
