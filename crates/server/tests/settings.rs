//! What the `parlor` program can be told: by whom, in which order, and what it says of what makes no sense.

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// The program with nothing of the test's own environment.
fn parlor(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_parlor"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// What `parlor config` says.
#[track_caller]
fn effective(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = parlor(&[&["config"], arguments].concat(), variables);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What is said when it does not start.
#[track_caller]
fn complaint(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = parlor(arguments, variables);
    assert!(!output.status.success() && output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

fn file(directory: &TempDir, text: &str) -> String {
    let path = directory.path().join("parlor.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[track_caller]
fn has_line(text: &str, line: &str) {
    assert!(text.lines().any(|other| other == line), "{line:?} is not in\n{text}");
}

#[test]
fn a_flag_goes_before_the_environment_that_before_the_file_that_before_the_default() {
    let directory = TempDir::new().unwrap();
    let path = file(&directory, "rooms_max = 1\nconnections_max = 1\nrequests_burst = 1\n");
    let variables = [("PARLOR_ROOMS_MAX", "2"), ("PARLOR_CONNECTIONS_MAX", "2")];
    let shown = effective(&["--config", &path, "--rooms-max", "3"], &variables);
    has_line(&shown, "rooms_max = 3  # flag");
    has_line(&shown, "connections_max = 2  # environment");
    has_line(&shown, &format!("requests_burst = 1  # {path}"));
    has_line(&shown, "requests_per_second = 60  # default");

    let by_variable = effective(&[], &[("PARLOR_CONFIG", path.as_str())]);
    has_line(&by_variable, &format!("rooms_max = 1  # {path}"));
}

#[test]
fn what_is_shown_is_a_file_that_says_the_same() {
    let directory = TempDir::new().unwrap();
    let flags =
        ["--allowed-origins", "https://a.example,https://b.example", "--heartbeat", "1m 30s"];
    let shown = effective(&flags, &[("PARLOR_TRUSTED_PROXIES", "10.0.0.0/8, ::1/128")]);
    has_line(
        &shown,
        r#"allowed_origins = ["https://a.example", "https://b.example"]  # flag, live"#,
    );
    has_line(&shown, r#"trusted_proxies = ["10.0.0.0/8", "::1/128"]  # environment, live"#);
    has_line(&shown, r#"heartbeat = "1m 30s"  # flag"#);
    let path = file(&directory, &shown);
    let again = effective(&["--config", &path], &[]);
    let values = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(values(&shown), values(&again));
}

#[test]
fn secrets_are_not_shown() {
    let secrets = [
        ("PARLOR_ADMIN_TOKEN", "correct horse battery"),
        ("PARLOR_JWT_SECRET", "staple correct horse"),
    ];
    let shown = effective(&[], &secrets);
    has_line(&shown, r#"admin_token = "(hidden)"  # environment, live"#);
    has_line(&shown, r#"jwt_secret = "(hidden)"  # environment"#);
    assert!(!shown.contains("horse"));
}

#[test]
fn what_makes_no_sense_is_refused_by_its_name_and_source_before_anything_is_opened() {
    let directory = TempDir::new().unwrap();
    for (text, words) in [
        ("rooms_maxx = 1", &["rooms_maxx", "rooms_max`", "line 1"][..]),
        ("listen = \"nowhere\"", &["listen", "line 1"]),
        ("\n\nrooms_max = \"many\"", &["rooms_max", "line 3"]),
        ("rooms_max = 0", &["rooms_max", "nonzero"]),
        ("heartbeat = \"10\"", &["heartbeat", "10s"]),
        ("allowed_origins = [\"games.example\"]", &["allowed_origins", "https://"]),
        ("trusted_proxies = [\"10.0.0.0/33\"]", &["trusted_proxies"]),
        ("log_format = \"xml\"", &["log_format", "json"]),
        ("admin_token = \"\"", &["admin_token", "empty"]),
        ("[limits]\nrooms = 1", &["limits"]),
        ("not toml", &["line 1"]),
    ] {
        let path = file(&directory, text);
        let said = complaint(&["--config", &path], &[]);
        assert!(said.contains(&path), "{text}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{text}: {said}");
    }
    for (variable, value, words) in [
        ("PARLOR_ROOM_MAX", "1", &["PARLOR_ROOM_MAX", "perhaps PARLOR_ROOMS_MAX"][..]),
        ("PARLOR_COLOUR", "red", &["PARLOR_COLOUR", "parlor config"]),
        ("PARLOR_ROOMS_MAX", "many", &["PARLOR_ROOMS_MAX", "many"]),
        ("PARLOR_LISTEN", "nowhere", &["PARLOR_LISTEN", "nowhere"]),
        ("PARLOR_HEARTBEAT", "soon", &["PARLOR_HEARTBEAT", "10s"]),
    ] {
        let said = complaint(&[], &[(variable, value)]);
        assert!(words.iter().all(|word| said.contains(word)), "{variable}={value}: {said}");
    }
    for (arguments, words) in [
        (&["--rooms-max", "many"][..], &["--rooms-max", "many"][..]),
        (&["--rooms"], &["--rooms"]),
        (&["--tls-key", "key.pem"], &["tls_certificate"]),
        (&["--proxy-protocol", "true"], &["trusted_proxies"]),
        (&["--jwt-issuer", "the club"], &["jwt_secret"]),
        (&["--log", "parlor=loud"], &["parlor=loud"]),
        (&["--jwt-jwks", "/nowhere.json"], &["/nowhere.json"]),
        (&["--tls-key", "/no.pem", "--tls-certificate", "/nowhere.pem"], &["/nowhere.pem"]),
        (&["--config", "/nowhere.toml"], &["/nowhere.toml"]),
    ] {
        let said = complaint(arguments, &[]);
        assert!(words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
    }
}

#[test]
fn what_kubernetes_says_of_a_service_called_parlor_is_no_setting() {
    let variables = [
        ("PARLOR_SERVICE_HOST", "10.0.0.1"),
        ("PARLOR_PORT", "tcp://10.0.0.1:80"),
        ("PARLOR_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("PARLOR_SERVICE_PORT_HTTP", "80"),
    ];
    has_line(&effective(&[], &variables), "rooms_max = 100000  # default");
}

#[test]
fn the_schema_is_of_every_setting_and_takes_what_is_shown() {
    let output = parlor(&["config", "--schema"], &[]);
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let shown = effective(&["--admin-token", "correct horse battery"], &[]);
    let table: toml::Table = shown.parse().unwrap();
    let settings = serde_json::to_value(&table).unwrap();
    assert!(validator.is_valid(&settings), "{:?}", validator.iter_errors(&settings).next());
    let known = schema["properties"].as_object().unwrap();
    for line in shown.lines() {
        let name = line.trim_start_matches("# ").split([' ', '=']).next().unwrap();
        let meaning = known.get(name).and_then(|setting| setting["description"].as_str());
        assert!(meaning.is_some_and(|meaning| meaning.len() > 10), "{name} is described");
    }
    assert!(!validator.is_valid(&serde_json::json!({"rooms_maxx": 1})));
    assert!(!validator.is_valid(&serde_json::json!({"rooms_max": "many"})));
}

#[test]
fn every_setting_is_a_flag_with_its_meaning() {
    let help = String::from_utf8(parlor(&["--help"], &[]).stdout).unwrap();
    for line in effective(&[], &[]).lines() {
        let name = line.trim_start_matches("# ").split([' ', '=']).next().unwrap();
        let flag = format!("--{} ", name.replace('_', "-"));
        assert!(help.contains(&flag), "{flag} is not in\n{help}");
    }
}
