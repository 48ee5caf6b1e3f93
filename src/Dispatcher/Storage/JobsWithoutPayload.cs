using System.Linq.Expressions;
using System.Reflection;
using Dispatcher.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Storage;

/// <summary>
/// Reads jobs without their large columns. A payload has up to 256 KiB and a result up to 64 KiB, so a batch of whole rows takes tens of
/// megabytes. Only the policy, the work message and the view of one job need the payload. Only the view and the final reply need the
/// result.
/// A job that is read without its payload does not match its hash, so the policy denies it.
/// </summary>
internal static class JobsWithoutPayload
{
    private static readonly Expression<Func<Job, Job>> NoPayload = AllBut(nameof(Job.Payload));
    private static readonly Expression<Func<Job, Job>> NoResult = AllBut(nameof(Job.Result));
    private static readonly Expression<Func<Job, Job>> Neither = AllBut(nameof(Job.Payload), nameof(Job.Result));

    /// <summary>The payload is empty.</summary>
    public static IQueryable<Job> WithoutPayload(this IQueryable<Job> jobs) => jobs.AsNoTracking().Select(NoPayload);

    /// <summary>The result is null.</summary>
    public static IQueryable<Job> WithoutResult(this IQueryable<Job> jobs) => jobs.AsNoTracking().Select(NoResult);

    /// <summary>
    /// The payload is empty and the result null. A job that has not ended has no result, so a move of this row loses nothing.
    /// </summary>
    public static IQueryable<Job> WithoutPayloadAndResult(this IQueryable<Job> jobs) => jobs.AsNoTracking().Select(Neither);

    private static Expression<Func<Job, Job>> AllBut(params string[] omitted)
    {
        var job = Expression.Parameter(typeof(Job), "job");
        var stored = typeof(Job).GetProperties(BindingFlags.Public | BindingFlags.Instance);
        var members = stored.Select(property =>
            Expression.Bind(property, omitted.Contains(property.Name) ? Empty(property.Name) : Expression.Property(job, property))
        );
        return Expression.Lambda<Func<Job, Job>>(Expression.MemberInit(Expression.New(typeof(Job)), members), job);
    }

    private static ConstantExpression Empty(string name) =>
        Expression.Constant(name == nameof(Job.Payload) ? Array.Empty<byte>() : null, typeof(byte[]));
}
