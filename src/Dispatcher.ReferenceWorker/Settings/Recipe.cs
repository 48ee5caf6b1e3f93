namespace Dispatcher.ReferenceWorker;

/// <summary>A deployment that this worker can run.</summary>
public sealed class Recipe
{
    /// <summary>The environment that it deploys to, for example <c>prod</c>. The job's label <c>env</c> must equal it.</summary>
    public string Env { get; set; } = "";

    /// <summary>
    /// Program and arguments; <c>{version}</c> in an argument is replaced by the version of the job. The program is fixed.
    /// </summary>
    public IList<string> Command { get; set; } = [];

    /// <summary>The full path of the folder in which it runs.</summary>
    public string WorkingFolder { get; set; } = "";

    /// <summary>Its environment, in addition to PATH. Default empty.</summary>
    public IDictionary<string, string> Environment { get; set; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// Reads recipes by name from a JSON file: <c>{"web": {"Env": "prod", "Command": ["deploy", "{version}"], "WorkingFolder":
    /// "/srv"}}</c>.
    /// </summary>
    /// <exception cref="InvalidDataException">The file cannot be read or is not such JSON. The message names it.</exception>
    public static IDictionary<string, Recipe> Read(string file)
    {
        try
        {
            return new ConfigurationBuilder().AddJsonFile(Path.GetFullPath(file)).Build().Get<Dictionary<string, Recipe>>() ?? [];
        }
        catch (Exception unusable)
            when (unusable is IOException or UnauthorizedAccessException or InvalidDataException or InvalidOperationException)
        {
            throw new InvalidDataException($"'{file}' cannot be used: {unusable.GetBaseException().Message}", unusable);
        }
    }
}
