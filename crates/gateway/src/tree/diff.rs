//! What has changed from one tree to the next, as the operations of RFC 6902: add, remove, replace.
//!
//! Maps are compared by key and lists by place, after what is the same at both ends of a list has been
//! set aside. Wherever a part takes fewer bytes replaced whole than changed piece by piece, it is
//! replaced. One walk over both trees; nothing is copied but paths.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use serde::ser::{SerializeSeq as _, SerializeStruct as _};
use serde::{Serialize, Serializer};

use super::{Node, Tree, Value};

/// The operations that make one tree of another, in order.
#[derive(Debug, Default)]
pub(crate) struct Patch {
    ops: Vec<Op>,
    /// The paths of all operations, one after the other.
    paths: String,
}

#[derive(Debug)]
struct Op {
    kind: Kind,
    path: Range<usize>,
    /// Where the new value stands in the new tree; for a removal nothing.
    value: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Add,
    Remove,
    Replace,
}

impl Patch {
    /// What makes `new` of `old`, neither of which is empty. `None` when that is to replace all of it.
    pub(crate) fn between(old: &Tree, new: &Tree) -> Option<Self> {
        let mut differ = Differ { old, new, patch: Self::default(), path: Vec::new() };
        differ.values(0, 0);
        let Differ { patch, .. } = differ;
        // Only the root has no path.
        let is_whole = patch.ops.first().is_some_and(|op| op.path.is_empty());
        (!is_whole).then_some(patch)
    }

    /// The operations, with their values, ready for a codec. `new` is the tree that they lead to.
    pub(crate) fn with<'a>(&'a self, new: &'a Tree) -> impl Serialize + 'a {
        Ops { patch: self, new }
    }
}

struct Differ<'a> {
    old: &'a Tree,
    new: &'a Tree,
    patch: Patch,
    /// Where the walk is. Written out only where something has changed.
    path: Vec<Segment<'a>>,
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Key(&'a str),
    Place(usize),
}

impl<'a> Differ<'a> {
    fn values(&mut self, old_at: usize, new_at: usize) {
        let ops_before = self.patch.ops.len();
        let paths_before = self.patch.paths.len();
        match (self.old.node(old_at), self.new.node(new_at)) {
            (Node::Map { len: old_len, .. }, Node::Map { len: new_len, .. }) => {
                self.maps((old_at, old_len), (new_at, new_len));
            }
            (Node::List { len: old_len, .. }, Node::List { len: new_len, .. }) => {
                self.lists((old_at, old_len), (new_at, new_len));
            }
            (old, new) => {
                if !self.old.same_node(old, self.new, new) {
                    self.push(Kind::Replace, new_at);
                }
                return;
            }
        }
        // One operation inside is never longer than all of it, but for its path.
        let inside = &self.patch.ops[ops_before..];
        if inside.len() > 1 {
            let pieces: usize = inside.iter().map(|op| self.cost(op)).sum();
            let path: usize = self.path.iter().map(Segment::bytes_about).sum();
            let whole = OP_BYTES + path + self.bytes_about(new_at);
            if whole <= pieces {
                self.patch.ops.truncate(ops_before);
                self.patch.paths.truncate(paths_before);
                self.push(Kind::Replace, new_at);
            }
        }
    }

    fn maps(&mut self, (old_at, old_len): (usize, u32), (new_at, new_len): (usize, u32)) {
        let (mut old_at, mut new_at) = (old_at + 1, new_at + 1);
        let (mut old_left, mut new_left) = (old_len, new_len);
        // Mostly the keys are the same, in the same order.
        while old_left > 0 && new_left > 0 && self.old.key(old_at) == self.new.key(new_at) {
            self.at(Segment::Key(self.old.key(old_at)), |differ| {
                differ.values(old_at + 1, new_at + 1);
            });
            (old_at, new_at) = (self.old.after(old_at + 1), self.new.after(new_at + 1));
            (old_left, new_left) = (old_left - 1, new_left - 1);
        }
        if old_left == 0 && new_left == 0 {
            return;
        }

        let (old, new) = (self.old, self.new);
        let mut added: HashMap<&str, usize> = HashMap::with_capacity(new_left as usize);
        let first_new = new_at;
        for _ in 0..new_left {
            added.insert(new.key(new_at), new_at + 1);
            new_at = new.after(new_at + 1);
        }
        for _ in 0..old_left {
            let key = old.key(old_at);
            self.at(Segment::Key(key), |differ| match added.remove(key) {
                Some(new_value) => differ.values(old_at + 1, new_value),
                None => differ.push(Kind::Remove, 0),
            });
            old_at = old.after(old_at + 1);
        }
        // In the order of the tree, not of the hashes.
        new_at = first_new;
        for _ in 0..new_left {
            let key = new.key(new_at);
            if added.contains_key(key) {
                self.at(Segment::Key(key), |differ| differ.push(Kind::Add, new_at + 1));
            }
            new_at = new.after(new_at + 1);
        }
    }

