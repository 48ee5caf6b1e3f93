using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Dispatcher.Worker;

/// <summary>How one pool is served. One set for each pool of the process, checked at start.</summary>
public sealed class WorkerOptions
{
    private static readonly string OfThisProcess =
        $"{Environment.MachineName}/{Environment.ProcessId}/{RandomNumberGenerator.GetHexString(6, lowercase: true)}";

    /// <summary>The broker, for example <c>amqp://shell:secret@mq:5672/</c>; <c>amqps</c> for TLS. No default: it holds a secret. Required unless a transport is registered.</summary>
    public Uri? RabbitMq { get; set; }

    /// <summary>The dispatcher's HTTP address, for example <c>http://dispatcher:8080</c>, for claims and heartbeats. No default. Required unless a transport is registered.</summary>
    public Uri? Dispatcher { get; set; }

    /// <summary>The key for claims and heartbeats; its subject must be the broker user, since outcomes are only taken from who claimed. No default: a secret. Required unless a transport is registered.</summary>
    public string? ApiKey { get; set; }

    /// <summary>
    /// How many runs at the same time, 1 to 1,024. Default twice the cores: most handlers wait more than they compute. Twice as many messages are held,
    /// so that a free slot finds the next one here; when none becomes free for a second they are returned, for another worker to take.
    /// </summary>
    [Range(1, 1024)]
    public int Concurrency { get; set; } = 2 * Environment.ProcessorCount;

    /// <summary>
    /// The name in claims and on the timeline, 1 to 128 characters. It must be new for each process: under the name of one that died, its runs count as those of a live one and
    /// take its places. Default <c>host/pid/6 random hex digits</c>: a container that is started again in its place keeps its host name and its pid.
    /// </summary>
    [Required]
    [StringLength(128, MinimumLength = 1)]
    public string Instance { get; set; } = OfThisProcess;

    /// <summary>What it says its version is, 1 to 128 characters. Default: the version of the program.</summary>
    [Required]
    [StringLength(128, MinimumLength = 1)]
    public string Version { get; set; } = Assembly.GetEntryAssembly()?.GetName().Version?.ToString() ?? "0";

    /// <summary>
    /// Whether other instances use the same key and broker user on purpose. Default false: when two do, the dispatcher flags the credential as shared, since nobody could tell
    /// their work apart.
    /// </summary>
    public bool SharedCredential { get; set; }

    /// <summary>
    /// Where guarded effects are kept: a PostgreSQL connection string (with <c>Host=</c>), a <c>postgres://</c> URL, or the path of an SQLite file, which only one process may use.
    /// Every worker of the pool must name the same store. Default null: no store, and a handler that uses effects faults with <c>effects_unavailable</c>.
    /// Tables <c>dispatcher_effects</c> and <c>dispatcher_effect_fences</c> are made at start when they are missing.
    /// </summary>
    public string? EffectStore { get; set; }

    /// <summary>
    /// The most of a result that is kept, in bytes of UTF-8, 1 KiB to 512 KiB. Default 64 KiB, as the server stores. A constraint can only tighten it.
    /// The upper limit lets every outcome fit into one batch of 1 MiB.
    /// </summary>
    [Range(1024, 512 * 1024)]
    public int MaxOutputBytes { get; set; } = 64 * 1024;

    /// <summary>
    /// How long running handlers may go on when the worker stops, 0 to 10 min, from the stop on. Default 20 s: fits the 30 s most orchestrators give before they kill. Then they
    /// are cancelled: a job that may be repeated is tried again; one that must not be is a dead letter, <c>in_doubt</c>. Give such jobs the time they take.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan StopGrace { get; set; } = TimeSpan.FromSeconds(20);
}

/// <summary>The ranges written on <see cref="WorkerOptions"/>.</summary>
[OptionsValidator]
internal sealed partial class WorkerOptionsValidator : IValidateOptions<WorkerOptions>;
