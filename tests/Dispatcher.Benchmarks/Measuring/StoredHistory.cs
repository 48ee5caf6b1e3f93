using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Staging;
using Npgsql;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>
/// A database with many finished jobs. A few run through the server; the others are copies of one of them, inserted by statements over
/// whole sets: its row, its timeline entries, and a seal for each entry. Their seals have a hash that <c>audit verify</c> refuses;
/// nothing else reads it.
/// </summary>
internal static class StoredHistory
{
    private const int Real = 200;

    private const string Jobs = """
        insert into jobs
        select r.*
        from jobs j,
            generate_series(1, $1) i,
            lateral (select j.created_at - $1 * 20000 + i * 20000 - 60000000 as at) t,
            lateral jsonb_populate_record(j, jsonb_build_object(
                'job_id', (lpad(to_hex(t.at / 1000), 12, '0') || '7' || left(md5(i::text), 3) || '8' || right(md5(i::text), 15))::uuid,
                'job_hash', encode(sha256(i::text::bytea), 'hex'),
                'created_at', t.at, 'ready_at', t.at, 'start_by', t.at + 120000000, 'run_until', t.at + 60000000,
                'updated_at', t.at + 30000, 'finished_at', t.at + 30000)) r
        where j.job_id = (select job_id from jobs where state = 'succeeded' order by job_id limit 1)
        """;

    private const string Timeline = """
        insert into timeline (job_id, at, kind, attempt, actor, detail)
        select j.job_id, j.created_at + e.step * 10000, e.kind, e.attempt, e.actor, e.detail
        from (select job_id, created_at from jobs where created_at < $1 order by created_at) j,
            (select row_number() over (order by entry_id) - 1 as step, kind, attempt, actor, detail from timeline
                where job_id = (select job_id from jobs where created_at >= $1 and state = 'succeeded' order by job_id limit 1)) e
        """;

    private const string Seals = """
        insert into timeline_seals (seq, entry_id, job_id, job_previous, hash)
        select s.seq, s.entry_id, s.job_id, coalesce(lag(s.seq) over (partition by s.job_id order by s.seq), 0),
            sha256(s.entry_id::text::bytea)
        from (
            select (select max(seq) from timeline_seals) + row_number() over (order by entry_id) as seq, entry_id, job_id
            from timeline where entry_id > (select max(entry_id) from timeline_seals)) s
        """;

    /// <summary>Makes a database of this name, which stays until the servers end. Returns the name.</summary>
    public static async Task<string> MakeAsync(
        PrivateServers servers,
        BrokerAdmin broker,
        string name,
        int jobs,
        CancellationToken cancellationToken
    )
    {
        await Stage.MakeDatabaseAsync(servers, name, cancellationToken);
        await using (var stage = await Stage.MakeAsync(servers, broker, cancellationToken, name))
        {
            var since = await StoredJobs.NowAsync(stage, cancellationToken);
            await RunAsync(stage, Real, cancellationToken);
            await FillAsync(stage.Postgres, jobs - Real, since, cancellationToken);
        }

        // The server reads the new seals once, which is no cost of a job.
        await using var settling = await Stage.MakeAsync(servers, broker, cancellationToken, name);
        await RunAsync(settling, 1, cancellationToken);
        return name;
    }

    private static async Task RunAsync(Stage stage, int jobs, CancellationToken cancellationToken)
    {
        await using var running = await OursContestant.StartAsync(stage, new OursSetup(), cancellationToken);
        await using var publisher = await JobPublisher.ConnectAsync(stage, running, cancellationToken);
        await publisher.RunAsync(jobs, cancellationToken);
        await running.SettleAsync(jobs, cancellationToken);
    }

    private static async Task FillAsync(string postgres, int jobs, long since, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(postgres + ";Pooling=false;Options=-c work_mem=256MB -c synchronous_commit=off");
        await connection.OpenAsync(cancellationToken);
        foreach (
            var (sql, value) in new (string, object?)[] { (Jobs, (long)jobs), (Timeline, since), (Seals, null), ("vacuum analyze", null) }
        )
        {
            await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
            if (value is not null)
            {
                command.Parameters.Add(new NpgsqlParameter { Value = value });
            }

            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }
}
