using Dispatcher.Audit.Sealing;
using Dispatcher.Jobs;
using Dispatcher.Storage.Rows;
using Dispatcher.UnitTests.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Audit.Sealing;

public sealed class SealHashTests
{
    private static readonly TimelineEntry Entry = new()
    {
        EntryId = 7,
        JobId = Guid.Parse("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10"),
        At = 1_700_000_000_000_000,
        Kind = "accepted",
        Attempt = 1,
        Actor = "billing",
        Detail = [.. "{}"u8],
    };

    private static readonly SealPosition Position = new(3, [1, 2], 2, [3]);

    private static readonly Dictionary<string, TimelineEntry> OneChanged = new()
    {
        ["entry_id"] = Entry with { EntryId = 8 },
        ["job_id"] = Entry with { JobId = Guid.Empty },
        ["at"] = Entry with { At = Entry.At + 1 },
        ["kind"] = Entry with { Kind = "held" },
        ["attempt"] = Entry with { Attempt = 2 },
        ["actor"] = Entry with { Actor = "shipping" },
        ["detail"] = Entry with { Detail = [.. "{ }"u8] },
    };

    /// <summary>Other programs compute this hash, so that no byte may change.</summary>
    [Fact]
    public void Hash_has_its_specified_value() =>
        Assert.Equal(
            "3468484e44bb2400938748449e5a313cd14584ab69bb0e658fb9a4181312bff5",
            Convert.ToHexStringLower(SealHash.Of(Entry, Position))
        );

    /// <summary>A column outside the hash could be changed without detection: a new column fails this test until it is hashed.</summary>
    [Fact]
    public async Task Hash_covers_every_column_of_the_table()
    {
        await using var store = await ASqliteStore.MigratedAsync();
        await using var db = await store.Database.CreateDbContextAsync(TestContext.Current.CancellationToken);
        var columns = db.Model.FindEntityType(typeof(TimelineEntry))!.GetProperties().Select(property => property.GetColumnName()).ToList();

        Assert.Equal(columns.Order(), OneChanged.Keys.Order());
        Assert.Distinct(OneChanged.Values.Append(Entry).Select(entry => Convert.ToHexString(SealHash.Of(entry, Position))));
    }

    [Fact]
    public void Hash_covers_the_position() =>
        Assert.Distinct(
            new[]
            {
                Position,
                Position with
                {
                    Seq = 4,
                },
                Position with
                {
                    Previous = [1],
                },
                Position with
                {
                    JobPrevious = 1,
                },
                Position with
                {
                    JobPreviousHash = [4],
                },
                Position with
                {
                    Previous = [1],
                    JobPreviousHash = [2, 3],
                },
            }.Select(place => Convert.ToHexString(SealHash.Of(Entry, place)))
        );

    [Fact]
    public void No_byte_can_move_from_one_field_into_the_next() =>
        Assert.NotEqual(
            SealHash.Of(Entry with { Actor = "ab", Detail = [.. "c"u8] }, Position),
            SealHash.Of(Entry with { Actor = "a", Detail = [.. "bc"u8] }, Position)
        );

    [Fact]
    public void Signature_covers_the_key_and_every_field()
    {
        using var key = CheckpointKey.Create();
        using var other = CheckpointKey.Create();
        using var again = CheckpointKey.Read(key.PrivatePem());
        var signed = key.Sign(
            new TimelineCheckpoint
            {
                Size = 3,
                KeyId = "",
                Origin = "dispatcher/0",
                Root = [1],
                Head = [2],
                At = 4,
            }
        );

        Assert.True(again.HasSigned(CheckpointJson.Read(CheckpointJson.Write(signed))));
        Assert.False(other.HasSigned(signed with { KeyId = other.Id }));
        foreach (
            var changed in new[]
            {
                signed with
                {
                    Size = 4,
                },
                signed with
                {
                    Origin = "x",
                },
                signed with
                {
                    Root = [2],
                },
                signed with
                {
                    Head = [1],
                },
                signed with
                {
                    At = 5,
                },
            }
        )
        {
            Assert.False(key.HasSigned(changed), changed.ToString());
        }
    }

    [Fact]
    public void Audit_folder_is_private_and_keeps_its_key()
    {
        var path = Path.Combine(Directory.CreateTempSubdirectory("dispatcher-unit-").FullName, "audit");
        using var made = AuditFolder.Open(path, privateKey: null);
        using var again = AuditFolder.Open(path, privateKey: null);
        made.Append(
            made.Key.Sign(
                new TimelineCheckpoint
                {
                    Size = 3,
                    KeyId = "",
                    Origin = "dispatcher/0",
                    Root = [1],
                    Head = [2],
                    At = 4,
                }
            )
        );
        File.AppendAllText(made.Checkpoints, "{\"type\":\"checkp");
        made.Append(
            made.Key.Sign(
                new TimelineCheckpoint
                {
                    Size = 5,
                    KeyId = "",
                    Origin = "dispatcher/0",
                    Root = [1],
                    Head = [2],
                    At = 4,
                }
            )
        );

        Assert.Equal(made.Key.Id, again.Key.Id);
        Assert.Equal(5, again.Last()?.Size);
        Assert.Equal(3, File.ReadAllLines(made.Checkpoints).Length);
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(path));
            foreach (var file in Directory.GetFiles(path))
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
            }
        }

        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }
}
