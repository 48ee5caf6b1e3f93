using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Schemas;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads <c>topics.yaml</c>: pools and the registry of job classes.</summary>
internal sealed class TopicsReader(ErrorList errors, SchemaFolder schemas)
{
    private static readonly TimeSpan Millisecond = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Tenth = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan TwoMinutes = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan FiveMinutes = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);
    private static readonly TimeSpan Day = TimeSpan.FromHours(24);
    private static readonly TimeSpan Week = TimeSpan.FromDays(7);

    private readonly List<Pool> _pools = [];
    private readonly List<CompiledTopic> _topics = [];
    private readonly List<string> _unread = [];
    private TimeSpan _longestRun;

    public IReadOnlyList<Pool> Pools => _pools;

    public IReadOnlyList<CompiledTopic> Topics => _topics;

    /// <summary>Topics whose entries could not be read.</summary>
    public IReadOnlyList<string> UnreadTopics => _unread;

    /// <summary>Reads the file. False: no topic could be read.</summary>
    public bool Read(BundleFile file)
    {
        var yaml = YamlReader.Read(file, errors);
        _unread.AddRange(TopicsInText.In(yaml.Skipped).Select(pattern => pattern.Text));
        schemas.MarkUsedIn(yaml.Skipped);
        if (
            yaml.Root is not { } root
            || Fields.Of(root, BundlePaths.Topics, errors, "version", "longest_run", "pools", "topics") is not { } fields
        )
        {
            return false;
        }

        fields.NeedText("version", Patterns.Version(), Patterns.VersionWords);
        _longestRun = fields.Duration("longest_run", TimeSpan.FromMinutes(25), Second, Day);
        foreach (var entry in Fields.Named(fields.Need("pools"), "pools", errors))
        {
            ReadPool(entry);
        }

        foreach (var entry in Fields.Named(fields.Need("topics"), "topics", errors))
        {
            ReadTopic(entry);
        }

        return _topics.Count > 0;
    }

    private void ReadPool(YamlEntry entry)
    {
        var name = Scalars.Text(entry.Key, "a pool", Patterns.Name(), Patterns.NameWords, errors);
        var fields = Fields.Of(entry.Value, $"pool {entry.Key.Text}", errors, "enforcers");
        _pools.Add(
            new Pool
            {
                Name = name ?? entry.Key.Text,
                Enforcers = fields?.Get("enforcers") is { } enforcers ? ConstraintReader.Names(enforcers, "enforcers", errors) : [],
                Where = entry.Key.Where,
                IsBroken = errors.IsBroken(entry.Value),
            }
        );
    }

    private void ReadTopic(YamlEntry entry)
    {
        var topic = Scalars.Text(entry.Key, "a topic", Patterns.Topic(), Patterns.TopicWords, errors);
        var fields = Fields.Of(
            entry.Value,
            $"topic {entry.Key.Text}",
            errors,
            "pool",
            "owner",
            "risk",
            "idempotent",
            "timeouts",
            "max_attempts",
            "backoff",
            "faults",
            "tags",
            "labels",
            "schema"
        );
        if (fields is null)
        {
            _unread.Add(entry.Key.Text);
            return;
        }

        var pool = ReadPoolOf(fields);
        var owner = fields.NeedText("owner", Patterns.Name(), Patterns.NameWords);
        var schema = fields.Get("schema");
        var schemaFile = schema is null
            ? null
            : Scalars.Text(schema, "schema", Patterns.SchemaFileName(), Patterns.SchemaFileWords, errors);
        var timeouts = fields.Get("timeouts") is { } limits ? Fields.Of(limits, "timeouts", errors, KeyHints.TimeoutsKeys) : null;
        var backoff = fields.Get("backoff") is { } pauses ? Fields.Of(pauses, "backoff", errors, KeyHints.BackoffKeys) : null;
        var first = backoff?.Duration("first", Second, Millisecond, Hour) ?? Second;
        var tags = fields.Get("tags") is { } node ? Fields.Of(node, "tags", errors, KeyHints.TagsKeys) : null;
        JobClass jobClass = new()
        {
            Topic = topic ?? entry.Key.Text,
            Pool = pool.Name,
            Owner = owner ?? "",
            Risk = fields.Word("risk", "high", "medium", "low"),
            Tags = tags?.Set("always") ?? [],
            OptionalTags = OptionalTags(fields.Get("tags"), tags),
            Labels = LabelReader.Read(fields.Get("labels"), errors),
            StartWithin = timeouts?.Duration("start", TimeSpan.FromSeconds(60), Second, Day) ?? TimeSpan.FromSeconds(60),
            RunWithin = RunWithin(timeouts),
            HeartbeatEvery = timeouts?.Duration("heartbeat", TimeSpan.FromSeconds(5), Tenth, Hour) ?? TimeSpan.FromSeconds(5),
            OverallWithin = timeouts?.Duration("overall", Day, Second, Week) ?? Day,
            Idempotent = fields.Flag("idempotent"),
            MaxAttempts = (int)(
                (fields.Get("max_attempts") is { } most ? Scalars.Number(most, "max_attempts", 1, 100, errors) : null) ?? 3
            ),
            FirstPause = first,
            LongestPause = LongestPause(backoff, first),
            Faults = FaultReader.Read(fields.Get("faults"), errors),
            Schema = schemaFile,
        };
        var payloads = schemaFile is null ? null : schemas.Named(schema!);
        if (topic is null)
        {
            // A rule that names the topic means this entry, even if its name is invalid.
            _unread.Add(entry.Key.Text.ToLowerInvariant());
            return;
        }
        _topics.Add(
            new CompiledTopic
            {
                JobClass = jobClass,
                Pool = pool,
                Schema = payloads,
                Where = entry.Key.Where,
                Broken = fields.Broken,
                HasAllLabels = fields.Get("labels") is not { } labels || HasAllEntries(labels),
                DefaultTimeouts = [.. KeyHints.TimeoutsKeys.Where(name => timeouts?.Get(name) is null)],
                ContentHash = HashOf(entry),
            }
        );
    }

    /// <summary>
    /// Reads the limit of a run. During a run its worker holds a delivery unacknowledged, so a limit above the broker's consumer timeout
    /// must be set in two places.
    /// </summary>
    private TimeSpan RunWithin(Fields? timeouts)
    {
        var run = timeouts?.Duration("run", TwoMinutes, Tenth, Day) ?? TwoMinutes;
        if (run > _longestRun && timeouts?.Get("run") is { } node)
        {
            errors.Add(
                node,
                BundleErrorCodes.BadValue,
                $"run is {node.Text}; allowed: at most {_longestRun.TotalSeconds:0}s, which is this registry's longest_run.",
                "shorten it, or raise longest_run; over 25m raise the broker's consumer_timeout with it."
            );
        }

        return run < _longestRun ? run : _longestRun;
    }

    private TimeSpan LongestPause(Fields? backoff, TimeSpan first)
    {
        var usual = first > FiveMinutes ? first : FiveMinutes;
        var most = backoff?.Duration("most", usual, Millisecond, Day) ?? usual;
        if (most < first && backoff?.Get("most") is { } node)
        {
            errors.Add(
                node,
                BundleErrorCodes.BadValue,
                $"most is {node.Text}, and the first pause is {first.TotalSeconds:0.###}s; allowed: at least as long.",
                "raise most, or shorten first."
            );
        }

        return most;
    }

    /// <summary>The optional tags. If the tags have an error, each of them may be intended as optional.</summary>
    private IReadOnlyList<string> OptionalTags(YamlNode? node, Fields? tags)
    {
        var optional = tags?.Set("optional") ?? [];
        return node is not null && errors.IsBroken(node) ? [.. optional.Union(node.Texts(), StringComparer.Ordinal)] : optional;
    }

    /// <summary>The named pool, or the nearest one. An undeterminable pool is treated as one that may enforce anything.</summary>
    private Pool ReadPoolOf(Fields fields)
    {
        var name = fields.Need("pool") is { } node ? Scalars.Text(node, "pool", errors) : null;
        if (name is not null && !_pools.Exists(pool => pool.Name == name))
        {
            name = errors.AddUnknown(
                fields.Get("pool")!,
                BundleErrorCodes.UnknownPool,
                "pool",
                [.. _pools.Select(known => known.Name)],
                "write one of these, or add it under 'pools'."
            );
        }

        return _pools.Find(pool => pool.Name == name)
            ?? new Pool
            {
                Name = name ?? "",
                Enforcers = [],
                IsBroken = true,
            };
    }

    /// <summary>False: the file may have a label that is missing here.</summary>
    private static bool HasAllEntries(YamlNode labels) =>
        labels.Kind == NodeKind.Map && (labels.IsWhole || !labels.Entries.All(entry => entry.Value.IsWhole));

    private static byte[] HashOf(YamlEntry entry)
    {
        using CanonicalHash hash = new("dispatcher/topic/v1");
        hash.Add(entry.Key.Text);
        entry.Value.AddTo(hash);
        return hash.Finish();
    }
}
