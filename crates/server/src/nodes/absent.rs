//! In place of `nodes.rs` in a program that was built without the feature `redis`.

use parlor_server::Server;

use crate::settings::Settings;

/// There are no others.
pub(crate) enum Nodes {}

impl Nodes {
    /// Refused where there are to be some.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, String> {
        match settings.redis.0 {
            Some(_) => Err("this program was built without the feature `redis`".to_owned()),
            None => Ok(None),
        }
    }

    /// Never called.
    pub(crate) fn join(self, _: Server) -> Result<Server, String> {
        match self {}
    }
}
