//! Access tokens that are JSON Web Tokens (RFC 7519), as account services give them out.
//!
//! Who issued one is known by a key: a secret that both sides have (HS256), or the issuer's public keys, EdDSA or
//! RS256, in a JWK set (RFC 7517). The algorithm is the key's and never what a token says of itself.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use arc_swap::ArcSwap;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, JwkSet},
};
use parlor_gateway::{AuthenticateError, Authenticator, Identity};
use parlor_protocol::{PlayerName, Secret};
use serde::Deserialize;

/// Believes whoever bears a token that is signed by a key that is known here, not expired, and meant for us.
///
/// Its `sub` is the [subject](Identity::subject), its `name`, if it has one that can be a player's, the name.
pub struct Jwt {
    source: Source,
    keys: ArcSwap<Vec<Key>>,
    validation: Validation,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// The file could not be read.
    #[error("cannot read {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// None of the keys is of a kind that is used here.
    #[error("no key in {0} is for EdDSA on Ed25519 or for RS256")]
    NoKeys(PathBuf),
}

enum Source {
    Secret,
    Jwks(PathBuf),
}

/// A key and what it is for.
struct Key {
    /// The name by which a token says that it was signed with this one.
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    name: Option<String>,
}

impl Jwt {
    /// Signed by HS256 with a secret that the issuer shares with us.
    pub fn with_secret(secret: &Secret) -> Self {
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        let key = Key { id: None, algorithm: Algorithm::HS256, key };
        Self::new(Source::Secret, vec![key])
    }

    /// Signed with one of the keys in a file that holds a JWK set.
    pub fn with_jwks(path: impl Into<PathBuf>) -> Result<Self, JwtError> {
        let path = path.into();
        let keys = read(&path)?;
        Ok(Self::new(Source::Jwks(path), keys))
    }

    /// Only tokens of this issuer (`iss`).
    #[must_use]
    pub fn of_issuer(mut self, issuer: &str) -> Self {
        self.validation.set_issuer(&[issuer]);
        self.validation.required_spec_claims.insert("iss".to_owned());
        self
    }

    /// Only tokens for this audience (`aud`). Without it, only such as name none.
    #[must_use]
    pub fn for_audience(mut self, audience: &str) -> Self {
        self.validation.set_audience(&[audience]);
        self.validation.required_spec_claims.insert("aud".to_owned());
        self
    }

    /// Reads the keys again, if they come from a file. When that fails they stay as they were.
    pub fn read_again(&self) -> Result<(), JwtError> {
        if let Source::Jwks(path) = &self.source {
            self.keys.store(read(path)?.into());
        }
        Ok(())
    }

    fn new(source: Source, keys: Vec<Key>) -> Self {
        let mut validation = Validation::default();
        validation.set_required_spec_claims(&["exp", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECONDS;
        Self { source, keys: ArcSwap::from_pointee(keys), validation }
    }

    fn check(&self, token: &str) -> Result<Identity, AuthenticateError> {
        let malformed = AuthenticateError::Refused("the access token is not a JSON Web Token");
        let header = decode_header(token).map_err(|_| malformed)?;
        let keys = self.keys.load();
        let fits = |key: &&Key| {
            key.algorithm == header.alg && (header.kid.is_none() || key.id == header.kid)
        };
        let mut refused = "no key that is known here has signed the access token";
        for key in keys.iter().filter(fits) {
            let mut validation = self.validation.clone();
            validation.algorithms = vec![key.algorithm];
            match decode::<Claims>(token, &key.key, &validation) {
                Ok(token) => return Ok(identity(token.claims)),
                Err(error) => match error.kind() {
                    ErrorKind::InvalidSignature => {}
                    kind => refused = reason(kind),
                },
            }
        }
        Err(AuthenticateError::Refused(refused))
    }
}

impl Authenticator for Jwt {
    async fn authenticate(&self, token: &Secret) -> Result<Identity, AuthenticateError> {
        self.check(token.expose())
    }
}

fn identity(claims: Claims) -> Identity {
    let mut identity = Identity::new(claims.sub);
    // An account whose name cannot be a player's lets the player choose one.
    identity.name = claims.name.and_then(|name| PlayerName::parse(&name).ok());
    identity
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "the access token has expired",
        ErrorKind::ImmatureSignature => "the access token is not valid yet",
        ErrorKind::InvalidIssuer => "the access token is of another issuer",
        ErrorKind::InvalidAudience => "the access token is for someone else",
        ErrorKind::MissingRequiredClaim(_) => {
            "the access token lacks a claim: exp and sub are needed"
        }
        _ => "the access token is not valid",
    }
}

fn read(path: &Path) -> Result<Vec<Key>, JwtError> {
    let file = |reason: String| JwtError::File { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(|error| file(error.to_string()))?;
    let set: JwkSet = serde_json::from_str(&text).map_err(|error| file(error.to_string()))?;
    let keys: Vec<Key> = set
        .keys
        .iter()
        .filter_map(|jwk| {
            let algorithm = match &jwk.algorithm {
                AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                    Algorithm::EdDSA
                }
                AlgorithmParameters::RSA(_) => Algorithm::RS256,
                _ => return None,
            };
            let key = DecodingKey::from_jwk(jwk).ok()?;
            Some(Key { id: jwk.common.key_id.clone(), algorithm, key })
        })
        .collect();
    if keys.is_empty() { Err(JwtError::NoKeys(path.to_owned())) } else { Ok(keys) }
}

/// Shows no key.
impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt").field("keys", &self.keys.load().len()).finish_non_exhaustive()
    }
}

/// By how much clocks may differ.
const LEEWAY_SECONDS: u64 = 30;
