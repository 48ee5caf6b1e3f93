using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Hosting;
using Dispatcher.Jobs;
using Dispatcher.ReferenceWorker;

namespace Dispatcher.CommandLine.Demo;

/// <summary><c>dispatcher demo</c>: an embedded server with temporary data and one job for each verdict. It runs until Ctrl-C.</summary>
internal static class DemoVerb
{
    private const int UsualPort = 8080;

    private static readonly Option<bool> Exit = new("--exit") { Description = "Exit after the four jobs." };
    private static readonly Option<bool> Json = new("--json")
    {
        Description = "Print one JSON document instead: address of the API, key, and each job with its decision and timeline.",
    };

    public static Verb Create(Terminal terminal)
    {
        var verb = new Verb(
            "demo",
            "Run four jobs on an embedded server, offline: one is denied, one held, one allowed with constraints, one allowed. "
                + "Then the server runs until Ctrl-C.",
            "dispatcher demo",
            "dispatcher demo --exit --json"
        )
        {
            Exit,
            Json,
        };
        verb.SetAction(
            (call, cancellationToken) =>
                ServerRun.ToExitCodeAsync(terminal, () => RunAsync(terminal, call.GetValue(Exit), call.GetValue(Json), cancellationToken))
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
                // The recipe of the held job. It only prints what it would do.
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
            await BindAsync(new Uri(server.Urls.First()), key, cancellationToken);
            // Ctrl-C stops the server, which then ends the output.
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
                // The held job stays held.
            }

            await server.StopAsync(CancellationToken.None);
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }

    /// <summary>Binds the submitting principal to a person: without one the deployment, which needs an approval, would be denied.</summary>
    private static async Task BindAsync(Uri url, string key, CancellationToken cancellationToken)
    {
        using var api = new ApiClient(url, key);
        await api.CreateKeyAsync("""{"subject":"admin","person":"demo","roles":[]}"""u8.ToArray(), cancellationToken);
    }

    private static async Task ShowAsync(Terminal terminal, Uri url, string key, bool json, bool exit, CancellationToken cancellationToken)
    {
        using var api = new ApiClient(url, key);
        var screen = new Screen(terminal);
        var demo = new DemoScreen(api, json ? null : screen, terminal.Clock);
        var jobs = new JsonArray();
        foreach (var job in DemoJob.All)
        {
            jobs.Add(await job.RunAsync(demo, cancellationToken));
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
            await ApproveAsync(demo, screen, new DemoServer(url.ToString().TrimEnd('/'), key), cancellationToken);
        }
    }

    /// <summary>Prints how to approve the held job, and follows it until Ctrl-C.</summary>
    private static async Task ApproveAsync(DemoScreen demo, Screen screen, DemoServer server, CancellationToken cancellationToken)
    {
        var held = (await demo.Api.ApprovalsAsync(new Query(("mine", "false")), cancellationToken)).Body.Items("items").First();
        var approver = await demo.Api.CreateKeyAsync(
            """{"subject":"you","person":"you","roles":["approver"]}"""u8.ToArray(),
            cancellationToken
        );
        server.ShowCommands(screen, held, approver.Body.Text("key"));
        await demo.FollowAsync(held.GetProperty("job_id").GetGuid(), state => state.IsFinal(), cancellationToken);
        screen.Line("\nThe server runs until Ctrl-C.");
    }

    /// <summary>The usual port when it is free, else any free port.</summary>
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
                // In use: any free port.
            }
        }

        return 0;
    }
}
