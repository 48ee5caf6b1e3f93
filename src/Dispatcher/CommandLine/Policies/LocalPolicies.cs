using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;

namespace Dispatcher.CommandLine.Policies;

/// <summary>Shared by the verbs that read a policy folder on this machine and need no server.</summary>
internal static class LocalPolicies
{
    /// <summary>The JSON format of the server.</summary>
    public static JsonSerializerOptions Json { get; } =
        new()
        {
            PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };

    public static Argument<string> Folder() => new("DIR") { Description = "The policy folder.", DefaultValueFactory = _ => "policies" };

    public static IReadOnlyList<BundleFile> Read(string folder)
    {
        if (!Directory.Exists(folder))
        {
            throw new ExitException(
                ExitCode.WrongUse,
                File.Exists(folder) ? $"'{folder}' is a file, not a folder." : $"Folder '{folder}' does not exist.",
                "Name the folder that contains topics.yaml and rules/."
            );
        }

        try
        {
            var files = BundleFolder.Read(folder);
            return files.Count > 0
                ? files
                : throw new ExitException(
                    ExitCode.WrongUse,
                    $"'{folder}' contains no policies: neither topics.yaml nor rules/*.yaml.",
                    "Name the folder that contains topics.yaml."
                );
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"cannot read '{folder}': {unreadable.Message}",
                "Check the path and your permission to read the files."
            );
        }
    }

    /// <summary>Loads the bundle of the folder. Throws when it has errors.</summary>
    public static Bundle Load(string folder)
    {
        var load = Bundle.Load(Read(folder));
        return load.Bundle
            ?? throw new ExitException(
                ExitCode.WrongUse,
                $"'{folder}' does not load: {load.Errors[0]}{(load.Errors.Count > 1 ? $" (and {load.Errors.Count - 1} more)" : "")}",
                $"Correct the errors; 'dispatcher policy lint {folder}' lists all of them."
            );
    }

    public static int Run(Terminal terminal, Func<Screen, ExitCode> run)
    {
        var screen = new Screen(terminal);
        try
        {
            return (int)run(screen);
        }
        catch (ExitException failure)
        {
            screen.Failure(failure.Message, failure.Fix);
            return (int)failure.Code;
        }
    }
}
