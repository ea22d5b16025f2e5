//! What a codec sees of a view: a tree of plain values, laid out flat.
//!
//! A view is read once into a [`Tree`], whoever gets it. From there it is compared with the last one,
//! its changes are found, and either codec writes it: both write the same tree, whatever the view's own
//! `Serialize` does.
//!
//! The nodes stand in one list in the order in which they are written, and all text in one string, so
//! that a tree takes two allocations, which are [used again](Tree::retire).

mod build;
mod diff;
mod spare;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};

pub(crate) use build::NotATree;
pub(crate) use diff::Patch;

/// A value as both codecs know it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    Null,
    Bool(bool),
    /// Every integer that is not negative.
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
    /// A range of the tree's text.
    Text {
        start: u32,
        end: u32,
    },
    /// So many values follow, the last of which ends before `end`.
    List {
        len: u32,
        end: u32,
    },
    /// So many keys, which are texts, each before its value.
    Map {
        len: u32,
        end: u32,
    },
}

impl Tree {
    /// Reads `value` in place of what was here. After an error nothing is here.
    pub(crate) fn read(&mut self, value: &impl Serialize) -> Result<(), NotATree> {
        self.clear();
        let read = value.serialize(build::Builder { tree: self });
        if read.is_err() {
            self.clear();
        }
        read
    }

    /// The bytes of memory that it uses.
    pub(crate) fn bytes(&self) -> usize {
        self.nodes.len() * size_of::<Node>() + self.text.len()
    }

    /// The bytes of memory that it has, used or not.
    fn capacity(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.text.capacity()
    }

    /// The fewest bytes that it takes in any codec.
    pub(crate) fn bytes_min(&self) -> usize {
        self.nodes.len() + self.text.len()
    }

    fn clear(&mut self) {
        self.nodes.clear();
        self.text.clear();
    }

    fn node(&self, at: usize) -> Node {
        self.nodes[at]
    }

    /// Where the node after the value at `at` is.
    fn after(&self, at: usize) -> usize {
        match self.nodes[at] {
            Node::List { end, .. } | Node::Map { end, .. } => end as usize,
            Node::Null
            | Node::Bool(_)
            | Node::Unsigned(_)
            | Node::Signed(_)
            | Node::F32(_)
            | Node::F64(_)
            | Node::Text { .. } => at + 1,
        }
    }

    fn text(&self, start: u32, end: u32) -> &str {
        &self.text[start as usize..end as usize]
    }

    /// The key at `at`, which the caller knows to be one.
    fn key(&self, at: usize) -> &str {
        match self.nodes[at] {
            Node::Text { start, end } => self.text(start, end),
            other => unreachable!("a key is a text, not {other:?}"),
        }
    }

    /// Whether the value at `at` is the same as that at `other_at` in `other`.
    fn same(&self, at: usize, other: &Self, other_at: usize) -> bool {
        let (end, other_end) = (self.after(at), other.after(other_at));
        // Lists and maps of equal lengths whose nodes are all the same, in order, have the same shape.
        end - at == other_end - other_at
            && self.nodes[at..end]
                .iter()
                .zip(&other.nodes[other_at..other_end])
                .all(|(one, two)| self.same_node(*one, other, *two))
    }

    fn same_node(&self, one: Node, other: &Self, two: Node) -> bool {
        match (one, two) {
            (Node::Null, Node::Null) => true,
            (Node::Bool(one), Node::Bool(two)) => one == two,
            (Node::Unsigned(one), Node::Unsigned(two)) => one == two,
            (Node::Signed(one), Node::Signed(two)) => one == two,
            (Node::F32(one), Node::F32(two)) => one.to_bits() == two.to_bits(),
            (Node::F64(one), Node::F64(two)) => one.to_bits() == two.to_bits(),
            (Node::Text { start, end }, Node::Text { start: start_2, end: end_2 }) => {
                self.text(start, end) == other.text(start_2, end_2)
            }
            (Node::List { len, .. }, Node::List { len: len_2, .. })
            | (Node::Map { len, .. }, Node::Map { len: len_2, .. }) => len == len_2,
            _ => false,
        }
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.nodes.len() == other.nodes.len() && (self.nodes.is_empty() || self.same(0, other, 0))
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.nodes.is_empty() {
            return serializer.serialize_unit();
        }
        Value { tree: self, at: 0 }.serialize(serializer)
    }
}

/// The value at a place of a tree.
struct Value<'a> {
    tree: &'a Tree,
    at: usize,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { tree, at } = *self;
        match tree.node(at) {
            Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(value),
            Node::Unsigned(value) => serializer.serialize_u64(value),
            Node::Signed(value) => serializer.serialize_i64(value),
            Node::F32(value) => serializer.serialize_f32(value),
            Node::F64(value) => serializer.serialize_f64(value),
            Node::Text { start, end } => serializer.serialize_str(tree.text(start, end)),
            Node::List { len, .. } => {
                let mut list = serializer.serialize_seq(Some(len as usize))?;
                let mut at = at + 1;
                for _ in 0..len {
                    list.serialize_element(&Value { tree, at })?;
                    at = tree.after(at);
                }
                list.end()
            }
            Node::Map { len, .. } => {
                let mut map = serializer.serialize_map(Some(len as usize))?;
                let mut at = at + 1;
                for _ in 0..len {
                    map.serialize_entry(tree.key(at), &Value { tree, at: at + 1 })?;
                    at = tree.after(at + 1);
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests;
