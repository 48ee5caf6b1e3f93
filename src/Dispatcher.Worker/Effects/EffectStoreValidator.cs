using Microsoft.Extensions.Options;

namespace Dispatcher.Worker.Effects;

/// <summary>An effect store that cannot be meant stops the start; else the pool would wait for it for ever.</summary>
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
                        $"Pool '{name}': {What} is a URL, but not a postgres:// one. Give one of these, a connection string with Host=, or the path of a file."
                    )
                : ValidateOptionsResult.Success;
        }
        catch (PostgresConnectionException wrong)
        {
            return ValidateOptionsResult.Fail($"Pool '{name}': {What} is no PostgreSQL connection: {wrong.Message}.");
        }
    }
}
