using System.Collections.Frozen;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Explaining;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Loading;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies;

/// <summary>A loaded set of policy files. Immutable, and safe for concurrent use.</summary>
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
    /// SHA-256 of the bundle, 64 lower-case hex digits. The hash covers the text <c>dispatcher/bundle/v1</c>, then path and bytes of
    /// <c>topics.yaml</c> and of each file under <c>rules/</c> and <c>schemas/</c>, sorted by path (ordinal). The length of each value
    /// precedes it as 8 bytes, big-endian. A comment changes the hash; a file under <c>cases/</c> does not.
    /// </summary>
    public string Hash { get; }

    /// <summary>
    /// The files that <see cref="Hash"/> covers, as UTF-8 JSON: <c>{"v":1,"files":[{"path":"rules/prod.yaml","content":"base64"}]}</c>.
    /// Bundles with equal hashes have equal archives. Another process can load a stored archive with
    /// <see cref="FromArchive(ReadOnlyMemory{byte})"/>.
    /// </summary>
    public ReadOnlyMemory<byte> Archive { get; }

    /// <summary>The registry: every registered topic with its entry.</summary>
    public IReadOnlyDictionary<string, JobClass> JobClasses { get; }

    /// <summary>The pools by name.</summary>
    public IReadOnlyDictionary<string, Pool> Pools { get; }

    /// <summary>Loads a bundle completely or not at all. Bad content does not throw: the result lists every error.</summary>
    public static BundleLoadResult Load(IReadOnlyList<BundleFile> files)
    {
        ErrorList errors = new();
        try
        {
            var content = BundleReader.Read(files, errors);
            return errors.Count > 0 ? new BundleLoadResult(null, errors.Errors) : new BundleLoadResult(new Bundle(content, files), []);
        }
#pragma warning disable CA1031 // Fail closed: an exception would stop the reload loop without reporting the broken folder.
        catch (Exception error)
#pragma warning restore CA1031
        {
            errors.Add(
                "bundle",
                BundleErrorCodes.LoadFailed,
                $"the loader failed with {error.GetType().Name}: {error.Message}",
                "undo the last change, and report this as a defect of the loader."
            );
            return new BundleLoadResult(null, errors.Errors);
        }
    }

    /// <summary>Loads a bundle from an <see cref="Archive"/> that another process stored. The hash is the same.</summary>
    public static BundleLoadResult FromArchive(ReadOnlyMemory<byte> archive)
    {
        ErrorList errors = new();
        return BundleArchive.Unpack(archive, errors) is { } files ? Load(files) : new BundleLoadResult(null, errors.Errors);
    }

    /// <summary>
    /// As <see cref="FromArchive(ReadOnlyMemory{byte})"/>, but accepts only a bundle with this <see cref="Hash"/>: a stored archive may
    /// have been modified.
    /// </summary>
    public static BundleLoadResult FromArchive(ReadOnlyMemory<byte> archive, string hash)
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
            $"the archive contains bundle {load.Bundle.Hash}; allowed: {hash}, the hash under which it is stored.",
            "activate the bundle again from its folder, and find out how the stored archive changed."
        );
        return new BundleLoadResult(null, errors.Errors);
    }

    /// <summary>Decides one job. Pure: the result depends only on the bundle and the arguments.</summary>
    /// <param name="job">The facts of the job.</param>
    /// <param name="now">The time by the store's clock. It selects the rules that are in effect.</param>
    /// <returns>Always a decision: an exception becomes a DENY with <see cref="ReasonCodes.EngineError"/>.</returns>
    public Decision Decide(JobFacts job, DateTimeOffset now)
    {
        try
        {
            return _evaluator.Decide(job, now);
        }
#pragma warning disable CA1031 // Fail closed: a job that cannot be evaluated is denied, and the caller continues with the next job.
        catch (Exception error)
#pragma warning restore CA1031
        {
            return Failed(error);
        }
    }

    /// <summary>
    /// Decides like <see cref="Decide"/> and explains the decision: each rule with its first failed condition, and the merge.
    /// </summary>
    /// <returns>Always an explanation: after an exception, that of the denial that <see cref="Decide"/> returns then.</returns>
    public Explanation Explain(JobFacts job, DateTimeOffset now)
    {
        try
        {
            return Explainer.Of(_evaluator, job, now);
        }
#pragma warning disable CA1031 // As above: the explanation states the same engine error as the decision.
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
