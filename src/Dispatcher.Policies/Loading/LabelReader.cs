using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads a topic's <c>labels</c>.</summary>
internal static class LabelReader
{
    private static readonly Dictionary<string, RowComparison> RowKeys = new(StringComparer.Ordinal)
    {
        ["exact"] = RowComparison.Exact,
        ["prefix"] = RowComparison.Prefix,
        ["suffix"] = RowComparison.Suffix,
        ["starts_with"] = RowComparison.StartsWith,
        ["ends_with"] = RowComparison.EndsWith,
    };

    private static readonly string[] Keys = ["values", "required", "source", "absent", "derive"];

    public static IReadOnlyDictionary<string, LabelSpec> Read(YamlNode? node, ErrorList errors)
    {
        SortedDictionary<string, LabelSpec> labels = new(StringComparer.Ordinal);
        foreach (var entry in Fields.Named(node, "labels", errors))
        {
            labels[entry.Key.Text] = ReadLabel(entry.Key.Text, entry.Value, errors);
        }

        return labels;
    }

    private static LabelSpec ReadLabel(string name, YamlNode node, ErrorList errors)
    {
        var what = $"label {name}";
        if (Fields.Of(node, what, errors, Keys) is not { } fields)
        {
            return new LabelSpec { Broken = [.. Keys] };
        }

        var values = fields.Get("values") is { } list ? Lists.FilledSet(list, $"values of {what}", errors) : null;
        var source = fields.Word("source", "producer", "payload", "principal") switch
        {
            "payload" => LabelSource.Payload,
            "principal" => LabelSource.Principal,
            _ => LabelSource.Producer,
        };
        LabelSpec label = new()
        {
            Values = values,
            Required = fields.Flag("required"),
            Source = source,
            AbsentIsNoMatch = fields.Word("absent", "unknown", "no_match") == "no_match",
            Derive =
                source == LabelSource.Payload && fields.Need("derive") is { } derive
                    ? ReadDerivation(derive, values, errors)
                    : RefuseDerive(fields, source),
        };
        return label with { Broken = fields.Broken };
    }

    private static Derivation? RefuseDerive(Fields fields, LabelSource source)
    {
        if (fields.Get("derive") is { } derive && source != LabelSource.Payload)
        {
            fields.Errors.Add(
                derive,
                BundleErrorCodes.NoEffect,
                "'derive' has no effect here; allowed: with source: payload.",
                "add source: payload or remove it."
            );
        }

        return null;
    }

    private static Derivation? ReadDerivation(YamlNode node, IReadOnlyList<string>? values, ErrorList errors)
    {
        if (Fields.Of(node, "derive", errors, KeyHints.DeriveKeys) is not { } fields)
        {
            return null;
        }

        Derivation derivation = new()
        {
            Path = fields.NeedText("path", Patterns.Pointer(), Patterns.PointerWords) ?? "",
            Part = ReadPart(fields),
            Table =
            [
                .. Lists.Items(fields.Need("table"), "table", errors).Select(row => ReadRow(row, values, errors)).OfType<DerivationRow>(),
            ],
            Default = fields.Get("default") is { } fallback ? ReadValue(fallback, values, errors) : null,
        };

        // If the derivation has an error, each of its texts may be an intended value.
        return !errors.IsBroken(node)
            ? derivation
            : derivation with
            {
                Table =
                [
                    .. derivation.Table,
                    .. node.Texts()
                        .Select(text => new DerivationRow
                        {
                            Elements = [text],
                            Fit = RowComparison.Exact,
                            Value = text,
                        }),
                ],
            };
    }

    private static DerivedPart? ReadPart(Fields fields)
    {
        List<YamlEntry> given = [.. fields.Entries.Where(entry => DerivedPart.Keys.ContainsKey(entry.Key.Text))];
        if (given.Count > 1)
        {
            fields.Errors.Add(
                given[1].Key,
                BundleErrorCodes.BadValue,
                $"derive has {Words(given.Select(entry => entry.Key.Text))}; allowed: one of them.",
                "keep one."
            );
        }

        if (given.Count == 0 || Scalars.Text(given[0].Value, given[0].Key.Text, fields.Errors) is not { } separator)
        {
            return null;
        }

        var known = DerivedPart.Separators.Contains(separator, StringComparer.Ordinal)
            ? separator
            : fields.Errors.AddUnknown(
                given[0].Value,
                BundleErrorCodes.BadValue,
                given[0].Key.Text,
                DerivedPart.Separators,
                "write one of these, in quotes."
            );
        return known is null ? null : new DerivedPart(known, DerivedPart.Keys[given[0].Key.Text]);
    }

    private static DerivationRow? ReadRow(YamlNode node, IReadOnlyList<string>? values, ErrorList errors)
    {
        if (Fields.Of(node, "a row of the table", errors, [.. RowKeys.Keys, "value"]) is not { } fields)
        {
            return null;
        }

        List<YamlEntry> given = [.. fields.Entries.Where(entry => RowKeys.ContainsKey(entry.Key.Text))];
        if (given is not [var entry])
        {
            errors.Add(
                node,
                BundleErrorCodes.BadValue,
                $"a row has {(given.Count == 0 ? "none" : "more than one")} of {Words(RowKeys.Keys)}; allowed: one of them.",
                given.Count == 0 ? "add one." : "keep one."
            );
            return null;
        }

        var value = fields.Need("value") is { } text ? ReadValue(text, values, errors) ?? "" : "";
        return ReadElements(entry, errors) is { } elements
            ? new DerivationRow
            {
                Elements = elements,
                Fit = RowKeys[entry.Key.Text],
                Value = value,
            }
            : null;
    }

    /// <summary>
    /// The elements of a row that compares lists, or the one text of a row that compares characters. Null: the row has none.
    /// </summary>
    private static IReadOnlyList<string>? ReadElements(YamlEntry row, ErrorList errors)
    {
        (var key, var node) = (row.Key.Text, row.Value);
        var isText = RowKeys[key] is RowComparison.StartsWith or RowComparison.EndsWith;
        var characters = isText ? Scalars.Text(node, key, errors) : null;

        // An empty prefix or suffix would match every list and every text.
        if (characters is "" || (!isText && key != "exact" && node is { Kind: NodeKind.List, Items.Count: 0 }))
        {
            errors.Add(
                node,
                BundleErrorCodes.Empty,
                $"an empty '{key}' matches everything; allowed: at least one {(isText ? "character" : "element")}.",
                "use 'default' for values that no row matches."
            );
        }

        return !isText ? Lists.Texts(node, "a row's elements", errors)
            : string.IsNullOrEmpty(characters) ? null
            : [characters];
    }

    private static string Words(IEnumerable<string> keys)
    {
        string[] quoted = [.. keys.Select(key => $"'{key}'")];
        return $"{string.Join(", ", quoted[..^1])} and {quoted[^1]}";
    }

    private static string? ReadValue(YamlNode node, IReadOnlyList<string>? values, ErrorList errors)
    {
        var value = Scalars.Text(node, "value", errors);
        if (value is not null && values is not null && !values.Contains(value, StringComparer.Ordinal))
        {
            return errors.AddUnknown(
                node,
                BundleErrorCodes.BadValue,
                "value",
                values,
                "write one of these, or add it to the label's values."
            );
        }

        return value;
    }
}
