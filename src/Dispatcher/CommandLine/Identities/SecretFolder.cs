using System.Text;
using Dispatcher.Base;

namespace Dispatcher.CommandLine.Identities;

/// <summary>
/// The secret files of one identity: <c>DIR/NAME/rabbitmq</c>, <c>api-key</c>, <c>postgres</c> or <c>effects</c>, each as the variable with
/// the suffix <c>_FILE</c> expects it. Only this user may read them.
/// </summary>
internal sealed class SecretFolder(string folder, string name)
{
    private readonly List<string> _written = [];

    public string PathOf(string secret) => Path.Combine(folder, name, secret);

    /// <summary>Makes the folder before anything else is made. Fails when it cannot be written, or holds one of the secrets.</summary>
    public void Prepare(IEnumerable<string> secrets)
    {
        Guarded(() =>
        {
            PrivateFiles.MakeFolder(folder);
            PrivateFiles.MakeFolder(Path.Combine(folder, name));
            PrivateFiles.MakePrivate(Path.Combine(folder, name));
        });
        if (secrets.Select(PathOf).FirstOrDefault(File.Exists) is { } existing)
        {
            throw new ExitException(
                ExitCode.No,
                $"The file {existing} exists, and a secret file is never overwritten.",
                "Remove it if nothing uses it, or give another --secrets."
            );
        }
    }

    public void Write(string secret, string value) =>
        Guarded(() =>
        {
            var path = PathOf(secret);
            using var file = PrivateFiles.Open(path, FileMode.CreateNew);
            _written.Add(path);
            file.Write(Encoding.UTF8.GetBytes(value + "\n"));
        });

    /// <summary>Removes what this call has written. Returns the files that cannot be removed.</summary>
    public IReadOnlyList<string> RemoveWritten()
    {
        var left = new List<string>();
        foreach (var path in _written)
        {
            try
            {
                File.Delete(path);
            }
            catch (Exception unusable) when (unusable is IOException or UnauthorizedAccessException)
            {
                left.Add(path);
            }
        }

        return left;
    }

    private static void Guarded(Action write)
    {
        try
        {
            write();
        }
        catch (Exception unusable)
            when (unusable is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"--secrets: cannot write the secret files: {unusable.Message}",
                "Give a folder that this user may create or write to."
            );
        }
    }
}
