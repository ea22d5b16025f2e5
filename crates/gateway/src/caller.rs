//! Who opened a connection, as far as it is known.

use std::sync::Arc;

use crate::identity::Identity;
use crate::quotas::AddressPlace;

/// Who is at the other end. [`Caller::default`] is nobody in particular, for whom no limit by address holds.
#[derive(Debug, Default)]
pub struct Caller {
    /// The address that it comes from, as one of those that the address has.
    pub place: Option<AddressPlace>,
    /// Who it has shown itself to be.
    pub identity: Option<Arc<Identity>>,
}
