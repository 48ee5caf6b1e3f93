using System.Runtime.InteropServices;

namespace Dispatcher.Benchmarks.Staging;

/// <summary>Calls of the C library.</summary>
internal static class NativeMethods
{
    public const int SigTerm = 15;

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    internal static extern int Kill(int processId, int signal);
}
