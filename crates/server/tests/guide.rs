//! What docs/operations.md tells of the settings is what the program has.

use std::{collections::BTreeSet, env, process::Command};

const GUIDE: &str = include_str!("../../../docs/operations.md");

/// What `parlor config` prints where nobody has set anything.
fn defaults() -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_parlor"));
    program.arg("config");
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PARLOR_") {
            program.env_remove(name);
        }
    }
    let output = program.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The cells of the guide's row about a setting: its name, default, whether it is live, and more.
fn row(name: &str) -> Vec<&'static str> {
    let begin = format!("| `{name}` |");
    let line = GUIDE.lines().find(|line| line.starts_with(&begin));
    let line = line.unwrap_or_else(|| panic!("docs/operations.md has no row about {name}"));
    line.trim_matches('|').split('|').map(str::trim).collect()
}

#[test]
fn every_setting_is_in_the_guide_with_its_default() {
    let printed = defaults();
    let mut names = BTreeSet::new();
    for line in printed.lines() {
        let (told, source) = line.rsplit_once("  # ").unwrap();
        let (name, value) = match told.strip_prefix("# ") {
            Some(unset) => (unset.strip_suffix(" is not set").unwrap(), None),
            None => {
                let (name, value) = told.split_once(" = ").unwrap();
                (name, Some(value.trim_matches('"')))
            }
        };
        let cells = row(name);
        let default = value.map_or_else(|| "not set".to_owned(), |value| format!("`{value}`"));
        assert_eq!(cells[1], default, "the default of {name}");
        let live = match source {
            "default, live" => "live",
            "default" => "",
            _ => panic!("nobody has set anything: {line}"),
        };
        assert_eq!(cells[2], live, "whether {name} is live");
        names.insert(name);
    }
    assert!(names.len() > 30, "{printed}");

    let (_, table) = GUIDE.split_once("### All of them").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    for line in table.lines() {
        let Some(rest) = line.strip_prefix("| `") else { continue };
        let (name, _) = rest.split_once('`').unwrap();
        assert!(names.contains(name), "docs/operations.md tells of {name}, which is no setting");
    }
}
