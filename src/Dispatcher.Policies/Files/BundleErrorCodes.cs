namespace Dispatcher.Policies.Files;

/// <summary>The values of <see cref="BundleError.Code"/>.</summary>
public static class BundleErrorCodes
{
    /// <summary>A required file is missing.</summary>
    public const string MissingFile = "missing_file";

    /// <summary>A file name that does not belong in a bundle, or a path that occurs twice.</summary>
    public const string UnknownFile = "unknown_file";

    /// <summary>The file is not UTF-8 or is too large.</summary>
    public const string Unreadable = "unreadable";

    /// <summary>A character that editors do not show, so a parser and a person could read different text.</summary>
    public const string InvisibleCharacter = "invisible_character";

    /// <summary>The text is not valid YAML.</summary>
    public const string BadYaml = "bad_yaml";

    /// <summary>A schema file is not valid JSON.</summary>
    public const string BadJson = "bad_json";

    /// <summary>A schema keyword that is not supported and so would not be enforced.</summary>
    public const string UnknownKeyword = "unknown_keyword";

    /// <summary>A schema pattern that is invalid, or that a payload could make slow.</summary>
    public const string BadPattern = "bad_pattern";

    /// <summary>A topic names a schema that does not exist.</summary>
    public const string UnknownSchema = "unknown_schema";

    /// <summary>A schema that no topic names.</summary>
    public const string UnusedSchema = "unused_schema";

    /// <summary>A stored archive cannot be unpacked.</summary>
    public const string BadArchive = "bad_archive";

    /// <summary>An anchor, alias or tag: YAML whose meaning differs from what it shows.</summary>
    public const string NotPlainYaml = "not_plain_yaml";

    /// <summary>A key occurs twice in one mapping.</summary>
    public const string DuplicateKey = "duplicate_key";

    /// <summary>Two rules have the same id.</summary>
    public const string DuplicateId = "duplicate_id";

    /// <summary>A key that is not known in this place.</summary>
    public const string UnknownKey = "unknown_key";

    /// <summary>A required key is missing.</summary>
    public const string MissingKey = "missing_key";

    /// <summary>A value of the wrong kind, for example a mapping instead of a list or a text.</summary>
    public const string WrongKind = "wrong_kind";

    /// <summary>An unquoted text that YAML reads as a boolean, a number or null.</summary>
    public const string NotText = "not_text";

    /// <summary>A value that is not allowed.</summary>
    public const string BadValue = "bad_value";

    /// <summary>An empty list or mapping that would match nothing or everything.</summary>
    public const string Empty = "empty";

    /// <summary>A decision that is not one of the four.</summary>
    public const string UnknownDecision = "unknown_decision";

    /// <summary>A constraint that is not in the closed list.</summary>
    public const string UnknownConstraint = "unknown_constraint";

    /// <summary>ALLOW_WITH_CONSTRAINTS without constraints.</summary>
    public const string NoConstraints = "no_constraints";

    /// <summary>A key that has no effect with the rule's decision.</summary>
    public const string NoEffect = "no_effect";

    /// <summary>A topic names a pool that does not exist.</summary>
    public const string UnknownPool = "unknown_pool";

    /// <summary>More errors exist than are listed.</summary>
    public const string TooManyErrors = "too_many_errors";

    /// <summary>The loader itself failed, which is a defect.</summary>
    public const string LoadFailed = "load_failed";
}
