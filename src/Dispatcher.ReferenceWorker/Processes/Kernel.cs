using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>The Linux system calls that keep the processes of a run together. The managed library lacks them.</summary>
[SupportedOSPlatform("linux")]
internal static partial class Kernel
{
    public const int SigKill = 9;
    public const int SigStop = 19;

    private const int SetNoNewPrivileges = 38;
    private const int SetChildSubreaper = 36;
    private const int NoHang = 1;
    private const int Exited = 4;
    private const int NoWait = 0x0100_0000;
    private const short Readable = 1;

    /// <summary>siginfo_t is 128 bytes; si_pid follows three ints and, on 64-bit systems, four bytes of padding.</summary>
    private const int InfoBytes = 128;
    private static readonly int PidOffset = Environment.Is64BitProcess ? 16 : 12;

    /// <summary>
    /// Makes this process, instead of init, the parent of every descendant whose parent ends. The flag holds for the whole process and is
    /// not inherited.
    /// </summary>
    public static void AdoptOrphans() => Require(Control(SetChildSubreaper, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)");

    /// <summary>
    /// Keeps this process and its descendants from gaining privileges through set-user-id programs: this process could not kill a process
    /// of another user.
    /// </summary>
    public static void RefuseNewPrivileges() => Require(Control(SetNoNewPrivileges, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)");

    /// <summary>Puts this process into a new session. No descendant can return to the session of the parent.</summary>
    public static void LeadSession() => Require(SetSession(), "setsid");

    /// <summary>Sends a signal. Does nothing for a process that has ended.</summary>
    public static void Send(int process, int signal) => _ = Kill(process, signal);

    /// <summary>
    /// Reaps every child that has ended. False: no child is left, and therefore no descendant, because this process adopts orphans.
    /// </summary>
    public static bool ReapAll()
    {
        int reaped;
        while ((reaped = WaitPid(-1, out _, NoHang)) > 0) { }

        return reaped == 0;
    }

    /// <summary>True: a read of the descriptor returns at once. It has bytes, its other end is closed, or it is broken.</summary>
    public static bool HasInput(SafeHandle descriptor)
    {
        var request = new PollRequest { Descriptor = (int)descriptor.DangerousGetHandle(), Events = Readable };
        return Poll(ref request, 1, 0) != 0;
    }

    /// <summary>Reaps one child if it has ended.</summary>
    public static void Reap(int process) => _ = WaitPid(process, out _, NoHang);

    /// <summary>
    /// Reaps adopted children that have ended, until the next one is <paramref name="program"/>, whose exit status only
    /// <see cref="System.Diagnostics.Process"/> may take.
    /// </summary>
    public static void ReapAdopted(int program)
    {
        Span<byte> info = stackalloc byte[InfoBytes];
        while (true)
        {
            info.Clear();
            var failed = WaitId(0, 0, ref MemoryMarshal.GetReference(info), Exited | NoHang | NoWait) != 0;
            var process = MemoryMarshal.Read<int>(info[PidOffset..]);
            if (failed || process == 0 || process == program)
            {
                return;
            }

            Reap(process);
        }
    }

    private static void Require(int result, string call)
    {
        if (result < 0)
        {
            throw new PlatformNotSupportedException($"{call} failed: {Marshal.GetLastPInvokeErrorMessage()}.");
        }
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Control(int option, nuint value, nuint unused3, nuint unused4, nuint unused5);

    [LibraryImport("libc", EntryPoint = "setsid", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetSession();

    [LibraryImport("libc", EntryPoint = "poll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Poll(ref PollRequest request, nuint count, int timeout);

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);

    [LibraryImport("libc", EntryPoint = "waitpid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int WaitPid(int process, out int status, int options);

    [LibraryImport("libc", EntryPoint = "waitid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int WaitId(int idType, uint id, ref byte info, int options);

    /// <summary>struct pollfd.</summary>
    private struct PollRequest
    {
        public int Descriptor;
        public short Events;
        public short Results;
    }
}
