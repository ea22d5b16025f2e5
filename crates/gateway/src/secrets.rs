//! Session tokens and other random names, and the digests that are kept of secrets.
//!
//! What clients are sent is drawn from the gateway's own [`Randomness`], so that a simulation can
//! repeat it. What only names an incident in a log is always the operating system's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use parlor_core::rand::{Rng as _, SeedableRng as _};
use parlor_core::{Digest, GameRng, Seed};
use parlor_protocol::{RoomCode, Secret};
use sha2::{Digest as _, Sha256};

/// Where a gateway's tokens, names and seeds come from.
pub(crate) enum Randomness {
    /// The operating system. Takes no lock of ours.
    System,
    /// A stream that whoever knows its seed can draw again: for simulations alone.
    Foreseeable(Box<Mutex<GameRng>>),
}

impl Randomness {
    /// The stream of a simulation.
    pub(crate) fn foreseeable(seed: u64) -> Self {
        Self::Foreseeable(Box::new(Mutex::new(GameRng::seed_from_u64(seed))))
    }

    /// A new session token: 256 random bits.
    pub(crate) fn new_token(&self) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.draw::<32>()))
    }

    /// Where a room's random numbers come from.
    pub(crate) fn new_seed(&self) -> Seed {
        Seed(self.draw())
    }

    /// A random name for a history or a connection: 16 hexadecimal digits.
    pub(crate) fn new_name(&self) -> String {
        name(self.draw())
    }

    /// A random room code, which may be taken.
    pub(crate) fn new_room_code(&self) -> RoomCode {
        RoomCode::from_number(u64::from_le_bytes(self.draw()))
    }

    /// A random number.
    pub(crate) fn new_number(&self) -> u64 {
        u64::from_le_bytes(self.draw())
    }

    /// A random number below another; `None` below 0 there is none.
    pub(crate) fn below(&self, bound: usize) -> Option<usize> {
        let bound = u64::try_from(bound).ok().filter(|bound| *bound > 0)?;
        usize::try_from(self.new_number() % bound).ok()
    }

    fn draw<const N: usize>(&self) -> [u8; N] {
        match self {
            Self::System => system(),
            Self::Foreseeable(stream) => {
                let mut bytes = [0; N];
                stream.lock().fill_bytes(&mut bytes);
                bytes
            }
        }
    }
}

/// A random name for an incident, by which a log's line is found: 16 hexadecimal digits.
pub(crate) fn new_reference() -> String {
    name(system())
}

/// What is kept of a session token.
pub(crate) fn token_digest(token: &Secret) -> Digest {
    Digest(Sha256::digest(token.expose()).into())
}

/// What is kept of a room's password. Bound to the room, so that equal passwords do not show.
pub(crate) fn password_digest(room: RoomCode, password: &Secret) -> Digest {
    digest_of(&[room.as_str().as_bytes(), password.expose().as_bytes()])
}

/// Of these, one after another.
pub(crate) fn digest_of(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    Digest(hash.finalize().into())
}

fn name(bytes: [u8; 8]) -> String {
    format!("{:016x}", u64::from_le_bytes(bytes))
}

fn system<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has random numbers");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_has_at_least_128_random_bits_and_is_kept_as_a_digest() {
        let (one, two) = (Randomness::System.new_token(), Randomness::System.new_token());
        assert_ne!(one, two);
        assert!(one.expose().len() * 6 >= 128);
        assert_ne!(token_digest(&one).0.as_slice(), one.expose().as_bytes());
    }

    #[test]
    fn foreseeable_tokens_are_those_of_their_seed() {
        let draw = |seed| {
            let random = Randomness::foreseeable(seed);
            (random.new_token(), random.new_token(), random.new_name())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1).0, draw(2).0);
        assert_ne!(draw(1).0, draw(1).1);
    }

    #[test]
    fn equal_passwords_of_two_rooms_have_different_digests() {
        let password = Secret::new("open sesame");
        let [one, two] = [1, 2].map(RoomCode::from_number);
        assert_ne!(password_digest(one, &password), password_digest(two, &password));
    }
}
