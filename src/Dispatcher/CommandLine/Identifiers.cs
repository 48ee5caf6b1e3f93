using System.CommandLine;

namespace Dispatcher.CommandLine;

/// <summary>Arguments that become part of an address: checked here, so that no value can lead to another address.</summary>
internal static class Identifiers
{
    /// <param name="name">Of the argument, for example <c>JOB_ID</c>.</param>
    /// <param name="what">For example <c>job</c>.</param>
    /// <param name="find">The verb that shows such ids.</param>
    public static Argument<Guid> Uuid(string name, string what, string find) => new(name)
    {
        Description = $"The id of the {what}, a UUID; see '{find}'.",
        CustomParser = result =>
        {
            if (!Guid.TryParseExact(result.Tokens[0].Value, "D", out var id))
            {
                result.AddError($"'{result.Tokens[0].Value}' is no id of a {what}: a UUID such as 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10; '{find}' shows them.");
            }

            return id;
        },
    };

    /// <summary>Of a bundle that the server keeps, or its first digits.</summary>
    public static Argument<string> BundleHash()
    {
        var hash = new Argument<string>("HASH") { Description = "The hash of the bundle or its first digits, at least 8; see 'dispatcher policy status'." };
        hash.Validators.Add(result =>
        {
            var text = result.Tokens[0].Value;
            if (text.Length is < 8 or > 64 || !text.All(char.IsAsciiHexDigitLower))
            {
                result.AddError($"'{text}' is no hash of a bundle: 8 to 64 lower-case hex digits; 'dispatcher policy status' shows them.");
            }
        });
        return hash;
    }

    public static Argument<string> KeyId()
    {
        var keyId = new Argument<string>("KEY_ID") { Description = "The id of the key, not the key itself; see 'dispatcher keys list'." };
        keyId.Validators.Add(result =>
        {
            var text = result.Tokens[0].Value;
            if (text.Length > 64 || !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            {
                // Without the value: it may be the key itself, and errors end up in logs.
                result.AddError("This is no id of a key: letters, digits, '-' and '_', at most 64; 'dispatcher keys list' shows them.");
            }
        });
        return keyId;
    }
}
