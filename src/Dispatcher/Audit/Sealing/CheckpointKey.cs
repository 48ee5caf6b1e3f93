using System.Security.Cryptography;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Audit.Sealing;

/// <summary>The private key that signs checkpoints. It never lies in the database, whose owner could sign a history of his own with it.</summary>
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

    /// <summary>From PEM. Throws when it is no private key of P-256.</summary>
    public static CheckpointKey Read(string pem)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            return key.KeySize == 256 && key.ExportParameters(includePrivateParameters: true).D is not null
                ? new CheckpointKey(key)
                : throw new CryptographicException("It is no private key of curve P-256.");
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
        var own = checkpoint with { KeyId = Id };
        return own with { Signature = _key.SignData(own.SignedText(), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) };
    }

    public bool HasSigned(TimelineCheckpoint checkpoint) => checkpoint.KeyId == Id && IsSigned(checkpoint, _key);

    public static bool IsSigned(TimelineCheckpoint checkpoint, ECDsa key) =>
        key.VerifyData(checkpoint.SignedText(), checkpoint.Signature, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence);

    public string PrivatePem() => _key.ExportPkcs8PrivateKeyPem();

    public string PublicPem() => _key.ExportSubjectPublicKeyInfoPem();

    public void Dispose() => _key.Dispose();
}
