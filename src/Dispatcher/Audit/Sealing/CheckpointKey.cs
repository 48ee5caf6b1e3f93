using System.Security.Cryptography;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// The private key that signs checkpoints. It is never stored in the database, because the owner of the database could sign a forged
/// history with it.
/// </summary>
internal sealed class CheckpointKey : IDisposable
{
    private readonly ECDsa _key;

    private CheckpointKey(ECDsa key)
    {
        _key = key;
        Id = IdOf(key);
    }

    /// <summary>The first 16 hexadecimal digits of the SHA-256 of the public key (SubjectPublicKeyInfo, DER).</summary>
    public string Id { get; }

    public static CheckpointKey Create() => new(ECDsa.Create(ECCurve.NamedCurves.nistP256));

    /// <summary>Reads a key from PEM. Throws if it is not a private key of curve P-256.</summary>
    public static CheckpointKey Read(string pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            return key.KeySize == 256 && key.ExportParameters(includePrivateParameters: true).D is not null
                ? new CheckpointKey(key)
                : throw new CryptographicException("It is not a private key of curve P-256.");
        }
        catch
        {
            key.Dispose();
            throw;
        }
    }

    public static string IdOf(ECDsa key) => Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()))[..16];

    public TimelineCheckpoint Sign(TimelineCheckpoint checkpoint)
    {
        var unsigned = checkpoint with { KeyId = Id };
        return unsigned with { Signature = Sign(unsigned.SignedText()) };
    }

    public Retention Sign(Retention retention)
    {
        var unsigned = retention with { KeyId = Id };
        return unsigned with { Signature = Sign(unsigned.SignedText()) };
    }

    public bool HasSigned(TimelineCheckpoint checkpoint) => checkpoint.KeyId == Id && IsSigned(checkpoint, _key);

    public bool HasSigned(Retention retention) => retention.KeyId == Id && IsSigned(retention, _key);

    public static bool IsSigned(TimelineCheckpoint checkpoint, ECDsa key) => Verify(checkpoint.SignedText(), checkpoint.Signature, key);

    public static bool IsSigned(Retention retention, ECDsa key) => Verify(retention.SignedText(), retention.Signature, key);

    public string PrivatePem() => _key.ExportPkcs8PrivateKeyPem();

    public string PublicPem() => _key.ExportSubjectPublicKeyInfoPem();

    public void Dispose() => _key.Dispose();

    private byte[] Sign(byte[] text) => _key.SignData(text, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    private static bool Verify(byte[] text, byte[] signature, ECDsa key) =>
        key.VerifyData(text, signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);
}
