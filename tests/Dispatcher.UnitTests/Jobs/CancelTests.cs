using Dispatcher.Contracts;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Jobs;

public sealed class CancelTests
{
    /// <summary>The job belongs to <c>billing</c>.</summary>
    [Theory]
    [InlineData(Role.Producer, "billing", 202)]
    [InlineData(Role.Worker, "billing", 202)]
    [InlineData(Role.Approver, "billing", 202)]
    [InlineData(Role.Operator, "ann", 202)]
    [InlineData(Role.Admin, "ann", 202)]
    [InlineData(Role.Approver, "ann", 403)]
    [InlineData(Role.Producer, "shipping", 404)]
    [InlineData(Role.Worker, "host-1", 404)]
    [InlineData("worker:main", "host-1", 404)]
    public async Task Only_its_own_principal_operators_and_admins_cancel_a_job(string role, string subject, int expected)
    {
        await using var server = await AServer.MigratedAsync();
        var job = AJob.ToTest().In(JobState.Cancelled).CancelRequested().Stored;
        await server.StoreAsync(job);

        var (status, _) = await server.AskAsync("POST", "/api/jobs/{jobId:guid}/cancel", ACaller.With(role, subject), id: job.JobId);

        Assert.Equal(expected, status);
    }
}
