using System.Linq.Expressions;
using System.Reflection;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Jobs;

/// <summary>
/// Reads jobs without their payloads. Each payload has up to 256 KiB, so that a batch of whole rows takes tens of megabytes; only the
/// policy, the work message and the view of one job need them. A job that was read so has an empty payload: its hash does not fit any
/// more, and the policy denies it.
/// </summary>
internal static class JobsWithoutPayload
{
    private static readonly Expression<Func<Job, Job>> Rest = AllBut(nameof(Job.Payload));

    public static IQueryable<Job> WithoutPayload(this IQueryable<Job> jobs) => jobs.AsNoTracking().Select(Rest);

    private static Expression<Func<Job, Job>> AllBut(string left)
    {
        var job = Expression.Parameter(typeof(Job), "job");
        var stored = typeof(Job).GetProperties(BindingFlags.Public | BindingFlags.Instance);
        var members = stored.Select(property =>
            Expression.Bind(property, property.Name == left ? Expression.Constant(Array.Empty<byte>()) : Expression.Property(job, property))
        );
        return Expression.Lambda<Func<Job, Job>>(Expression.MemberInit(Expression.New(typeof(Job)), members), job);
    }
}
