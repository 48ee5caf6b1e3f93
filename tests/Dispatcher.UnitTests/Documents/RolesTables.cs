using System.Reflection;
using System.Security.Claims;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Web;
using Microsoft.AspNetCore.Authorization;

namespace Dispatcher.UnitTests.Documents;

/// <summary>The roles of keys and the routes that each may call, as tables of <c>ops/README.md</c>.</summary>
internal static class RolesTables
{
    private static readonly FieldInfo[] Roles =
    [
        .. typeof(Role).GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral),
    ];

    public static async Task<IEnumerable<string>> AllAsync(AServer server)
    {
        List<string> rows = [];
        foreach (var (route, endpoint) in Routes(server).OrderBy(route => route.Name.Split(' ')[1], StringComparer.Ordinal))
        {
            rows.Add($"| `{route}` | {string.Join(" | ", await AnswersAsync(server, endpoint))} |");
        }

        return
        [
            $"""
                | role | allows |
                |---|---|
                {string.Join('\n', Roles.Select(role => $"| `{Name(role)}` | {XmlDocs.Of(role)} |"))}

                ### Routes

                | route | no key | {string.Join(" | ", Roles.Select(role => $"`{Name(role)}`"))} |
                |---|---|{string.Concat(Roles.Select(_ => "---|"))}
                {string.Join('\n', rows)}

                """,
        ];
    }

    private static string Name(FieldInfo role) => (string)role.GetRawConstantValue()!;

    private static IEnumerable<(string Name, RouteEndpoint Endpoint)> Routes(AServer server) =>
        from endpoint in server.Endpoints
        from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["GET"]
        let path = endpoint.RoutePattern.RawText!.Replace(":guid", "", StringComparison.Ordinal)
        select ($"{method} {(path.Length > 1 ? path.TrimEnd('/') : path)}", endpoint);

    private static async Task<IEnumerable<string>> AnswersAsync(AServer server, RouteEndpoint endpoint)
    {
        List<string> answers = [await AnswerAsync(server, endpoint, new ClaimsPrincipal(new ClaimsIdentity()))];
        foreach (var role in Roles)
        {
            answers.Add(await AnswerAsync(server, endpoint, ACaller.With(Name(role))));
        }

        return answers;
    }

    private static async Task<string> AnswerAsync(AServer server, RouteEndpoint endpoint, ClaimsPrincipal caller)
    {
        foreach (var policy in endpoint.Metadata.GetOrderedMetadata<IAuthorizeData>())
        {
            if (!(await server.Get<IAuthorizationService>().AuthorizeAsync(caller, policy.Policy!)).Succeeded)
            {
                return "";
            }
        }

        return "yes";
    }
}
