namespace Dispatcher.Policies.Loading;

/// <summary>Reads a topic's <c>labels</c>.</summary>
internal static class LabelReader
{
    private static readonly string[] Keys = ["values", "required", "source", "absent", "derive"];

    public static IReadOnlyDictionary<string, LabelSpec> Read(YamlNode? node, ErrorList errors)
    {
        SortedDictionary<string, LabelSpec> labels = new(StringComparer.Ordinal);
        foreach (YamlEntry entry in Fields.Named(node, "labels", errors))
        {
            labels[entry.Key.Text] = ReadLabel(entry.Key.Text, entry.Value, errors);
        }

        return labels;
    }

    private static LabelSpec ReadLabel(string name, YamlNode node, ErrorList errors)
    {
        string what = $"label {name}";
        if (Fields.Of(node, what, errors, Keys) is not { } fields)
        {
            return new LabelSpec { Broken = [.. Keys] };
        }

        IReadOnlyList<string>? values = fields.Get("values") is { } list ? Lists.FilledSet(list, $"values of {what}", errors) : null;
        LabelSource source = fields.Word("source", "producer", "payload", "principal") switch
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
            Derive = source == LabelSource.Payload && fields.Need("derive") is { } derive ? ReadDerivation(derive, values, errors) : RefuseDerive(fields, source),
        };
        return label with { Broken = fields.Broken };
    }

    private static Derivation? RefuseDerive(Fields fields, LabelSource source)
    {
        if (fields.Get("derive") is { } derive && source != LabelSource.Payload)
        {
            fields.Errors.Add(
                derive, BundleErrorCodes.NoEffect,
                "'derive' has no effect here; allowed: with source: payload.",
                "add source: payload or remove it.");
        }

        return null;
    }

    private static Derivation? ReadDerivation(YamlNode node, IReadOnlyList<string>? values, ErrorList errors)
    {
        if (Fields.Of(node, "derive", errors, KeyHints.Derive) is not { } fields)
        {
            return null;
        }

        Derivation derivation = new()
        {
            Path = fields.NeedText("path", Patterns.Pointer(), Patterns.PointerWords) ?? "",
            Table = [.. Lists.Items(fields.Need("table"), "table", errors).Select(row => ReadRow(row, values, errors)).OfType<DerivationRow>()],
            Default = fields.Get("default") is { } fallback ? ReadValue(fallback, values, errors) : null,
        };

        // Where something is wrong with it, each of its texts may be meant as a value.
        return !errors.IsBroken(node) ? derivation : derivation with
        {
            Table = [.. derivation.Table, .. node.Texts().Select(text => new DerivationRow { Elements = [text], IsPrefix = false, Value = text })],
        };
    }

    private static DerivationRow? ReadRow(YamlNode node, IReadOnlyList<string>? values, ErrorList errors)
    {
        if (Fields.Of(node, "a row of the table", errors, "exact", "prefix", "value") is not { } fields)
        {
            return null;
        }

        YamlNode? exact = fields.Get("exact");
        YamlNode? prefix = fields.Get("prefix");
        if ((exact is null) == (prefix is null))
        {
            errors.Add(node, BundleErrorCodes.BadValue, "a row has both or neither of 'exact' and 'prefix'; allowed: one of them.", "keep one.");
            return null;
        }

        // Every command begins with nothing at all.
        if (prefix is { Kind: NodeKind.List, Items.Count: 0 })
        {
            errors.Add(
                prefix, BundleErrorCodes.Empty,
                "an empty prefix fits everything; allowed: at least one element.",
                "use 'default' for what no row fits.");
        }

        return new DerivationRow
        {
            Elements = Lists.Texts(exact ?? prefix!, "a row's elements", errors),
            IsPrefix = prefix is not null,
            Value = fields.Need("value") is { } value ? ReadValue(value, values, errors) ?? "" : "",
        };
    }

    private static string? ReadValue(YamlNode node, IReadOnlyList<string>? values, ErrorList errors)
    {
        string? value = Scalars.Text(node, "value", errors);
        if (value is not null && values is not null && !values.Contains(value, StringComparer.Ordinal))
        {
            return errors.AddUnknown(node, BundleErrorCodes.BadValue, "value", values, "write one of these, or add it to the label's values.");
        }

        return value;
    }
}
