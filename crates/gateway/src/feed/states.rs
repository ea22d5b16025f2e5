//! A room's state on its way to those who look at it.
//!
//! Each group of viewers has its own view, read once into a tree when a commit is staged and compared with
//! the last. Whoever holds the last view gets what has changed, where the room sends patches; everyone else
//! gets the whole view, as does a socket at which a state still waits, for it has yet to see the last.
//! What is sent is encoded once for each group and codec, when the first socket needs it.

use std::sync::Arc;

use parlor_core::{Commit, Game, ViewKey, Viewer};
use parlor_protocol as wire;
use parlor_protocol::{Codec, EventType};
use serde::Serialize;

use super::{Feed, Member, key_of};
use crate::encode::{Unencodable, encode_event, read_tree};
use crate::outbox::Class;
use crate::to_wire;
use crate::tree::{Patch, Tree};

/// A message's bytes by codec; empty where no socket uses it.
pub(super) type Payloads = [Option<Arc<[u8]>>; Codec::ALL.len()];

/// The state as a group of viewers has it.
pub(super) struct Seen {
    key: ViewKey,
    /// The version that it was sent as. Later ones look the same.
    version: u64,
    tree: Tree,
}

/// What a socket has of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Holds {
    /// The number up to which its greeting told it everything.
    pub(crate) seq: u64,
    /// The version that it was told last, if that is known.
    pub(crate) version: Option<u64>,
    /// Whether that looks the same as what was last shown to its group.
    pub(crate) is_current: bool,
    /// Whether a patch may build on it.
    pub(crate) takes_patch: bool,
}

/// A state that is about to be shown.
pub(super) struct StagedState {
    groups: Vec<Group>,
    /// The number it takes, if anyone may see a difference.
    seq: Option<u64>,
    version: u64,
    phase: wire::Phase,
    /// Whether everyone gets the whole view.
    is_whole: bool,
}

/// A group's view of a state that is about to be shown.
struct Group {
    key: ViewKey,
    tree: Tree,
    /// The version of the group's last view, if it had one.
    former: Option<u64>,
    is_changed: bool,
    patch: Option<Patch>,
    wholes: Payloads,
    patches: Payloads,
}

impl Feed {
    /// Reads the views of `commit`, which shows the room's state, and compares them with the last.
    /// `seq` is the number that it may take. Gives whether it does.
    pub(super) fn stage_state<G: Game>(
        &mut self,
        commit: &Commit<G>,
        seq: u64,
    ) -> Result<bool, Unencodable> {
        let snapshot = commit.snapshot();
        let mut groups = Vec::with_capacity(commit.views.len());
        for (key, view) in &commit.views {
            groups.push(self.group(*key, view, commit.whole_state)?);
        }
        // Those who are away cannot be compared with: they may see a difference.
        let is_seen = commit.whole_state
            || groups.iter().any(|group: &Group| group.is_changed)
            || self.is_anyone_away()
            || self.has_new_role(&snapshot.roster)
            || self.desks.iter().any(|desk| !desk.holds.is_current);
        self.staged_state = Some(StagedState {
            groups,
            seq: is_seen.then_some(seq),
            version: snapshot.version,
            phase: to_wire::phase(snapshot.phase),
            is_whole: commit.whole_state,
        });
        Ok(is_seen)
    }

    fn group<V: Serialize>(
        &mut self,
        key: ViewKey,
        view: &V,
        is_whole: bool,
    ) -> Result<Group, Unencodable> {
        let mut tree = Tree::spare();
        read_tree(view, &mut tree)?;
        let former = self.seen(key);
        let is_changed = former.is_none_or(|former| former.tree != tree);
        let patch = match former {
            Some(former) if self.sends_patches && is_changed && !is_whole => {
                Patch::between(&former.tree, &tree)
            }
            Some(_) | None => None,
        };
        let former = former.map(|former| former.version);
        let (wholes, patches) = Default::default();
        Ok(Group { key, tree, former, is_changed, patch, wholes, patches })
    }

    fn seen(&self, key: ViewKey) -> Option<&Seen> {
        let place = self.seen.binary_search_by_key(&key, |seen| seen.key).ok()?;
        Some(&self.seen[place])
    }

    /// Sends the staged state to everyone who does not have it.
    pub(super) fn deliver_state<G: Game>(&mut self, game: &G, mut staged: StagedState) {
        self.version = staged.version;
        if let Some(seq) = staged.seq {
            self.seq = seq;
            self.state_seq = seq;
            let has_delay = self.delay.is_some();
            self.send_state(&mut staged, seq, |member, _| {
                let is_late = has_delay && member.viewer == Viewer::Spectator;
                if is_late { None } else { key_of(game, member.viewer) }
            });
        }
        let StagedState { groups, version, is_whole, .. } = staged;
        let seen = groups.into_iter().map(|group| {
            let Group { key, mut tree, former, is_changed, .. } = group;
            tree.settle();
            let version = match former {
                Some(former) if !is_changed && !is_whole => former,
                Some(_) | None => version,
            };
            Seen { key, version, tree }
        });
        for retired in std::mem::replace(&mut self.seen, seen.collect()) {
            retired.tree.retire();
        }
    }

