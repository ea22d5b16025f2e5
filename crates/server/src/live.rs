//! What of the settings may change while the server runs, and what is judged by it.

use std::net::SocketAddr;

use hyper::HeaderMap;
use parlor_protocol::Secret;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    config::{NodeOrigin, Origin, ServerConfig},
    visitor::{Proxies, Visitor, key_of},
};

/// The settings that hold now. Swapped whole when they are read again.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) allowed_origins: Vec<Origin>,
    pub(crate) other_nodes: Vec<NodeOrigin>,
    pub(crate) proxies: Proxies,
    pub(crate) loopback_limited: bool,
    admin_token: Option<Secret>,
}

impl Live {
    pub(crate) fn of(config: &ServerConfig) -> Self {
        Self {
            allowed_origins: config.allowed_origins.clone(),
            other_nodes: config.other_nodes.clone(),
            proxies: Proxies {
                trusted: config.trusted_proxies.clone(),
                header: config.proxy_header,
            },
            loopback_limited: config.loopback_limited,
            admin_token: config.admin_token.clone(),
        }
    }

    /// Who asks, as far as it can be known.
    pub(crate) fn visitor(&self, peer: SocketAddr, by_tls: bool, headers: &HeaderMap) -> Visitor {
        let address = self.proxies.client(peer.ip(), headers);
        Visitor {
            address,
            key: key_of(address, self.loopback_limited),
            is_secure: by_tls || self.proxies.is_secure(peer.ip(), headers),
        }
    }

    /// Whether this is the administrator's token. Takes as long for any that is not.
    pub(crate) fn is_admin_token(&self, token: &str) -> bool {
        // Digests are equally long, so that nothing tells how long the token is.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        self.admin_token.as_ref().is_some_and(|admin| {
            digest(admin.expose()).as_slice().ct_eq(digest(token).as_slice()).into()
        })
    }

    /// What the administrator must know, if there is one.
    pub(crate) fn admin_token(&self) -> Option<&str> {
        self.admin_token.as_ref().map(Secret::expose)
    }

    /// Whether there is an administrator at all.
    pub(crate) fn has_admin(&self) -> bool {
        self.admin_token.is_some()
    }
}
