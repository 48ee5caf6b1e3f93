using System.Globalization;
using Dispatcher.Base;
using Dispatcher.Contracts;

namespace Dispatcher.Web;

/// <summary>The row that the page before ended with, as <c>&lt;microseconds since 1970&gt;_&lt;id&gt;</c>: lists are ordered by time and id, newest first.</summary>
internal readonly record struct Cursor(long At, Guid Id)
{
    public static Cursor? Read(string text) =>
        text.Split('_') is [var at, var id]
        && long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
        && Guid.TryParseExact(id, "D", out var guid)
            ? new Cursor(micros, guid)
            : null;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{At}_{Id}");
}

/// <summary>Which page of a list is asked for. <see cref="After"/> null: the first one.</summary>
internal sealed record Paging(int Limit, Cursor? After)
{
    public const int LargestPage = 500;

    /// <summary>What was asked for; errors are added for what cannot be meant. A cursor that is none must not lead back to page one: a reader would never end.</summary>
    public static Paging Read(string? cursor, int limit, List<InputError> errors)
    {
        var after = cursor is null ? null : Cursor.Read(cursor);
        if (cursor is not null && after is null)
        {
            errors.Report(
                "bad_cursor",
                "?cursor",
                $"\"{InputErrors.Cut(cursor)}\" is no cursor.",
                "Send \"next\" of the page before as it is, or leave it out for the first page."
            );
        }

        if (limit is < 1 or > LargestPage)
        {
            errors.Report("bad_limit", "?limit", $"Seen: {limit}.", $"Allowed: 1 to {LargestPage}.");
        }

        return new Paging(limit, after);
    }

    /// <summary>The page of these rows: when it is full, there may be more after its last one.</summary>
    public Page<TView> Of<TRow, TView>(IReadOnlyList<TRow> rows, Func<TRow, TView> view, Func<TRow, Cursor> cursor) =>
        new([.. rows.Select(view)], rows.Count < Limit ? null : cursor(rows[^1]).ToString());
}
