namespace Dispatcher.Policies.Files;

/// <summary>The values of <see cref="BundleError.Code"/>.</summary>
public static class BundleErrorCodes
{
    /// <summary>A file that every bundle needs is not there.</summary>
    public const string MissingFile = "missing_file";

    /// <summary>A file has a name that no part of a bundle has, or a name twice.</summary>
    public const string UnknownFile = "unknown_file";

    /// <summary>Not UTF-8, or too large.</summary>
    public const string Unreadable = "unreadable";

    /// <summary>A character that an editor does not show, so that a parser could read something else than a person.</summary>
    public const string InvisibleCharacter = "invisible_character";

    /// <summary>The text is no YAML.</summary>
    public const string BadYaml = "bad_yaml";

    /// <summary>A schema file is no JSON.</summary>
    public const string BadJson = "bad_json";

    /// <summary>A keyword of a schema that is not in the closed list, so that it would not be enforced.</summary>
    public const string UnknownKeyword = "unknown_keyword";

    /// <summary>A pattern of a schema that is none, or that a payload could make slow.</summary>
    public const string BadPattern = "bad_pattern";

    /// <summary>A topic names a schema that is not there.</summary>
    public const string UnknownSchema = "unknown_schema";

    /// <summary>A schema that no topic names.</summary>
    public const string UnusedSchema = "unused_schema";

    /// <summary>A stored archive cannot be unpacked.</summary>
    public const string BadArchive = "bad_archive";

    /// <summary>An anchor, an alias or a tag: YAML that means something else than it shows.</summary>
    public const string NotPlainYaml = "not_plain_yaml";

    /// <summary>A key stands twice in one mapping.</summary>
    public const string DuplicateKey = "duplicate_key";

    /// <summary>Two rules have one id.</summary>
    public const string DuplicateId = "duplicate_id";

    /// <summary>A key that is not known there.</summary>
    public const string UnknownKey = "unknown_key";

    /// <summary>A required key is missing.</summary>
    public const string MissingKey = "missing_key";

    /// <summary>A mapping where a list or a text belongs, or the like.</summary>
    public const string WrongKind = "wrong_kind";

    /// <summary>An unquoted text that YAML reads as a boolean, a number or null.</summary>
    public const string NotText = "not_text";

    /// <summary>A value outside what is allowed.</summary>
    public const string BadValue = "bad_value";

    /// <summary>An empty list or mapping where that would match nothing or everything.</summary>
    public const string Empty = "empty";

    /// <summary>A decision that is not one of the four.</summary>
    public const string UnknownDecision = "unknown_decision";

    /// <summary>A constraint that is not in the closed list.</summary>
    public const string UnknownConstraint = "unknown_constraint";

    /// <summary>ALLOW_WITH_CONSTRAINTS without constraints.</summary>
    public const string NoConstraints = "no_constraints";

    /// <summary>A key that has no effect with the rule's decision.</summary>
    public const string NoEffect = "no_effect";

    /// <summary>A topic names a pool that is not there.</summary>
    public const string UnknownPool = "unknown_pool";

    /// <summary>There are more errors than are listed.</summary>
    public const string TooManyErrors = "too_many_errors";

    /// <summary>Loading itself failed, which is a defect of the loader.</summary>
    public const string LoadFailed = "load_failed";
}
