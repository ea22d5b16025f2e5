//! The `parlor` program, from its first line to its exit code.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

/// The program, killed if the test does not see its end.
struct Program(Child);

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_parlor"))
            .args(arguments)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    /// Everything it says on standard error, and whether it succeeded.
    fn end(mut self) -> (String, bool) {
        let mut errors = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (errors, self.0.wait().unwrap().success())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, which is just as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn server_says_where_it_listens_and_ends_when_told_to() {
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["--listen", "127.0.0.1:0"]] {
        let mut program = Program::start(arguments);
        let mut output = BufReader::new(program.0.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://").unwrap().trim_end();
        std::net::TcpStream::connect(address).unwrap();

        let kill = Command::new("kill").args(["-TERM", &program.0.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let (errors, success) = program.end();
        assert!(success, "{errors}");
        assert!(errors.contains("stopped"), "{errors}");
    }
}

#[test]
fn taken_address_is_named_with_what_to_try() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (errors, success) = Program::start(&["--listen", &address]).end();
    assert!(!success);
    assert!(errors.contains(&format!("cannot listen on {address}")), "{errors}");
    assert!(errors.contains("--listen"), "{errors}");
}

#[test]
fn wrong_settings_are_refused_before_anything_is_opened() {
    for arguments in [
        ["--listen", "nowhere"],
        ["--allowed-origins", "games.example"],
        ["--connections-max", "many"],
        ["--log", "parlor=loud"],
    ] {
        let (errors, success) = Program::start(&arguments).end();
        assert!(!success && errors.contains(arguments[1]), "{arguments:?}: {errors}");
    }
}
