"""The private certificate authority of a home, and the one certificate that covers every emulated host.

Programs that trust it send Azure's tokens and data to whoever has its key. So it is short-lived, and may vouch for the
emulated hosts alone: what it signs for another host is refused by whoever trusts it (RFC 5280, 4.2.1.10).
"""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import ssl
import tempfile

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scripts.azure.regions import REGIONS
from scripts.files import write_private
from scripts.local.core.home import Home

LIFETIME = datetime.timedelta(days=14)
RENEWED = LIFETIME / 2  # made anew when no more than this is left
# Names, and in the place of * one level of any: the scoring hosts (<endpoint>.<region>.…) need a name a region.
HOSTS = (
    "management.azure.com",
    "login.microsoftonline.com",
    "login.windows.net",
    "*.api.azureml.ms",
    "*.blob.core.windows.net",
    *(f"*.{region}.inference.ml.azure.com" for region in REGIONS),
)
Key = ec.EllipticCurvePrivateKey
Builder = x509.CertificateBuilder
EVERY_ADDRESS = [x509.IPAddress(ipaddress.ip_network(each)) for each in ("0.0.0.0/0", "::/0")]


class Authority:
    """A certificate authority: the certificate that clients trust, and the key that signs."""

    def __init__(self, certificate: x509.Certificate, key: Key) -> None:
        self.certificate, self.key = certificate, key

    @property
    def stale(self) -> bool:
        """Says whether it is to be made anew, long before it ends, or is not what is made today."""
        left = self.certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
        limits = self.certificate.extensions.get_extension_for_class(x509.NameConstraints)
        own = self.certificate.public_key() == self.key.public_key()
        return not RENEWED < left <= LIFETIME or limits.value != _limits() or not own

    def issue(self, *hosts: str) -> tuple[bytes, bytes]:
        """Returns a certificate for hosts, which ends with the authority, and its key, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        ends = self.certificate.not_valid_after_utc
        builder = _builder(_name("server"), self.certificate.subject, ends, key, self.key)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(_usage(digital_signature=True), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return _pem(builder.sign(self.key, hashes.SHA256())), _pem_of_key(key)


def new() -> Authority:
    """Makes an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"authority {secrets.token_hex(8)}")  # of its own, so that no client takes it for the one before
    builder = _builder(name, name, datetime.datetime.now(datetime.UTC) + LIFETIME, key, key)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(key_cert_sign=True), critical=True).add_extension(_limits(), critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def authority(home: Home) -> Authority:
    """Returns the home's authority; it is made anew where it is stale, damaged, or not there."""
    try:
        certificate = x509.load_pem_x509_certificate(home.authority.read_bytes())
        key = serialization.load_pem_private_key(home.authority_key.read_bytes(), None)
        assert isinstance(key, Key)
        certificate.verify_directly_issued_by(certificate)
        found = Authority(certificate, key)
        if not found.stale:
            return found
    except (FileNotFoundError, ValueError, TypeError, AssertionError, x509.ExtensionNotFound):
        pass
    except (InvalidSignature, UnsupportedAlgorithm):  # a bit of it is another than was written
        pass
    made = new()
    write_private(home.authority_key, _pem_of_key(made.key))
    write_private(home.authority, _pem(made.certificate))
    return made


def renew(home: Home, context: ssl.SSLContext) -> None:
    """Gives a TLS context a fresh certificate, of the home's authority; connections that are open go on."""
    certificate, key = authority(home).issue(*HOSTS)
    with tempfile.NamedTemporaryFile(dir=home.root, suffix=".pem") as file:  # Python reads it from a file only
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(file.name)


def _limits() -> x509.NameConstraints:
    """Returns what an authority may vouch for: names under the emulated hosts, and no address."""
    permitted = [x509.DNSName(host.removeprefix("*.")) for host in HOSTS]
    return x509.NameConstraints(permitted, EVERY_ADDRESS)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Azure ML on localhost: {text}")])


def _builder(subject: x509.Name, issuer: x509.Name, ends: datetime.datetime, key: Key, signer: Key) -> Builder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5))  # clocks differ
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


def _usage(digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=key_cert_sign, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem_of_key(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
