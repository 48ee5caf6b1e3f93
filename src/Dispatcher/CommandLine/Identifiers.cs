using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Dispatcher.CommandLine;

/// <summary>Arguments that become part of an address: checked here, so that no value can lead to another address.</summary>
internal static class Identifiers
{
    /// <param name="name">Of the argument, for example <c>JOB_ID</c>.</param>
    /// <param name="what">For example <c>job</c>.</param>
    /// <param name="find">The verb that shows such ids.</param>
    public static Argument<Guid> Uuid(string name, string what, string find) =>
        new(name)
        {
            Description = $"The id of the {what}, a UUID; see '{find}'.",
            CustomParser = result =>
            {
                if (!Guid.TryParseExact(result.Tokens[0].Value, "D", out var id))
                {
                    result.AddError(
                        $"'{result.Tokens[0].Value}' is no id of a {what}: a UUID such as 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10; '{find}' shows them."
                    );
                }

                return id;
            },
        };

    /// <summary>A UUID, or a whole number within limits, as the value of an option. The parser's own words for a wrong one are for programmers.</summary>
    public static Func<ArgumentResult, Guid?> OptionalUuid(string option) =>
        result =>
        {
            if (Guid.TryParseExact(result.Tokens[0].Value, "D", out var id))
            {
                return id;
            }

            result.AddError($"{option} '{result.Tokens[0].Value}' is no UUID: write one such as 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10.");
            return null;
        };

    /// <inheritdoc cref="OptionalUuid"/>
    public static Func<ArgumentResult, int?> WholeNumber(string option, int least, int most) =>
        result =>
        {
            if (
                int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number >= least
                && number <= most
            )
            {
                return number;
            }

            result.AddError($"{option} '{result.Tokens[0].Value}' is not allowed: write a whole number from {least} to {most}.");
            return null;
        };

    /// <summary>Of a bundle that the server keeps, or its first digits.</summary>
    public static Argument<string> BundleHash()
    {
        var hash = new Argument<string>("HASH")
        {
            Description = "The hash of the bundle or its first digits, at least 8; see 'dispatcher policy status'.",
        };
        hash.Validators.Add(result =>
        {
            var text = result.Tokens[0].Value;
            if (!IsBundleHash(text))
            {
                result.AddError($"'{text}' is no hash of a bundle: 8 to 64 lower-case hex digits; 'dispatcher policy status' shows them.");
            }
        });
        return hash;
    }

    public static bool IsBundleHash(string text) => text.Length is >= 8 and <= 64 && text.All(char.IsAsciiHexDigitLower);

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
