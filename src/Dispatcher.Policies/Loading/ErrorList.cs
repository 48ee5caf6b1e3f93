namespace Dispatcher.Policies.Loading;

/// <summary>Collects every error of a load.</summary>
internal sealed class ErrorList
{
    private readonly List<BundleError> _errors = [];

    public IReadOnlyList<BundleError> Errors => _errors;

    public void Add(YamlNode at, string code, string message, string fix) => Add(at.Where, code, message, fix);

    public void Add(string where, string code, string message, string fix) =>
        _errors.Add(new BundleError { Where = where, Code = code, Message = message, Fix = fix });

    /// <summary>A word that is not one of the known ones; the fix names the nearest.</summary>
    public void AddUnknown(YamlNode at, string code, string what, IReadOnlyList<string> known)
    {
        string? nearest = Nearest.To(at.Text, known);
        string fix = nearest is null ? "remove it." : $"did you mean '{nearest}'?";
        Add(at, code, $"{what} '{at.Text}' is not known; allowed: {string.Join(", ", known)}.", fix);
    }
}
