//! A tree is what JSON makes of a value, and a patch leads from one tree to the next.

use std::collections::BTreeMap;

use parlor_protocol::{Codec, PatchOp};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::*;

fn tree(value: &impl Serialize) -> Tree {
    let mut tree = Tree::default();
    tree.read(value).unwrap();
    tree
}

fn read_back(codec: Codec, value: &impl Serialize) -> Value {
    let bytes = codec.encode(value).unwrap();
    match codec {
        Codec::Json => serde_json::from_slice(&bytes).unwrap(),
        Codec::MsgPack => rmp_serde::from_slice(&bytes).unwrap(),
    }
}

/// Every kind of thing that serde knows.
#[derive(Serialize)]
struct Everything {
    unit: (),
    unit_struct: Unit,
    newtype: New,
    tuple: (i8, char),
    tuple_struct: Pair,
    variants: Vec<Variant>,
    none: Option<u8>,
    some: Option<u8>,
    numbers: (i64, u64, f32, f64, f64, f64),
    by_number: BTreeMap<u32, bool>,
    by_flag: BTreeMap<bool, u8>,
    by_name: BTreeMap<Name, u8>,
    text: String,
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct New(u8);

#[derive(Serialize)]
struct Pair(u8, u8);

#[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Red,
}

#[derive(Serialize)]
enum Variant {
    Unit,
    New(u8),
    Tuple(u8, u8),
    Struct { field: u8 },
    Empty {},
}

#[test]
fn tree_is_what_json_makes_of_a_value_in_either_codec() {
    let everything = Everything {
        unit: (),
        unit_struct: Unit,
        newtype: New(1),
        tuple: (-1, 'x'),
        tuple_struct: Pair(1, 2),
        variants: vec![
            Variant::Unit,
            Variant::New(1),
            Variant::Tuple(1, 2),
            Variant::Struct { field: 1 },
            Variant::Empty {},
        ],
        none: None,
        some: Some(3),
        numbers: (i64::MIN, u64::MAX, 0.5, 0.1, f64::NAN, f64::INFINITY),
        by_number: BTreeMap::from([(1, true), (10, false)]),
        by_flag: BTreeMap::from([(true, 1)]),
        by_name: BTreeMap::from([(Name::Red, 1)]),
        text: "\u{1F3B2} \"~/".to_owned(),
    };
    let json: Value = serde_json::to_value(&everything).unwrap();
    let tree = tree(&everything);
    for codec in Codec::ALL {
        assert_eq!(read_back(codec, &tree), json, "{codec:?}");
    }
}

#[test]
fn map_whose_keys_are_no_text_is_refused_and_leaves_nothing() {
    let mut tree = tree(&"something");
    tree.read(&BTreeMap::from([((1, 2), 3)])).unwrap_err();
    assert_eq!(read_back(Codec::Json, &tree), Value::Null);
}

/// A plain reading of RFC 6902, for the three operations in use.
fn apply(document: &mut Value, op: PatchOp) {
    let (path, value, is_add) = match op {
        PatchOp::Add { path, value } => (path, Some(value), true),
        PatchOp::Replace { path, value } => (path, Some(value), false),
        PatchOp::Remove { path } => (path, None, false),
    };
    let (above, last) = path.rsplit_once('/').expect("the root is never patched");
    let key = last.replace("~1", "/").replace("~0", "~");
    match (document.pointer_mut(above).expect("the path leads somewhere"), value) {
        (Value::Object(map), Some(value)) => {
            assert_eq!(map.insert(key, value).is_none(), is_add);
        }
        (Value::Object(map), None) => {
            map.remove(&key).expect("only what is there is removed");
        }
        (Value::Array(list), Some(value)) if is_add => list.insert(key.parse().unwrap(), value),
        (Value::Array(list), Some(value)) => list[key.parse::<usize>().unwrap()] = value,
        (Value::Array(list), None) => {
            list.remove(key.parse().unwrap());
        }
        (other, _) => panic!("{path} leads into {other}"),
    }
}

/// The patch from one value to another, as a client reads it.
fn ops(old: &Value, new: &Value) -> Option<Vec<PatchOp>> {
    let (old, new) = (tree(old), tree(new));
    let patch = Patch::between(&old, &new)?;
    let patches = Codec::ALL.map(|codec| {
        let ops = read_back(codec, &patch.with(&new));
        Vec::<PatchOp>::deserialize(ops).unwrap()
    });
    assert_eq!(patches[0], patches[1], "both codecs say the same");
    Some(patches[0].clone())
}

