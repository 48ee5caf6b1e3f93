using System.Collections.Frozen;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Explaining;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Loading;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies;

/// <summary>A loaded set of policy files. Never changes; any number of threads may use it.</summary>
public sealed class Bundle
{
    private readonly Evaluator _evaluator;

    internal Bundle(BundleContent content, IReadOnlyList<BundleFile> files)
    {
        JobClasses = content.Topics.ToFrozenDictionary(topic => topic.JobClass.Topic, topic => topic.JobClass, StringComparer.Ordinal);
        Pools = content.Pools.ToFrozenDictionary(pool => pool.Name, StringComparer.Ordinal);
        Hash = BundleArchive.Hash(files);
        Archive = BundleArchive.Pack(files);
        _evaluator = new Evaluator(content, Hash);
    }

    /// <summary>
    /// SHA-256 of the bundle, 64 lower-case hex digits. Its canonical form is the text <c>dispatcher/bundle/v1</c> and then path and bytes of each file under
    /// <c>rules/</c> and <c>schemas/</c> and of <c>topics.yaml</c>, sorted by path (ordinal), each value with its length in front as 8 bytes, big-endian. So a comment
    /// changes the hash, and a file under <c>cases/</c> does not.
    /// </summary>
    public string Hash { get; }

    /// <summary>
    /// The files that <see cref="Hash"/> covers, as UTF-8 JSON: <c>{"v":1,"files":[{"path":"rules/prod.yaml","content":"base64"}]}</c>. Equal hashes have equal
    /// archives. Store it under the hash, and any process can load the very same bundle with <see cref="FromArchive(ReadOnlyMemory{byte})"/>.
    /// </summary>
    public ReadOnlyMemory<byte> Archive { get; }

    /// <summary>The registry: every known topic with its entry.</summary>
    public IReadOnlyDictionary<string, JobClass> JobClasses { get; }

    /// <summary>The pools by name.</summary>
    public IReadOnlyDictionary<string, Pool> Pools { get; }

    /// <summary>Loads a bundle whole or not at all. Bad content is never thrown but listed, all of it at once.</summary>
    public static BundleLoad Load(IReadOnlyList<BundleFile> files)
    {
        ErrorList errors = new();
        try
        {
            var content = BundleReader.Read(files, errors);
            return errors.Count > 0 ? new BundleLoad(null, errors.Errors) : new BundleLoad(new Bundle(content, files), []);
        }
#pragma warning disable CA1031 // Fail closed and aloud: what throws here would be a failed round of a loop, and nobody would be told that the folder is broken.
        catch (Exception error)
#pragma warning restore CA1031
        {
            errors.Add(
                "bundle",
                BundleErrorCodes.LoadFailed,
                $"loading failed inside: {error.GetType().Name}: {error.Message}",
                "undo the last change, and report it: bad content should be named by its line."
            );
            return new BundleLoad(null, errors.Errors);
        }
    }

    /// <summary>Loads a bundle from what another process got from <see cref="Archive"/>. It has the same hash.</summary>
    public static BundleLoad FromArchive(ReadOnlyMemory<byte> archive)
    {
        ErrorList errors = new();
        return BundleArchive.Unpack(archive, errors) is { } files ? Load(files) : new BundleLoad(null, errors.Errors);
    }

    /// <summary>As <see cref="FromArchive(ReadOnlyMemory{byte})"/>, but only a bundle that has this <see cref="Hash"/>: a store may have been changed by hand.</summary>
    public static BundleLoad FromArchive(ReadOnlyMemory<byte> archive, string hash)
    {
        var load = FromArchive(archive);
        if (load.Bundle is null || load.Bundle.Hash == hash)
        {
            return load;
        }

        ErrorList errors = new();
        errors.Add(
            "archive",
            BundleErrorCodes.BadArchive,
            $"it holds bundle {load.Bundle.Hash}; allowed: {hash}, under which it is kept.",
            "put the bundle in force again from its folder, and find out who changed the archive."
        );
        return new BundleLoad(null, errors.Errors);
    }

    /// <summary>Decides one job. A pure function of the bundle and its arguments.</summary>
    /// <param name="job">What is known of the job.</param>
    /// <param name="now">The time by the store's clock: which rules are in effect.</param>
    /// <returns>Always a decision: what goes wrong inside is a DENY with <see cref="ReasonCodes.EngineError"/>.</returns>
    public Decision Decide(JobFacts job, DateTimeOffset now)
    {
        try
        {
            return _evaluator.Decide(job, now);
        }
#pragma warning disable CA1031 // Fail closed: a job that cannot be judged is denied, whatever the reason, and the caller goes on with the next one.
        catch (Exception error)
#pragma warning restore CA1031
        {
            return Failed(error);
        }
    }

    /// <summary>Decides as <see cref="Decide"/> does, and tells how it came about: every rule with the first condition that failed, and the merge.</summary>
    /// <returns>Always an explanation: what goes wrong inside is that of the denial that <see cref="Decide"/> gives then.</returns>
    public Explanation Explain(JobFacts job, DateTimeOffset now)
    {
        try
        {
            return Explainer.Of(_evaluator, job, now);
        }
#pragma warning disable CA1031 // As above: whoever asks why a job was denied must be told that it was this.
        catch (Exception error)
#pragma warning restore CA1031
        {
            return Explainer.OfRefusal(Failed(error), job?.Labels ?? FrozenDictionary<string, string>.Empty, job?.RiskTags ?? []);
        }
    }

    /// <inheritdoc cref="Evaluator.DecideByScan"/>
    internal Decision DecideByScan(JobFacts job, DateTimeOffset now) => _evaluator.DecideByScan(job, now);

    private Decision Failed(Exception error) => Decision.Denied(ReasonCodes.EngineError, Hash) with { Detail = error.GetType().Name };
}
