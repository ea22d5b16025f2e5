//! Reads any value into a tree, as JSON sees it: keys are text, and a type with one field is that field.

use std::fmt::{self, Write as _};

use serde::ser::{
    Error, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct,
    SerializeStructVariant, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
    Serializer,
};

use super::{Node, Tree};

/// Why a value is no tree: its own `Serialize` refused, a map has keys that are no text, or it is too
/// large. Trying again does not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotATree(String);

impl Error for NotATree {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Appends one value to a tree.
pub(super) struct Builder<'a> {
    pub(super) tree: &'a mut Tree,
}

/// Appends the values of a list, or the keys and values of a map, whose node stands at `at`.
pub(super) struct Items<'a> {
    tree: &'a mut Tree,
    at: usize,
    len: u32,
    is_map: bool,
    /// A variant with content is a map of one: this is its node.
    around: Option<usize>,
}

impl<'a> Builder<'a> {
    fn push(self, node: Node) -> Result<(), NotATree> {
        self.tree.nodes.push(node);
        Ok(())
    }

    fn display(self, text: &(impl fmt::Display + ?Sized)) -> Result<(), NotATree> {
        let start = self.tree.text.len();
        write!(self.tree.text, "{text}").map_err(Error::custom)?;
        self.end_text(start)
    }

    fn end_text(self, start: usize) -> Result<(), NotATree> {
        let (start, end) = (index(start)?, index(self.tree.text.len())?);
        self.push(Node::Text { start, end })
    }

    fn items(self, is_map: bool, around: Option<usize>) -> Items<'a> {
        let at = self.tree.nodes.len();
        // Its length and end are known when it ends.
        self.tree.nodes.push(Node::Null);
        Items { tree: self.tree, at, len: 0, is_map, around }
    }

    /// Opens the map of one that a variant with content is. Gives the place of its node.
    fn variant(&mut self, name: &str) -> Result<usize, NotATree> {
        let at = self.tree.nodes.len();
        self.tree.nodes.push(Node::Null);
        Builder { tree: self.tree }.serialize_str(name)?;
        Ok(at)
    }
}

impl Tree {
    fn close(&mut self, at: usize, len: u32, is_map: bool) -> Result<(), NotATree> {
        let end = index(self.nodes.len())?;
        self.nodes[at] = if is_map { Node::Map { len, end } } else { Node::List { len, end } };
        Ok(())
    }
}

impl Items<'_> {
    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotATree> {
        if !self.is_map {
            self.len += 1;
        }
        value.serialize(Builder { tree: self.tree })
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotATree> {
        self.len += 1;
        key.serialize(Key { tree: self.tree })
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), NotATree> {
        self.len += 1;
        Builder { tree: self.tree }.serialize_str(name)?;
        value.serialize(Builder { tree: self.tree })
    }

    fn close(self) -> Result<(), NotATree> {
        self.tree.close(self.at, self.len, self.is_map)?;
        match self.around {
            Some(at) => self.tree.close(at, 1, true),
            None => Ok(()),
        }
    }
}

fn index(of: usize) -> Result<u32, NotATree> {
    u32::try_from(of).map_err(|_| Error::custom("a view of more than 4 GiB"))
}

