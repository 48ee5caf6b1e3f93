namespace Dispatcher.UnitTests.CommandLine;

/// <summary>Wrong uses of <c>dispatcher retain</c>, which reach no database.</summary>
public sealed class RetainTests
{
    [Theory]
    [InlineData("6d")]
    [InlineData("0d")]
    [InlineData("-30d")]
    [InlineData("30")]
    [InlineData("30h")]
    [InlineData("99999999d")]
    public async Task Age_that_is_not_at_least_seven_days_is_refused(string age)
    {
        var refused = await CommandLineCall.RunAsync("retain", "--older-than", age, "--postgres", "Host=127.0.0.1;Port=1");

        Assert.Equal(2, refused.Code);
        Assert.Contains("at least 7d", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Embedded_database_has_no_retention()
    {
        var refused = await CommandLineCall.RunAsync("retain", "--older-than", "30d");

        Assert.Equal(2, refused.Code);
        Assert.Contains("SQLite database of an embedded server has no retention", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Audit_folder_without_checkpoints_is_refused_and_gets_no_key()
    {
        var folder = Directory.CreateTempSubdirectory("dispatcher-audit-");
        try
        {
            var refused = await CommandLineCall.RunAsync(
                ["retain", "--older-than", "7d", "--postgres", "Host=127.0.0.1;Port=1", "--audit", folder.FullName],
                [],
                ""
            );

            Assert.Equal(2, refused.Code);
            Assert.Contains("has no checkpoints", refused.Error, StringComparison.Ordinal);
            Assert.Empty(folder.EnumerateFiles());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
