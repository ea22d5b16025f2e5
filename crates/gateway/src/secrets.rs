//! Session tokens and other random names, and the digests that are kept of secrets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parlor_core::{Digest, Seed};
use parlor_protocol::{RoomCode, Secret};
use sha2::{Digest as _, Sha256};

/// A new session token: 256 random bits.
pub(crate) fn new_token() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(random::<32>()))
}

/// What is kept of a session token.
pub(crate) fn token_digest(token: &Secret) -> Digest {
    Digest(Sha256::digest(token.expose()).into())
}

/// What is kept of a room's password. Bound to the room, so that equal passwords do not show.
pub(crate) fn password_digest(room: RoomCode, password: &Secret) -> Digest {
    let mut hash = Sha256::new();
    hash.update(room.as_str());
    hash.update(password.expose());
    Digest(hash.finalize().into())
}

/// Where a room's random numbers come from.
pub(crate) fn new_seed() -> Seed {
    Seed(random())
}

/// A random name for a history, a connection or an incident: 16 hexadecimal digits.
pub(crate) fn new_name() -> String {
    format!("{:016x}", u64::from_ne_bytes(random()))
}

/// A random room code, which may be taken.
pub(crate) fn new_room_code() -> RoomCode {
    RoomCode::from_number(u64::from_ne_bytes(random()))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_has_at_least_128_random_bits_and_is_kept_as_a_digest() {
        let (one, two) = (new_token(), new_token());
        assert_ne!(one, two);
        assert!(one.expose().len() * 6 >= 128);
        assert_ne!(token_digest(&one).0.as_slice(), one.expose().as_bytes());
    }

    #[test]
    fn equal_passwords_of_two_rooms_have_different_digests() {
        let password = Secret::new("open sesame");
        let [one, two] = [1, 2].map(RoomCode::from_number);
        assert_ne!(password_digest(one, &password), password_digest(two, &password));
    }
}
