using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Base;
using Dispatcher.Hosting;
using Dispatcher.Jobs;
using Dispatcher.ReferenceWorker;

namespace Dispatcher.CommandLine.Demo;

/// <summary><c>dispatcher demo</c>: an embedded server on throwaway data, one job for each verdict, and then it is yours until Ctrl-C.</summary>
internal static class DemoVerb
{
    private const int UsualPort = 8080;

    private static readonly Option<bool> Exit = new("--exit") { Description = "End when the four jobs are shown." };
    private static readonly Option<bool> Json = new("--json")
    {
        Description = "Print one JSON document instead: where the API listens, the key, and each job with its decision and timeline.",
    };

    public static Verb Create(Terminal terminal)
    {
        var verb = new Verb(
            "demo",
            "Show the way of a job, offline and with nothing else installed: one job denied, one held, one run within constraints, one run. Then the server stays up.",
            "dispatcher demo",
            "dispatcher demo --exit --json"
        )
        {
            Exit,
            Json,
        };
        verb.SetAction(
            (call, cancellationToken) =>
                ServerRun.GuardedAsync(terminal, () => RunAsync(terminal, call.GetValue(Exit), call.GetValue(Json), cancellationToken))
        );
        return verb;
    }

    private static async Task RunAsync(Terminal terminal, bool exit, bool json, CancellationToken cancellationToken)
    {
        var data = Directory.CreateTempSubdirectory("dispatcher-demo-");
        try
        {
            var key = "dsp_demo_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            var settings = new ServerSettings
            {
                DataFolder = data.FullName,
                PolicyFolder = Path.Combine(AppContext.BaseDirectory, "policies"),
                Urls = $"http://127.0.0.1:{FreePort()}",
                ApiKey = key,
                LogLevel = "Warning",
                // What the held job asks for. It only says what it would do.
                Recipes =
                {
                    ["web"] = new Recipe
                    {
                        Env = "prod",
                        Command = ["echo", "web {version} is deployed to prod"],
                        WorkingFolder = data.FullName,
                    },
                },
            };
            await using var server = Server.Build(settings);
            await DemoRepository.MakeAsync(EmbeddedFiles.Work(settings.DataFolder, "repos"), cancellationToken);
            await server.StartAsync(cancellationToken);
            await OwnAsync(new Uri(server.Urls.First()), key, cancellationToken);
            // Ctrl-C reaches the server: what is shown ends with it.
            using var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, server.Lifetime.ApplicationStopping);
            try
            {
                await ShowAsync(terminal, new Uri(server.Urls.First()), key, json, exit, ends.Token);
                if (!exit)
                {
                    await server.WaitForShutdownAsync(cancellationToken);
                }
            }
            catch (OperationCanceledException) when (ends.IsCancellationRequested)
            {
                // The job that waits for a person is left as it is.
            }

            await server.StopAsync(CancellationToken.None);
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    /// <summary>The key that submits the jobs gets an owner: else the deployment, which needs an approval, would be denied.</summary>
    private static async Task OwnAsync(Uri url, string key, CancellationToken cancellationToken)
    {
        using var api = new ApiClient(url, key);
        await api.CreateKeyAsync("""{"subject":"admin","person":"demo","roles":[]}"""u8.ToArray(), cancellationToken);
    }

    private static async Task ShowAsync(Terminal terminal, Uri url, string key, bool json, bool exit, CancellationToken cancellationToken)
    {
        using var api = new ApiClient(url, key);
        var screen = new Screen(terminal);
        var audience = new DemoAudience(api, json ? null : screen, terminal.Clock);
        var jobs = new JsonArray();
        foreach (var job in DemoJob.All)
        {
            jobs.Add(await job.RunAsync(audience, cancellationToken));
        }

        if (json)
        {
            var document = new JsonObject
            {
                ["url"] = url.ToString().TrimEnd('/'),
                ["api_key"] = key,
                ["jobs"] = jobs,
            };
            screen.Json(document.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        }
        else if (!exit)
        {
            await ApproveAsync(audience, screen, new DemoServer(url.ToString().TrimEnd('/'), key), cancellationToken);
        }
    }

    /// <summary>Prints how to approve the held job, and shows what becomes of it until Ctrl-C.</summary>
    private static async Task ApproveAsync(DemoAudience audience, Screen screen, DemoServer server, CancellationToken cancellationToken)
    {
        var held = (await audience.Api.ApprovalsAsync(new Query(("mine", "false")), cancellationToken)).Body.Items("items").First();
        var approver = await audience.Api.CreateKeyAsync(
            """{"subject":"you","person":"you","roles":["approver"]}"""u8.ToArray(),
            cancellationToken
        );
        server.ShowHow(screen, held, approver.Body.Text("key"));
        await audience.FollowAsync(held.GetProperty("job_id").GetGuid(), state => state.IsFinal(), cancellationToken);
        screen.Line("\nThe server stays up until Ctrl-C.");
    }

    /// <summary>The port of the README when it is free, else any.</summary>
    private static int FreePort()
    {
        foreach (var port in new[] { UsualPort, 0 })
        {
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return ((IPEndPoint)probe.LocalEndpoint).Port;
            }
            catch (SocketException) when (port != 0)
            {
                // Taken: any other.
            }
        }

        return 0;
    }
}
