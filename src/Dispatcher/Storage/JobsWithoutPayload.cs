using System.Linq.Expressions;
using System.Reflection;
using Dispatcher.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Storage;

/// <summary>
/// Reads jobs without their payloads. A payload has up to 256 KiB, so a batch of whole rows takes tens of megabytes. Only the policy, the
/// work message and the view of one job need it. A job that is read without it has an empty payload: its hash no longer matches, so the
/// policy denies it.
/// </summary>
internal static class JobsWithoutPayload
{
    private static readonly Expression<Func<Job, Job>> Rest = AllBut(nameof(Job.Payload));

    public static IQueryable<Job> WithoutPayload(this IQueryable<Job> jobs) => jobs.AsNoTracking().Select(Rest);

    private static Expression<Func<Job, Job>> AllBut(string omitted)
    {
        var job = Expression.Parameter(typeof(Job), "job");
        var stored = typeof(Job).GetProperties(BindingFlags.Public | BindingFlags.Instance);
        var members = stored.Select(property =>
            Expression.Bind(
                property,
                property.Name == omitted ? Expression.Constant(Array.Empty<byte>()) : Expression.Property(job, property)
            )
        );
        return Expression.Lambda<Func<Job, Job>>(Expression.MemberInit(Expression.New(typeof(Job)), members), job);
    }
}
