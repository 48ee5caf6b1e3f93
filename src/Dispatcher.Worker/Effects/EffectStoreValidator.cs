using Microsoft.Extensions.Options;

namespace Dispatcher.Worker.Effects;

/// <summary>Stops the start when the effect store is wrong; otherwise the pool would wait for it without end.</summary>
internal sealed class EffectStoreValidator : IValidateOptions<WorkerOptions>
{
    public ValidateOptionsResult Validate(string? name, WorkerOptions options)
    {
        const string What = "EffectStore (--effects, DISPATCHER_EFFECTS)";
        try
        {
            return options.EffectStore is not { } store ? ValidateOptionsResult.Success
                : PostgresConnection.IsOne(store) && PostgresConnection.Read(store).Host is not null ? ValidateOptionsResult.Success
                : store.Contains("://", StringComparison.Ordinal)
                    ? ValidateOptionsResult.Fail(
                        $"Pool '{name}': {What} is a URL of another kind than postgres://. "
                            + "Give a postgres:// URL, a connection string with Host=, or the path of a file."
                    )
                : ValidateOptionsResult.Success;
        }
        catch (PostgresConnectionException wrong)
        {
            return ValidateOptionsResult.Fail($"Pool '{name}': {What} is not a PostgreSQL connection: {wrong.Message}.");
        }
    }
}
