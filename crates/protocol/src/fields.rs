//! What is wrong with a message's data, field by field: the content of `details.fields`.
//!
//! Two sources meet here, serde (the shape) and validator (the bounds), and come out the same. The
//! client's own values never do: both sources put them into their errors, and both
//! are rewritten.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use validator::{ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::explain::explain;
use crate::limits::FIELD_PATH_CHARS_MAX;
use crate::room::Object;

/// Errors by path, sorted: `{path: [{code, message, params}]}`. Never empty.
///
/// A path is as one would write it: `options.targetScore`, `dice[1]`. The data itself is `""`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct FieldErrors(BTreeMap<String, Vec<FieldError>>);

/// One thing wrong with one field.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldError {
    /// What is wrong, for programs: `required`, `wrong_type`, `length`, `range`, ...
    pub code: Cow<'static, str>,
    /// What is wrong, for people; a fragment that fits behind the field's name.
    pub message: Cow<'static, str>,
    /// The bounds, where there are some.
    pub params: Object,
}

impl FieldErrors {
    /// One error at `path`, without params.
    pub fn of(
        path: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let error =
            FieldError { code: code.into(), message: message.into(), params: Object::new() };
        Self(BTreeMap::from([(bounded(path.into()), vec![error])]))
    }

    /// The same errors of data that is itself the field `prefix` of something.
    #[must_use]
    pub fn within(self, prefix: &str) -> Self {
        let moved = self.0.into_iter().map(|(path, errors)| (bounded(join(prefix, &path)), errors));
        Self(moved.collect())
    }

    /// The errors by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[FieldError])> {
        self.0.iter().map(|(path, errors)| (path.as_str(), errors.as_slice()))
    }

    fn collect(&mut self, prefix: &str, errors: &ValidationErrors) {
        for (field, kind) in errors.errors() {
            let path = join(prefix, &camel_case(field));
            match kind {
                ValidationErrorsKind::Field(errors) => {
                    self.0.entry(bounded(path)).or_default().extend(errors.iter().map(field_error));
                }
                ValidationErrorsKind::Struct(errors) => self.collect(&path, errors),
                ValidationErrorsKind::List(items) => {
                    for (index, errors) in items {
                        self.collect(&format!("{path}[{index}]"), errors);
                    }
                }
            }
        }
    }
}

/// `playerName: must be ..., dice[1]: expected ...`
impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.iter().flat_map(|(path, errors)| errors.iter().map(move |e| (path, e)));
        for (number, (path, error)) in all.enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            let colon = if path.is_empty() { "" } else { ": " };
            write!(f, "{comma}{path}{colon}{}", error.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for FieldErrors {}

impl From<ValidationErrors> for FieldErrors {
    fn from(errors: ValidationErrors) -> Self {
        let mut fields = Self(BTreeMap::new());
        fields.collect("", &errors);
        fields
    }
}

/// Decodes a tree, such as a game's options, naming the place of the first failure.
pub fn decode_value<T: DeserializeOwned>(value: Value) -> Result<T, FieldErrors> {
    explain(value)
}

/// `path` inside of `prefix`, where an index needs no dot before it.
pub(crate) fn join(prefix: &str, path: &str) -> String {
    let dot = if prefix.is_empty() || path.is_empty() || path.starts_with('[') { "" } else { "." };
    format!("{prefix}{dot}{path}")
}

fn bounded(mut path: String) -> String {
    if let Some((end, _)) = path.char_indices().nth(FIELD_PATH_CHARS_MAX) {
        path.truncate(end);
    }
    path
}

fn field_error(error: &ValidationError) -> FieldError {
    let params: Object = error
        .params
        .iter()
        .filter(|(name, _)| *name != "value")
        .map(|(name, value)| (name.clone().into_owned(), value.clone()))
        .collect();
    let message = error.message.clone().unwrap_or_else(|| describe(&error.code, &params));
    FieldError { code: error.code.clone(), message, params }
}

fn describe(code: &str, params: &Object) -> Cow<'static, str> {
    let unit = if code == "length" { " characters long" } else { "" };
    match (params.get("min"), params.get("max")) {
        (Some(min), Some(max)) => format!("must be {min} to {max}{unit}").into(),
        (Some(min), None) => format!("must be at least {min}{unit}").into(),
        (None, Some(max)) => format!("must be at most {max}{unit}").into(),
        (None, None) => "is not valid".into(),
    }
}

/// validator names fields as Rust does; the wire does not.
fn camel_case(field: &str) -> String {
    let mut words = field.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    name
}