#[track_caller]
fn check(old: Value, new: Value, expect: Value) {
    let ops = ops(&old, &new).expect("a patch");
    assert_eq!(serde_json::to_value(&ops).unwrap(), expect);
    let mut document = old;
    ops.into_iter().for_each(|op| apply(&mut document, op));
    assert_eq!(document, new);
}

#[test]
fn patch_says_what_has_changed_and_nothing_else() {
    check(json!({"a": 1, "b": [1, 2]}), json!({"a": 1, "b": [1, 2]}), json!([]));
    check(
        json!({"a": 1, "b": {"c": "a long text that stays as it is and is not sent", "d": 3}}),
        json!({"a": 1, "b": {"c": "a long text that stays as it is and is not sent", "d": 4}}),
        json!([{"op": "replace", "path": "/b/d", "value": 4}]),
    );
    check(
        json!({"kept": "a long text that stays as it is and is not sent", "gone": 1}),
        json!({"kept": "a long text that stays as it is and is not sent", "a/~b": 2}),
        json!([{"op": "remove", "path": "/gone"}, {"op": "add", "path": "/a~1~0b", "value": 2}]),
    );
}

#[test]
fn what_is_the_same_at_both_ends_of_a_list_is_not_sent() {
    let list = |numbers: &[u32]| json!({"list": numbers.iter().map(|n| format!("a long item, number {n}")).collect::<Vec<_>>()});
    check(list(&[1, 2, 3, 4]), list(&[1, 3, 4]), json!([{"op": "remove", "path": "/list/1"}]));
    check(
        list(&[1, 2, 3]),
        list(&[1, 9, 2, 3]),
        json!([{"op": "add", "path": "/list/1", "value": "a long item, number 9"}]),
    );
    check(
        list(&[1, 2, 3, 4]),
        list(&[1, 2]),
        json!([{"op": "remove", "path": "/list/3"}, {"op": "remove", "path": "/list/2"}]),
    );
}

#[test]
fn part_that_is_shorter_replaced_whole_is_replaced() {
    check(
        json!({"at": {"x": 1, "y": 2}, "name": "somebody whose name stays, however long it is"}),
        json!({"at": {"x": 3, "y": 4}, "name": "somebody whose name stays, however long it is"}),
        json!([{"op": "replace", "path": "/at", "value": {"x": 3, "y": 4}}]),
    );
    assert_eq!(ops(&json!({"x": 1, "y": 2}), &json!({"x": 3, "y": 4})), None, "all of it is");
    assert_eq!(ops(&json!([1]), &json!("other")), None);
}

/// Values that often have parts in common: few keys, few scalars.
fn value() -> impl Strategy<Value = Value> {
    let key = || prop::sample::select(vec!["a", "b", "c", "d/~", "", "10"]);
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        prop::sample::select(vec![0.5, -1.25e300]).prop_map(Value::from),
        prop::sample::select(vec!["", "x", "a text of some length, so that patches pay"])
            .prop_map(Value::from),
    ];
    scalar.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key(), inner), 0..6).prop_map(|entries| {
                let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value));
                Value::Object(entries.collect::<Map<_, _>>())
            }),
        ]
    })
}

/// Two values, the second of which is often the first with a part changed.
fn two_values() -> impl Strategy<Value = (Value, Value)> {
    (value(), value(), value(), any::<prop::sample::Index>()).prop_map(|(one, two, part, at)| {
        let mut changed = one.clone();
        match &mut changed {
            Value::Array(list) if !list.is_empty() => {
                let at = at.index(list.len());
                list[at] = part;
            }
            Value::Object(map) if !map.is_empty() => {
                let at = at.index(map.len());
                *map.values_mut().nth(at).expect("within the map") = part;
            }
            _ => changed = two,
        }
        (one, changed)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_is_written_as_it_was_read(value in value()) {
        for codec in Codec::ALL {
            prop_assert_eq!(&read_back(codec, &tree(&value)), &value);
        }
    }

    #[test]
    fn patch_makes_the_new_of_the_old((old, new) in two_values()) {
        prop_assert_eq!(tree(&old) == tree(&new), old == new);
        if let Some(ops) = ops(&old, &new) {
            let mut document = old;
            ops.into_iter().for_each(|op| apply(&mut document, op));
            prop_assert_eq!(document, new);
        }
    }
}
