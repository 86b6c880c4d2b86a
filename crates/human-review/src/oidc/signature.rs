//! Checks signatures of tokens with the cryptography that TLS uses here as well: RS256 and ES256, nothing else.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use jsonwebtoken::{
    Algorithm, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind},
    signature::{self, Verifier},
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(unknown()),
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::RS256 | Algorithm::ES256 => Ok(Box::new(KeyOfToken {
            algorithm: *algorithm,
            key: key.clone(),
        })),
        _ => Err(unknown()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes the library check signatures so. May be called again.
pub(super) fn install() {
    // Whoever was first has installed the same.
    let _ = PROVIDER.install_default();
}

fn unknown() -> Error {
    ErrorKind::InvalidAlgorithm.into()
}

/// A public key of the provider.
struct KeyOfToken {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for KeyOfToken {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match (self.algorithm, self.key.kind()) {
            (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            _ => return Err(signature::Error::new()),
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for KeyOfToken {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
