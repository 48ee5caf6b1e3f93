using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Dispatcher.Worker.RabbitMq;

/// <summary>Requires broker, dispatcher and a key that can be sent, where no transport is registered.</summary>
internal sealed class WorkerAddressValidator(IServiceProviderIsService services) : IValidateOptions<WorkerOptions>
{
    public ValidateOptionsResult Validate(string? name, WorkerOptions options)
    {
        if (services.IsService(typeof(IWorkerTransport)))
        {
            return ValidateOptionsResult.Success;
        }

        List<string> errors = [];
        if (options.RabbitMq is not { IsAbsoluteUri: true } broker)
        {
            errors.Add($"Pool '{name}': RabbitMq must be an address such as {BrokerAddress.Example}.");
        }
        else if (BrokerAddress.Fault(broker.OriginalString) is { } fault)
        {
            errors.Add($"Pool '{name}': RabbitMq is not an AMQP address: it {fault}. For example {BrokerAddress.Example}.");
        }

        if (options.Dispatcher is not { IsAbsoluteUri: true, Scheme: "http" or "https" })
        {
            errors.Add(
                $"Pool '{name}': Dispatcher must be an address such as http://dispatcher:8080 "
                    + $"(seen: {options.Dispatcher?.ToString() ?? "nothing"})."
            );
        }

        if (string.IsNullOrWhiteSpace(options.ApiKey))
        {
            errors.Add($"Pool '{name}': ApiKey is missing. Create one with: dispatcher keys create.");
        }
        else if (!options.ApiKey.All(c => c is > ' ' and <= '~'))
        {
            // The HTTP library refuses such a header, which would look like an unreachable dispatcher.
            errors.Add(
                $"Pool '{name}': ApiKey contains spaces, line breaks or characters outside ASCII. "
                    + "Use the key as 'dispatcher keys create' printed it."
            );
        }

        return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }
}