impl<'a> Serializer for Builder<'a> {
    type Ok = ();
    type Error = NotATree;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    fn serialize_bool(self, value: bool) -> Result<(), NotATree> {
        self.push(Node::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Result<(), NotATree> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), NotATree> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), NotATree> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), NotATree> {
        self.push(u64::try_from(value).map_or(Node::Signed(value), Node::Unsigned))
    }

    fn serialize_u8(self, value: u8) -> Result<(), NotATree> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), NotATree> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), NotATree> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), NotATree> {
        self.push(Node::Unsigned(value))
    }

    fn serialize_f32(self, value: f32) -> Result<(), NotATree> {
        // JSON has no other numbers; MessagePack would say something else.
        self.push(if value.is_finite() { Node::F32(value) } else { Node::Null })
    }

    fn serialize_f64(self, value: f64) -> Result<(), NotATree> {
        self.push(if value.is_finite() { Node::F64(value) } else { Node::Null })
    }

    fn serialize_char(self, value: char) -> Result<(), NotATree> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), NotATree> {
        let start = self.tree.text.len();
        self.tree.text.push_str(value);
        self.end_text(start)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), NotATree> {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result<(), NotATree> {
        self.push(Node::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotATree> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotATree> {
        self.push(Node::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotATree> {
        self.push(Node::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NotATree> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotATree> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), NotATree> {
        let at = self.variant(variant)?;
        value.serialize(Builder { tree: self.tree })?;
        self.tree.close(at, 1, true)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, NotATree> {
        Ok(self.items(false, None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, NotATree> {
        Ok(self.items(false, None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, NotATree> {
        Ok(self.items(false, None))
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, NotATree> {
        let around = self.variant(variant)?;
        Ok(self.items(false, Some(around)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Items<'a>, NotATree> {
        Ok(self.items(true, None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, NotATree> {
        Ok(self.items(true, None))
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, NotATree> {
        let around = self.variant(variant)?;
        Ok(self.items(true, Some(around)))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), NotATree> {
        self.display(value)
    }
}

/// The traits of lists, and those of maps with named fields, differ in nothing but their names.
macro_rules! list_of_items {
    ($($trait:ident::$method:ident),*) => {$(
        impl $trait for Items<'_> {
            type Ok = ();
            type Error = NotATree;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotATree> {
                self.value(value)
            }

            fn end(self) -> Result<(), NotATree> {
                self.close()
            }
        }
    )*};
}

list_of_items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! fields_of_items {
    ($($trait:ident),*) => {$(
        impl $trait for Items<'_> {
            type Ok = ();
            type Error = NotATree;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), NotATree> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), NotATree> {
                self.close()
            }
        }
    )*};
}

fields_of_items!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = NotATree;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotATree> {
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotATree> {
        self.value(value)
    }

    fn end(self) -> Result<(), NotATree> {
        self.close()
    }
}

/// Appends a key: what JSON accepts as one, as text.
struct Key<'a> {
    tree: &'a mut Tree,
}

impl Key<'_> {
    fn display(self, key: impl fmt::Display) -> Result<(), NotATree> {
        Builder { tree: self.tree }.display(&key)
    }
}

fn no_key() -> NotATree {
    Error::custom("a key of a map is no text")
}

impl Serializer for Key<'_> {
    type Ok = ();
    type Error = NotATree;
    type SerializeSeq = Impossible<(), NotATree>;
    type SerializeTuple = Impossible<(), NotATree>;
    type SerializeTupleStruct = Impossible<(), NotATree>;
    type SerializeTupleVariant = Impossible<(), NotATree>;
    type SerializeMap = Impossible<(), NotATree>;
    type SerializeStruct = Impossible<(), NotATree>;
    type SerializeStructVariant = Impossible<(), NotATree>;

    fn serialize_bool(self, key: bool) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_i8(self, key: i8) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_i16(self, key: i16) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_i32(self, key: i32) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_i64(self, key: i64) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_u8(self, key: u8) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_u16(self, key: u16) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_u32(self, key: u32) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_u64(self, key: u64) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_f32(self, _: f32) -> Result<(), NotATree> {
        Err(no_key())
    }

    fn serialize_f64(self, _: f64) -> Result<(), NotATree> {
        Err(no_key())
    }

    fn serialize_char(self, key: char) -> Result<(), NotATree> {
        self.display(key)
    }

    fn serialize_str(self, key: &str) -> Result<(), NotATree> {
        Builder { tree: self.tree }.serialize_str(key)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), NotATree> {
        Err(no_key())
    }

    fn serialize_none(self) -> Result<(), NotATree> {
        Err(no_key())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), NotATree> {
        Err(no_key())
    }

    fn serialize_unit(self) -> Result<(), NotATree> {
        Err(no_key())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotATree> {
        Err(no_key())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NotATree> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        key: &T,
    ) -> Result<(), NotATree> {
        key.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotATree> {
        Err(no_key())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, NotATree> {
        Err(no_key())
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, NotATree> {
        Err(no_key())
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, NotATree> {
        Err(no_key())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NotATree> {
        Err(no_key())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NotATree> {
        Err(no_key())
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStruct, NotATree> {
        Err(no_key())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NotATree> {
        Err(no_key())
    }
}
