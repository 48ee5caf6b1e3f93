using System.Reflection;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Web;

/// <summary>
/// Refuses query parameters below <c>/api</c> that the endpoint does not read: a mistyped filter would otherwise list everything. Known are
/// the simple parameters of the handler that are not in the route.
/// </summary>
internal static class QueryParameterCheck
{
    private const string Api = "/api";

    /// <summary>Checks every route that is mapped on the returned builder.</summary>
    public static IEndpointRouteBuilder WithQueryParameterCheck(this IEndpointRouteBuilder routes) =>
        routes.MapGroup("").AddEndpointFilterFactory(Check).WithMetadata(new ChecksQuery());

    private static EndpointFilterDelegate Check(EndpointFilterFactoryContext endpoint, EndpointFilterDelegate next)
    {
        string[] simple = [.. endpoint.MethodInfo.GetParameters().Where(IsSimple).Select(parameter => parameter.Name!)];
        return async context =>
            Errors(context.HttpContext, simple) is { Count: > 0 } errors ? Problems.Malformed(errors) : await next(context);
    }

    private static List<InputError> Errors(HttpContext http, IReadOnlyList<string> simple)
    {
        var errors = new List<InputError>();
        var route = (http.GetEndpoint() as RouteEndpoint)?.RoutePattern;
        if (http.Request.Query.Count == 0 || route?.RawText?.StartsWith(Api, StringComparison.Ordinal) != true)
        {
            return errors;
        }

        string[] known = [.. simple.Where(name => route.GetParameter(name) is null)];
        foreach (var name in http.Request.Query.Keys.Where(name => !known.Contains(name, StringComparer.OrdinalIgnoreCase)))
        {
            var seen = InputErrors.Cut(name);
            var fix = Nearest.To(seen, known) is { } nearest ? $"Did you mean \"{nearest}\"?" : "Remove it.";
            errors.Report(
                "unknown_parameter",
                "?" + seen,
                $"The request has no parameter \"{seen}\"; allowed: {(known.Length == 0 ? "none" : string.Join(", ", known))}.",
                fix
            );
        }

        return errors;
    }

    private static bool IsSimple(ParameterInfo parameter)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        return type == typeof(string) || type == typeof(Guid) || type.IsPrimitive;
    }
}

/// <summary>Marks an endpoint whose query parameters are checked.</summary>
internal sealed class ChecksQuery;
