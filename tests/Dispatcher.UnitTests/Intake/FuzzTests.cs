using System.Text;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Microsoft.Extensions.Options;

namespace Dispatcher.UnitTests.Intake;

/// <summary>The reader answers any bytes with a job or with errors. The seeds are fixed; a failure prints the body.</summary>
public sealed class FuzzTests
{
    private static readonly string[] Snippets =
    [
        "\\ud800",
        "\\udc00",
        "\\u0000",
        "\0",
        "\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "null",
        "1e999",
        "-",
        "\"topic\":",
        "\"labels\":{",
        "\"job_id\":\"",
        "\"\\ud800\":1,\"\\ud800\":2,",
        "\"not_after\":\"9999-12-31T23:59:59+00:00\"",
        "\"not_after\":\"9999-12-31T23:59:59-23:59\"",
        "\u00E9",
        "😀",
        "\"message\":",
        "9223372036854775808",
        "\\",
        "\"\":",
        "\n",
    ];

    private static readonly byte[][] Seeds =
    [
        .. SampleMessages
            .All()
            .Where(sample => sample.Name.StartsWith(nameof(SubmitJob), StringComparison.Ordinal))
            .Select(sample => Encoding.UTF8.GetBytes(sample.Json)),
        "{\"message\":{\"topic\":\"job.repo.read\",\"payload\":{\"a\":\"\\u00e9\"}},\"messageType\":[]}"u8.ToArray(),
        "{\"topic\":\"job.repo.read\",\"payload\":{\"a\":[{\"b\":\"\\ud83d\\ude00\"}]},\"not_after\":\"2026-04-01T12:00:00Z\"}"u8.ToArray(),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Reader_never_throws_on_a_mutated_submission(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 10_000; i++)
        {
            AnswersWithJobOrErrors(Mutated(Seeds[random.Next(Seeds.Length)], random), random);
        }
    }

    [Fact]
    public void Reader_never_throws_on_random_bytes()
    {
        var random = new Random(3);
        for (var i = 0; i < 5_000; i++)
        {
            var body = new byte[random.Next(64)];
            random.NextBytes(body);
            AnswersWithJobOrErrors(body, random);
        }
    }

    [Fact]
    public void Mutations_yield_jobs_and_errors()
    {
        var random = new Random(1);
        var accepted = Enumerable.Range(0, 2_000).Count(_ => new ASubmission(Mutated(Seeds[^1], random)).Read().Submission is not null);

        Assert.InRange(accepted, 50, 1_950);
    }

    private static byte[] Mutated(byte[] seed, Random random)
    {
        var body = seed.ToList();
        for (var changes = random.Next(1, 3); changes > 0 && body.Count > 0; changes--)
        {
            var at = random.Next(body.Count);
            switch (random.Next(5))
            {
                case 0:
                    body[at] = (byte)random.Next(256);
                    break;
                case 1:
                    body.RemoveRange(at, Math.Min(random.Next(1, 20), body.Count - at));
                    break;
                case 2:
                    body.InsertRange(at, body.GetRange(at, Math.Min(random.Next(1, 40), body.Count - at)));
                    break;
                case 3:
                    body.InsertRange(at, Encoding.UTF8.GetBytes(Snippets[random.Next(Snippets.Length)]));
                    break;
                default:
                    body[at] = (byte)random.Next('a', 'z' + 1);
                    break;
            }
        }

        return [.. body];
    }

    private static void AnswersWithJobOrErrors(byte[] body, Random random)
    {
        var source = new SubmissionSource
        {
            Channel = "amqp",
            Principal = random.Next(10) == 0 ? null : "billing",
            MessageId = random.Next(3) == 0 ? null : "m-1",
            RoutingKey = random.Next(3) == 0 ? "job.repo.read" : null,
            ContentType = random.Next(3) == 0 ? "application/vnd.masstransit+json" : null,
        };
        var errors = new List<InputError>();
        try
        {
            var submission = new SubmissionReader(Options.Create(new IntakeOptions())).Read(body, source, errors);
            Assert.Equal(submission is null, errors.Count > 0);
        }
        catch (Exception thrown) when (thrown is not Xunit.Sdk.XunitException)
        {
            Assert.Fail($"{thrown.GetType()} for {Convert.ToBase64String(body)} ({Encoding.UTF8.GetString(body)}): {thrown}");
        }
    }
}
