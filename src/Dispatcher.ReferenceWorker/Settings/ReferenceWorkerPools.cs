namespace Dispatcher.ReferenceWorker.Settings;

/// <summary>The pools that the reference worker has handlers for.</summary>
internal static class ReferenceWorkerPools
{
    public const string Repo = "repo";
    public const string Shell = "shell";
    public const string Integrations = "integrations";
    public const string Deploy = "deploy";

    public static IReadOnlyList<string> All { get; } = [Repo, Shell, Integrations, Deploy];

    /// <summary>Whether the handlers of the pool start programs.</summary>
    public static bool RunsPrograms(string pool) => pool is Repo or Shell or Deploy;
}
