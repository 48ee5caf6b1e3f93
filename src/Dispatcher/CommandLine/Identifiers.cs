using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Dispatcher.CommandLine;

/// <summary>Arguments that become part of a URL. They are validated, so that no value can lead to another path.</summary>
internal static class Identifiers
{
    /// <param name="name">Name of the argument, for example <c>JOB_ID</c>.</param>
    /// <param name="what">The identified thing, for example <c>job</c>.</param>
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
                        $"'{result.Tokens[0].Value}' is not the id of a {what}: write a UUID such as "
                            + $"0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10; '{find}' shows them."
                    );
                }

                return id;
            },
        };

    /// <summary>
    /// Parses a UUID, or a whole number within limits, as the value of an option. The parser's own errors name .NET types.
    /// </summary>
    public static Func<ArgumentResult, Guid?> OptionalUuid(string option) =>
        result =>
        {
            if (Guid.TryParseExact(result.Tokens[0].Value, "D", out var id))
            {
                return id;
            }

            result.AddError($"{option} '{result.Tokens[0].Value}' is not a UUID: write one such as 0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10.");
            return null;
        };

    /// <inheritdoc cref="OptionalUuid"/>
    public static Func<ArgumentResult, int?> WholeNumber(string option, int min, int max) =>
        result =>
        {
            if (
                int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && number >= min
                && number <= max
            )
            {
                return number;
            }

            result.AddError($"{option} '{result.Tokens[0].Value}' is not allowed: write a whole number from {min} to {max}.");
            return null;
        };

    /// <summary>The hash of a stored bundle, or its first digits.</summary>
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
                result.AddError(
                    $"'{text}' is not the hash of a bundle: write 8 to 64 lower-case hex digits; 'dispatcher policy status' shows them."
                );
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
                // Without the value: it may be the key itself, and errors are written to logs.
                result.AddError(
                    "KEY_ID is not the id of a key: write at most 64 letters, digits, '-' and '_'; 'dispatcher keys list' shows them."
                );
            }
        });
        return keyId;
    }
}
