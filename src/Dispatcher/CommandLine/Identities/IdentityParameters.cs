using System.CommandLine;
using Dispatcher.Base;

namespace Dispatcher.CommandLine.Identities;

/// <summary>Arguments and options of the verbs <c>dispatcher identity</c>.</summary>
internal static class IdentityParameters
{
    public static readonly Option<string?> Postgres = OwnerOption.Create();

    public static readonly Option<string?> RabbitMq = new("--rabbitmq")
    {
        HelpName = "ADDRESS",
        Description =
            "The broker as the programs reach it, for example amqp://mq:5672/ without user and password; its last part is the virtual "
            + $"host. Else DISPATCHER_RABBITMQ, else the host of {BrokerManagement.SettingName}, port 5672 and virtual host /.",
    };

    /// <summary>The verbs print a document of their own.</summary>
    public static readonly Option<bool> Json = new("--json") { Description = "Print one JSON document." };

    public static Argument<string> Name()
    {
        var name = new Argument<string>("NAME")
        {
            Description = "The principal: the name of its broker user, the subject of its keys and the name of its database role.",
        };
        name.Validators.Add(result =>
        {
            if (!PrincipalName.IsValid(result.Tokens[0].Value))
            {
                result.AddError(
                    $"'{InputErrors.Cut(result.Tokens[0].Value)}' is not a name: use 1 to 64 characters of a-z, 0-9, _ and -, "
                        + "for example worker-shell."
                );
            }
        });
        return name;
    }
}