    /// Sends a state to those for whom `key_for` gives the group whose view they get.
    pub(super) fn send_state(
        &mut self,
        staged: &mut StagedState,
        seq: u64,
        key_for: impl Fn(&Member, Holds) -> Option<ViewKey>,
    ) {
        let StagedState { groups, version, phase, is_whole, .. } = staged;
        // Every member has a desk, and both stand by rising player id.
        let mut desks = self.desks.iter_mut();
        let mut place = 0;
        for member in self.members.iter() {
            let Some(desk) = desks.find(|desk| desk.player == member.hold.player) else { break };
            let holds = &mut desk.holds;
            let Some(key) = key_for(member, *holds) else { continue };
            // Mostly the group of the one before.
            if groups.get(place).is_none_or(|group| group.key != key) {
                let found = groups.binary_search_by_key(&key, |group| group.key);
                let Ok(found) = found else { continue };
                place = found;
            }
            let group = &mut groups[place];

            let was_told = holds.version == Some(*version);
            let has_it = (was_told || holds.is_current) && !group.is_changed;
            if has_it && !*is_whole {
                holds.is_current = true;
                continue;
            }
            let codec = member.outlet.codec;
            let takes_patch = !*is_whole
                && group.patch.is_some()
                && holds.takes_patch
                && holds.is_current
                && group.former == holds.version;
            let patch =
                if takes_patch { group.shorter_patch(codec, seq, *version, *phase) } else { None };
            let wakes = &mut self.wakes;
            let is_patched =
                patch.is_some_and(|patch| member.outlet.push_patch_among(patch, wakes));
            if !is_patched {
                let whole = group.whole(codec, seq, *version, *phase);
                member.outlet.push_among(whole, Class::State, wakes);
            }
            holds.version = Some(*version);
            (holds.is_current, holds.takes_patch) = (true, true);
        }
    }
}

impl StagedState {
    /// A state for a single group, which had the tree of a version before.
    pub(super) fn of_one(
        (key, tree): (ViewKey, Tree),
        (former, former_tree): (u64, &Tree),
        (version, phase): (u64, wire::Phase),
        is_whole: bool,
        sends_patches: bool,
    ) -> Self {
        let is_changed = *former_tree != tree;
        let patch = if sends_patches && is_changed && !is_whole {
            Patch::between(former_tree, &tree)
        } else {
            None
        };
        let (wholes, patches) = Default::default();
        let group = Group { key, tree, former: Some(former), is_changed, patch, wholes, patches };
        Self { groups: vec![group], seq: None, version, phase, is_whole }
    }

    pub(super) fn seq(&self) -> Option<u64> {
        self.seq
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn phase(&self) -> wire::Phase {
        self.phase
    }

    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// What the group sees of it.
    pub(super) fn tree_of(&self, key: ViewKey) -> Option<&Tree> {
        self.groups.iter().find(|group| group.key == key).map(|group| &group.tree)
    }

    /// What the first group sees of it.
    pub(super) fn into_tree(self) -> Option<Tree> {
        self.groups.into_iter().next().map(|group| group.tree)
    }
}

impl Group {
    /// The whole view.
    fn whole(&mut self, codec: Codec, seq: u64, version: u64, phase: wire::Phase) -> Arc<[u8]> {
        let payload = self.wholes[codec as usize].get_or_insert_with(|| {
            let data = wire::RoomState { version, phase, state: &self.tree };
            encode_event(codec, EventType::RoomState, Some(seq), &data)
                .expect("a tree can be encoded")
        });
        Arc::clone(payload)
    }

    /// What has changed since the last view, unless the whole view is shorter.
    fn shorter_patch(
        &mut self,
        codec: Codec,
        seq: u64,
        version: u64,
        phase: wire::Phase,
    ) -> Option<Arc<[u8]>> {
        let (base, patch) = (self.former?, self.patch.as_ref()?);
        let payload = self.patches[codec as usize].get_or_insert_with(|| {
            let data = Patched { version, base, ops: patch.with(&self.tree) };
            encode_event(codec, EventType::RoomPatch, Some(seq), &data)
                .expect("a tree can be encoded")
        });
        let payload = Arc::clone(payload);
        // Mostly it is shorter than the whole view can be, which then need not be written.
        let is_shorter = payload.len() <= self.tree.bytes_min()
            || payload.len() < self.whole(codec, seq, version, phase).len();
        is_shorter.then_some(payload)
    }
}

/// A `room_patch`, as [`wire::RoomPatch`] is read.
#[derive(Serialize)]
struct Patched<O> {
    version: u64,
    base: u64,
    ops: O,
}
