namespace Dispatcher.UnitTests.CommandLine;

public sealed class PlainTextKeyTests
{
    [Theory]
    [InlineData("http://dispatcher.invalid:8080", true)]
    [InlineData("https://dispatcher.invalid:8443", false)]
    [InlineData("http://127.0.0.1:1", false)]
    public async Task Key_in_plain_text_to_another_machine_is_warned_of(string url, bool isWarned)
    {
        var outcome = await CommandLineCall.RunAsync("status", "--url", url, "--api-key", "k");

        Assert.Equal(isWarned, outcome.Error.Contains("in plain text. Use an https:// address", StringComparison.Ordinal));
    }
}
