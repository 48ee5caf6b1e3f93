using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Enforcement;

/// <summary>Looks up persons and groups in the API keys of the server. Persons and groups named in a request are never trusted.</summary>
internal sealed class Approvers(IDbContextFactory<DispatcherDb> database)
{
    /// <summary>Reads one round of a job's approval. Null: the round does not exist.</summary>
    public async Task<Approval?> RoundAsync(Guid jobId, int round, CancellationToken cancellationToken)
    {
        var id = Approval.IdOf(jobId, round);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.Approvals.AsNoTracking().SingleOrDefaultAsync(row => row.CorrelationId == id, cancellationToken);
    }

    /// <summary>
    /// The persons who approved and may still vote, with the present groups of their keys. A person whose key was revoked or lost its role
    /// is left out.
    /// </summary>
    public async Task<IReadOnlyList<Voter>> CurrentVotersAsync(Approval approval, CancellationToken cancellationToken)
    {
        var votes = approval.Votes.Where(vote => vote.Verdict == Vote.Approve && vote.Person.Length > 0).ToList();
        var subjects = votes.ConvertAll(vote => vote.Subject);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var keys = await db
            .ApiKeys.AsNoTracking()
            .Where(key => subjects.Contains(key.Subject) && key.RevokedAt == null)
            .ToListAsync(cancellationToken);
        return
        [
            .. votes
                .Select(vote =>
                    (
                        vote.Person,
                        Keys: keys.Where(key => key.Subject == vote.Subject && key.Person == vote.Person && Role.MayVote(key.Roles))
                            .ToList()
                    )
                )
                .Where(voter => voter.Keys.Count > 0)
                .Select(voter => new Voter(voter.Person, voter.Keys.SelectMany(key => key.Groups).ToHashSet(StringComparer.Ordinal))),
        ];
    }

    /// <summary>
    /// The persons behind each principal: the principal itself, and every person that one of its keys or bindings ever named.
    /// </summary>
    public async Task<ILookup<string, string>> PeopleByPrincipalAsync(IReadOnlyList<string> principals, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var keys = await db
            .ApiKeys.Where(key => principals.Contains(key.Subject) && key.Person != "")
            .Select(key => new { key.Subject, key.Person })
            .ToListAsync(cancellationToken);
        return keys.Select(key => (key.Subject, key.Person))
            .Concat(principals.Select(principal => (Subject: principal, Person: principal)))
            .ToLookup(pair => pair.Subject, pair => pair.Person, StringComparer.Ordinal);
    }
}
