//! Patches: the part of RFC 6902 that a server uses, and how it is applied to a document.
//!
//! A patch is applied whole or not at all. What it costs is bounded by its own length and that of
//! the lists that it changes: no operation copies a part of the document.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::SERVER_NESTING_MAX;

/// One step of a patch; `path` is a JSON Pointer (RFC 6901).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum PatchOp {
    /// Insert `value` at `path`.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Take away what is at `path`.
    Remove {
        /// Where.
        path: String,
    },
    /// Put `value` in place of what is at `path`.
    Replace {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
}

/// Applies `ops` to `document`, in order. When one of them does not fit, the document is as it was.
///
/// ```
/// # use parlor_protocol::{PatchOp, apply_patch};
/// # use serde_json::json;
/// let mut state = json!({"turn": 2, "dice": [1, 5]});
/// apply_patch(&mut state, [
///     PatchOp::Replace { path: "/turn".into(), value: json!(1) },
///     PatchOp::Add { path: "/dice/-".into(), value: json!(6) },
/// ])?;
/// assert_eq!(state, json!({"turn": 1, "dice": [1, 5, 6]}));
/// # Ok::<(), parlor_protocol::PatchError>(())
/// ```
pub fn apply_patch(
    document: &mut Value,
    ops: impl IntoIterator<Item = PatchOp>,
) -> Result<(), PatchError> {
    let mut undone_by = Vec::new();
    for op in ops {
        match op.check().and_then(|()| op.apply(document)) {
            Ok(inverse) => undone_by.push(inverse),
            Err(error) => {
                for inverse in undone_by.into_iter().rev() {
                    inverse.apply(document).expect("what was just done can be undone");
                }
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Why a patch does not fit the document.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PatchError {
    /// The path is no JSON Pointer.
    #[error("`{0}` is no JSON pointer")]
    Pointer(String),
    /// The document has nothing at this path, or for an addition no place.
    #[error("there is nothing at `{0}`")]
    Nothing(String),
    /// The document itself would be removed.
    #[error("the whole document cannot be removed")]
    Whole,
    /// The document might become deeper than one that is sent whole,
    /// [`SERVER_NESTING_MAX`]. Else patch upon patch could make it too deep to walk.
    #[error("`{0}` would be nested too deeply")]
    TooDeep(String),
}

impl PatchOp {
    /// Whether it makes sense, whatever it is applied to.
    fn check(&self) -> Result<(), PatchError> {
        let (Self::Add { path, .. } | Self::Remove { path } | Self::Replace { path, .. }) = self;
        if !is_pointer(path) {
            return Err(PatchError::Pointer(path.clone()));
        }
        let (Self::Add { value, .. } | Self::Replace { value, .. }) = self else { return Ok(()) };
        let above = path.bytes().filter(|byte| *byte == b'/').count();
        let left = usize::from(SERVER_NESTING_MAX).checked_sub(above);
        if left.is_some_and(|left| is_within(left, value)) {
            Ok(())
        } else {
            Err(PatchError::TooDeep(path.clone()))
        }
    }

    /// Does it to `document`, and gives what undoes it. Its path is a pointer.
    fn apply(self, document: &mut Value) -> Result<Self, PatchError> {
        match self {
            Self::Add { path, value } => add(document, path, value),
            Self::Remove { path } => remove(document, path),
            Self::Replace { path, value } => match find(document, &path) {
                Some(place) => {
                    let value = std::mem::replace(place, value);
                    Ok(Self::Replace { path, value })
                }
                None => Err(PatchError::Nothing(path)),
            },
        }
    }
}

fn add(document: &mut Value, path: String, value: Value) -> Result<PatchOp, PatchError> {
    let Some((above, key)) = split(&path) else {
        let value = std::mem::replace(document, value);
        return Ok(PatchOp::Replace { path, value });
    };
    match find(document, above) {
        Some(Value::Object(map)) => Ok(match map.insert(key.into_owned(), value) {
            Some(value) => PatchOp::Replace { path, value },
            None => PatchOp::Remove { path },
        }),
        Some(Value::Array(list)) => {
            let index = if key == "-" { Some(list.len()) } else { index(&key) };
            match index.filter(|index| *index <= list.len()) {
                Some(index) => {
                    list.insert(index, value);
                    Ok(PatchOp::Remove { path: format!("{above}/{index}") })
                }
                None => Err(PatchError::Nothing(path)),
            }
        }
        Some(_) | None => Err(PatchError::Nothing(path)),
    }
}

fn remove(document: &mut Value, path: String) -> Result<PatchOp, PatchError> {
    let Some((above, key)) = split(&path) else { return Err(PatchError::Whole) };
    let removed = match find(document, above) {
        Some(Value::Object(map)) => map.remove(&*key),
        Some(Value::Array(list)) => {
            index(&key).filter(|index| *index < list.len()).map(|index| list.remove(index))
        }
        Some(_) | None => None,
    };
    match removed {
        Some(value) => Ok(PatchOp::Add { path, value }),
        None => Err(PatchError::Nothing(path)),
    }
}

/// What is at `path`, if there is something.
fn find<'a>(document: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    // Before the first slash is nothing.
    path.split('/').skip(1).map(unescape).try_fold(document, |place, key| match place {
        Value::Object(map) => map.get_mut(&*key),
        Value::Array(list) => list.get_mut(index(&key)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The path to what holds the place, and its key there. `None` for the document itself.
fn split(path: &str) -> Option<(&str, Cow<'_, str>)> {
    path.rsplit_once('/').map(|(above, segment)| (above, unescape(segment)))
}

/// Empty, or segments with a slash before each, in which a tilde is followed by 0 or 1.
fn is_pointer(path: &str) -> bool {
    let mut after_tildes = path.split('~').skip(1);
    (path.is_empty() || path.starts_with('/'))
        && after_tildes.all(|rest| rest.starts_with(['0', '1']))
}

/// The key that a segment of a pointer stands for.
fn unescape(segment: &str) -> Cow<'_, str> {
    if segment.contains('~') {
        // In this order, so that `~01` is `~1` and no slash.
        Cow::Owned(segment.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(segment)
    }
}

/// The index that a segment names: digits without zeros before them.
fn index(segment: &str) -> Option<usize> {
    let is_index = segment == "0"
        || (!segment.starts_with('0') && segment.bytes().all(|byte| byte.is_ascii_digit()));
    if is_index { segment.parse().ok() } else { None }
}

/// Whether `value` has at most so many levels of lists and maps.
fn is_within(levels: usize, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(list) => levels > 0 && list.iter().all(|value| is_within(levels - 1, value)),
        Value::Object(map) => levels > 0 && map.values().all(|value| is_within(levels - 1, value)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn ops(ops: &Value) -> Vec<PatchOp> {
        serde_json::from_value(ops.clone()).expect("they are operations")
    }

    /// `ops` make `after` of `before`.
    #[track_caller]
    fn check(before: &Value, patch: &Value, after: &Value) {
        let mut document = before.clone();
        assert_eq!(apply_patch(&mut document, ops(patch)), Ok(()), "{patch}");
        assert_eq!(document, *after, "{patch}");
    }

    /// `op` does not fit `before`, and what is done before it is taken back.
    #[track_caller]
    fn refuse(before: &Value, op: &Value, error: &PatchError) {
        let changes = json!([
            {"op": "add", "path": "/new", "value": 1},
            {"op": "add", "path": "/list/-", "value": 2},
            {"op": "add", "path": "/list/0", "value": 3},
            {"op": "remove", "path": "/list/1"},
            {"op": "replace", "path": "/list", "value": []},
            {"op": "remove", "path": "/list"},
            {"op": "add", "path": "/new", "value": {}},
            {"op": "replace", "path": "", "value": before},
        ]);
        for done in [vec![], ops(&changes)] {
            let mut document = before.clone();
            let patch = done.into_iter().chain(ops(&json!([op])));
            assert_eq!(apply_patch(&mut document, patch).as_ref(), Err(error), "{op}");
            assert_eq!(document, *before, "{op}");
        }
    }

    fn nothing(path: &str) -> PatchError {
        PatchError::Nothing(path.to_owned())
    }

    #[test]
    fn operations_do_what_rfc_6902_says() {
        let before = json!({"a": [1, 2, 3], "b": {"c": 1}});
        for (op, after) in [
            (
                json!({"op": "add", "path": "/d", "value": 4}),
                json!({"a": [1, 2, 3], "b": {"c": 1}, "d": 4}),
            ),
            (json!({"op": "add", "path": "/b", "value": 4}), json!({"a": [1, 2, 3], "b": 4})),
            (
                json!({"op": "add", "path": "/b/c", "value": null}),
                json!({"a": [1, 2, 3], "b": {"c": null}}),
            ),
            (
                json!({"op": "add", "path": "/b/", "value": 0}),
                json!({"a": [1, 2, 3], "b": {"c": 1, "": 0}}),
            ),
            (
                json!({"op": "add", "path": "/b/-", "value": 0}),
                json!({"a": [1, 2, 3], "b": {"c": 1, "-": 0}}),
            ),
            (
                json!({"op": "add", "path": "/b/01", "value": 0}),
                json!({"a": [1, 2, 3], "b": {"c": 1, "01": 0}}),
            ),
            (
                json!({"op": "add", "path": "/a/0", "value": 9}),
                json!({"a": [9, 1, 2, 3], "b": {"c": 1}}),
            ),
            (
                json!({"op": "add", "path": "/a/3", "value": 9}),
                json!({"a": [1, 2, 3, 9], "b": {"c": 1}}),
            ),
            (
                json!({"op": "add", "path": "/a/-", "value": [9]}),
                json!({"a": [1, 2, 3, [9]], "b": {"c": 1}}),
            ),
            (json!({"op": "remove", "path": "/a/1"}), json!({"a": [1, 3], "b": {"c": 1}})),
            (json!({"op": "remove", "path": "/b/c"}), json!({"a": [1, 2, 3], "b": {}})),
            (
                json!({"op": "replace", "path": "/a/2", "value": {}}),
                json!({"a": [1, 2, {}], "b": {"c": 1}}),
            ),
            (json!({"op": "replace", "path": "/b", "value": 7}), json!({"a": [1, 2, 3], "b": 7})),
            (json!({"op": "replace", "path": "", "value": 7}), json!(7)),
            (json!({"op": "add", "path": "", "value": [7]}), json!([7])),
        ] {
            check(&before, &json!([op]), &after);
        }
    }

    #[test]
    fn operations_build_on_each_other() {
        let patch = json!([
            {"op": "add", "path": "/a", "value": {}},
            {"op": "add", "path": "/a/b", "value": []},
            {"op": "add", "path": "/a/b/-", "value": 1},
            {"op": "add", "path": "/a/b/0", "value": 2},
            {"op": "replace", "path": "/a/b/1", "value": 3},
            {"op": "remove", "path": "/a/b/0"},
        ]);
        check(&json!({}), &patch, &json!({"a": {"b": [3]}}));
        check(&json!({"a": 1}), &json!([]), &json!({"a": 1}));
    }

    /// The example of RFC 6901, and the order of its escapes.
    #[test]
    fn pointers_are_read_as_rfc_6901_says() {
        let before = json!({"": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7,
            "m~n": 8, "~1": 9, "/": 10, "ü": 11});
        for (path, key) in [
            ("/", ""),
            ("/a~1b", "a/b"),
            ("/c%d", "c%d"),
            ("/e^f", "e^f"),
            ("/g|h", "g|h"),
            ("/i\\j", "i\\j"),
            ("/k\"l", "k\"l"),
            ("/ ", " "),
            ("/m~0n", "m~n"),
            ("/~01", "~1"),
            ("/~1", "/"),
            ("/ü", "ü"),
        ] {
            let mut after = before.clone();
            after[key] = json!("found");
            let replace = json!([{"op": "replace", "path": path, "value": "found"}]);
            check(&before, &replace, &after);
            let mut inside = before.clone();
            inside[key] = json!({"in": 2});
            let add = json!([{"op": "add", "path": path, "value": {}},
                {"op": "add", "path": format!("{path}/in"), "value": 2}]);
            check(&before, &add, &inside);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_everything_as_it_was() {
        let before = json!({"list": [1, 2], "map": {"a": {}}, "n": 1});
        for path in [
            "/none",
            "/list/2",
            "/list/-",
            "/list/00",
            "/list/01",
            "/list/+1",
            "/list/-1",
            "/list/1.0",
            "/list/",
            "/list/1e0",
            "/list/99999999999999999999",
            "/list/٣",
            "/map/b",
            "/map/a/b",
            "/n/0",
            "/n/-",
            "/list/0/0",
            "/none/a",
        ] {
            refuse(&before, &json!({"op": "remove", "path": path}), &nothing(path));
            let replace = json!({"op": "replace", "path": path, "value": 0});
            refuse(&before, &replace, &nothing(path));
        }
        for path in
            ["/list/3", "/list/01", "/list/a", "/list/", "/none/a", "/n/a", "/list/-/a", "/map/b/c"]
        {
            let add = json!({"op": "add", "path": path, "value": 0});
            refuse(&before, &add, &nothing(path));
        }
        for path in ["map", "#/map", "/map/~", "/map/~2", "/~a/b", "/map/a~", "map/a", " /map"] {
            let error = PatchError::Pointer(path.to_owned());
            for op in ["add", "remove", "replace"] {
                refuse(&before, &json!({"op": op, "path": path, "value": 0}), &error);
            }
        }
        refuse(&before, &json!({"op": "remove", "path": ""}), &PatchError::Whole);
    }

    fn nested(levels: usize) -> Value {
        (0..levels).fold(json!(0), |inner, level| {
            if level % 2 == 0 { json!([inner]) } else { json!({"a": inner}) }
        })
    }

    #[test]
    fn patches_make_nothing_deeper_than_what_is_sent_whole() {
        let most = usize::from(SERVER_NESTING_MAX);
        check(
            &json!({}),
            &json!([{"op": "add", "path": "", "value": nested(most)}]),
            &nested(most),
        );
        let below = json!([{"op": "add", "path": "/a", "value": nested(most - 1)}]);
        check(&json!({}), &below, &json!({"a": nested(most - 1)}));
        for (path, levels) in [("", most + 1), ("/a", most), ("/a", 300)] {
            let op = PatchOp::Add { path: path.to_owned(), value: nested(levels) };
            let mut document = json!({});
            let outcome = apply_patch(&mut document, [op]);
            assert_eq!(outcome, Err(PatchError::TooDeep(path.to_owned())));
            assert_eq!(document, json!({}));
        }
        // One level more with each patch.
        let mut document = json!([]);
        let deepened = (0..).take_while(|levels| {
            let op = PatchOp::Add { path: "/0".repeat(*levels) + "/-", value: json!([]) };
            apply_patch(&mut document, [op]).is_ok()
        });
        assert_eq!(deepened.count(), most - 1, "the list that was there is one more");
    }

    /// Documents in which short paths often lead somewhere.
    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), (0..9u8).prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let keys = prop::sample::select(vec!["", "a", "b/", "~", "0", "-"]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(keys.prop_map(str::to_owned), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn path() -> impl Strategy<Value = String> {
        let segments = ["", "/", "/a", "/b~1", "/~0", "/0", "/1", "/2", "/-", "/01", "~", "/é"];
        prop_oneof![
            9 => prop::collection::vec(prop::sample::select(segments.to_vec()), 0..4)
                .prop_map(|segments| segments.concat()),
            1 => any::<String>(),
        ]
    }

    fn op() -> impl Strategy<Value = PatchOp> {
        prop_oneof![
            (path(), document()).prop_map(|(path, value)| PatchOp::Add { path, value }),
            path().prop_map(|path| PatchOp::Remove { path }),
            (path(), document()).prop_map(|(path, value)| PatchOp::Replace { path, value }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(2000)
        })]

        #[test]
        fn hostile_patches_are_applied_whole_or_not_at_all_and_never_panic(
            before in document(),
            patch in prop::collection::vec(op(), 1..8),
        ) {
            let mut document = before.clone();
            let outcome = apply_patch(&mut document, patch.clone());
            // One after the other they get as far.
            let mut one_by_one = before.clone();
            let all = patch.into_iter().try_for_each(|op| apply_patch(&mut one_by_one, [op]));
            prop_assert_eq!(&outcome, &all);
            prop_assert_eq!(document, if outcome.is_ok() { one_by_one } else { before });
        }
    }
}
