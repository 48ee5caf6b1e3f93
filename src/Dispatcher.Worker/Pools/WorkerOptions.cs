using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace Dispatcher.Worker;

/// <summary>The settings of one served pool. Each pool of the process has its own set, checked at start.</summary>
public sealed class WorkerOptions
{
    private static readonly string ProcessInstance =
        $"{Environment.MachineName}/{Environment.ProcessId}/{RandomNumberGenerator.GetHexString(6, lowercase: true)}";

    /// <summary>
    /// The broker, for example <c>amqp://shell:secret@mq:5672/</c>; <c>amqps</c> for TLS. No default, because it holds a secret. Required
    /// unless a transport is registered.
    /// </summary>
    public Uri? RabbitMq { get; set; }

    /// <summary>
    /// The dispatcher's HTTP address for claims and heartbeats, for example <c>http://dispatcher:8080</c>. No default. Required unless a
    /// transport is registered.
    /// </summary>
    public Uri? Dispatcher { get; set; }

    /// <summary>
    /// The key for claims and heartbeats. Its subject must be the broker user: the dispatcher accepts an outcome only from the user that
    /// claimed the run. No default, because it is a secret. Required unless a transport is registered.
    /// </summary>
    public string? ApiKey { get; set; }

    /// <summary>
    /// Maximum number of concurrent runs, 1 to 1,024. Default twice the cores, because most handlers wait more than they compute. The
    /// worker holds twice as many messages, and up to 512 more while runs are short, so that a free slot finds the next one. When no slot
    /// becomes free for a second, it returns those that wait, for another worker to take.
    /// </summary>
    [Range(1, 1024)]
    public int Concurrency { get; set; } = 2 * Environment.ProcessorCount;

    /// <summary>
    /// The worker's name in claims and on the timeline, 1 to 128 characters. It must be new for each process: a process that reuses the
    /// name of a dead one makes its runs count as alive, and they keep occupying slots. Default <c>host/pid/6 random hex digits</c>,
    /// because a restarted container keeps its host name and its process id.
    /// </summary>
    [Required]
    [StringLength(128, MinimumLength = 1)]
    public string Instance { get; set; } = ProcessInstance;

    /// <summary>The reported version, 1 to 128 characters. Default: the version of the program.</summary>
    [Required]
    [StringLength(128, MinimumLength = 1)]
    public string Version { get; set; } = Assembly.GetEntryAssembly()?.GetName().Version?.ToString() ?? "0";

    /// <summary>
    /// True where several instances use the same key and broker user on purpose. Default false: the dispatcher flags a credential that two
    /// instances use, because it cannot distinguish their work.
    /// </summary>
    public bool SharedCredential { get; set; }

    /// <summary>
    /// The store of guarded effects: a PostgreSQL connection string (with <c>Host=</c>), a <c>postgres://</c> URL, or the path of an SQLite
    /// file, which only one process may use. Every worker of the pool must name the same store. Default null: no store, and a handler that
    /// uses effects faults with <c>effects_unavailable</c>.
    /// The worker creates the tables <c>dispatcher_effects</c> and <c>dispatcher_effect_fences</c> at start if they are missing.
    /// </summary>
    public string? EffectStore { get; set; }

    /// <summary>
    /// Maximum size of a result in UTF-8, 1 KiB to 512 KiB; a larger one is cut. Default 64 KiB, the limit of the server. A constraint can
    /// only lower it. With the upper limit every outcome fits into one batch of 1 MiB.
    /// </summary>
    [Range(1024, 512 * 1024)]
    public int MaxOutputBytes { get; set; } = 64 * 1024;

    /// <summary>
    /// How long running handlers may continue after the worker begins to stop, 0 to 10 min. Default 20 s, which fits into the 30 s that
    /// most orchestrators give before they kill. After the grace the worker cancels them: an idempotent job is retried, and any other
    /// becomes a dead letter <c>in_doubt</c>. Set the grace above the longest run of such jobs.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan StopGrace { get; set; } = TimeSpan.FromSeconds(20);
}

/// <summary>Checks the ranges that <see cref="WorkerOptions"/> declares.</summary>
[OptionsValidator]
internal sealed partial class WorkerOptionsValidator : IValidateOptions<WorkerOptions>;