    fn lists(&mut self, (old_at, old_len): (usize, u32), (new_at, new_len): (usize, u32)) {
        let old_items = items(self.old, old_at, old_len);
        let new_items = items(self.new, new_at, new_len);
        let (mut old_items, mut new_items) = (&*old_items, &*new_items);
        let mut place = 0;
        while let ([old_first, old_rest @ ..], [new_first, new_rest @ ..]) = (old_items, new_items)
            && self.old.same(*old_first, self.new, *new_first)
        {
            (old_items, new_items) = (old_rest, new_rest);
            place += 1;
        }
        while let ([old_rest @ .., old_last], [new_rest @ .., new_last]) = (old_items, new_items)
            && self.old.same(*old_last, self.new, *new_last)
        {
            (old_items, new_items) = (old_rest, new_rest);
        }

        let both = old_items.len().min(new_items.len());
        for (offset, (old_item, new_item)) in old_items.iter().zip(new_items).enumerate() {
            self.at(Segment::Place(place + offset), |differ| differ.values(*old_item, *new_item));
        }
        for (offset, new_item) in new_items.iter().enumerate().skip(both) {
            self.at(Segment::Place(place + offset), |differ| differ.push(Kind::Add, *new_item));
        }
        // From the end, so that places stay what they are.
        for offset in (both..old_items.len()).rev() {
            self.at(Segment::Place(place + offset), |differ| differ.push(Kind::Remove, 0));
        }
    }

    /// Goes on one level further down.
    fn at(&mut self, segment: Segment<'a>, go_on: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        go_on(self);
        self.path.pop();
    }

    fn push(&mut self, kind: Kind, value: usize) {
        let paths = &mut self.patch.paths;
        let start = paths.len();
        for segment in &self.path {
            segment.write(paths);
        }
        self.patch.ops.push(Op { kind, path: start..paths.len(), value });
    }

    /// The bytes that an operation takes in JSON, about.
    fn cost(&self, op: &Op) -> usize {
        let value = if op.kind == Kind::Remove { 0 } else { self.bytes_about(op.value) };
        OP_BYTES + op.path.len() + value
    }

    /// The bytes that a value of the new tree takes in JSON, about.
    fn bytes_about(&self, at: usize) -> usize {
        let nodes = &self.new.nodes[at..self.new.after(at)];
        let bytes = |node: &Node| match *node {
            Node::Null | Node::Bool(_) => 5,
            Node::Unsigned(value) => 2 + value.checked_ilog10().unwrap_or(0) as usize,
            Node::Signed(value) => 3 + value.unsigned_abs().ilog10() as usize,
            Node::F32(_) => 8,
            Node::F64(_) => 12,
            Node::Text { start, end } => 3 + (end - start) as usize,
            Node::List { .. } | Node::Map { .. } => 3,
        };
        nodes.iter().map(bytes).sum()
    }
}

impl Segment<'_> {
    /// Writes it as a part of a JSON Pointer (RFC 6901).
    fn write(self, path: &mut String) {
        path.push('/');
        match self {
            Self::Key(key) if !key.contains(['~', '/']) => path.push_str(key),
            Self::Key(key) => path.push_str(&key.replace('~', "~0").replace('/', "~1")),
            Self::Place(place) => write!(path, "{place}").expect("a string takes everything"),
        }
    }

    fn bytes_about(&self) -> usize {
        match self {
            Self::Key(key) => 1 + key.len(),
            Self::Place(_) => 3,
        }
    }
}

/// `{"op":"replace","path":"","value":},` in JSON, about.
const OP_BYTES: usize = 36;

/// Where the items of the list at `at` stand.
fn items(tree: &Tree, at: usize, len: u32) -> Vec<usize> {
    let mut at = at + 1;
    (0..len)
        .map(|_| {
            let item = at;
            at = tree.after(at);
            item
        })
        .collect()
}

struct Ops<'a> {
    patch: &'a Patch,
    new: &'a Tree,
}

impl Serialize for Ops<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { patch, new } = *self;
        let mut ops = serializer.serialize_seq(Some(patch.ops.len()))?;
        for op in &patch.ops {
            let path = &patch.paths[op.path.clone()];
            let value = (op.kind != Kind::Remove).then_some(Value { tree: new, at: op.value });
            ops.serialize_element(&OneOp { kind: op.kind, path, value })?;
        }
        ops.end()
    }
}

struct OneOp<'a> {
    kind: Kind,
    path: &'a str,
    value: Option<Value<'a>>,
}

impl Serialize for OneOp<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.kind {
            Kind::Add => "add",
            Kind::Remove => "remove",
            Kind::Replace => "replace",
        };
        let mut op =
            serializer.serialize_struct("PatchOp", 2 + usize::from(self.value.is_some()))?;
        op.serialize_field("op", name)?;
        op.serialize_field("path", self.path)?;
        match &self.value {
            Some(value) => op.serialize_field("value", value)?,
            None => op.skip_field("value")?,
        }
        op.end()
    }
}
