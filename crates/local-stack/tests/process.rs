//! The program as a user runs it: the shipped template, the shipped functions, one process and its children.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use local_stack::outputs::StackOutputs;

const PROGRAM: &str = env!("CARGO_BIN_EXE_local-stack");
const DEADLINE: Duration = Duration::from_secs(120);

/// A running stack, ended by force if a test fails.
struct Stack(Child);

impl Drop for Stack {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Stack {
    fn start(state_dir: &Path) -> Self {
        let child = program(state_dir)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn();
        Self(child.expect("the program starts"))
    }

    fn ready(&mut self, state_dir: &Path) -> StackOutputs {
        let begin = Instant::now();
        loop {
            if let Ok(outputs) = StackOutputs::read(state_dir) {
                return outputs;
            }
            let ended = self.0.try_wait().expect("the program is ours");
            assert!(
                ended.is_none() && begin.elapsed() < DEADLINE,
                "not ready: {ended:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks it to stop, as Ctrl-C does, and returns what it wrote.
    fn stop(mut self, signal: &str) -> String {
        let id = self.0.id().to_string();
        let told = Command::new("kill").args([signal, &id]).status();
        assert!(told.expect("kill is there").success());
        let mut text = String::new();
        let mut stdout = self.0.stdout.take().expect("it is a pipe");
        std::io::Read::read_to_string(&mut stdout, &mut text).expect("the words are UTF-8");
        assert!(self.0.wait().expect("the program is ours").success());
        text
    }
}

fn program(state_dir: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("--state-dir").arg(state_dir);
    command
}

#[test]
fn a_stack_is_ready_stops_when_told_and_goes_on_with_the_same_names() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state_dir = folder.path().join("state");
    let mut first = Stack::start(&state_dir);
    let first_outputs = first.ready(&state_dir);
    let link = program(&state_dir)
        .args(["sign-in-link", "--reviewer", "Ada"])
        .output()
        .expect("it runs");
    let second_start = program(&state_dir)
        .args(["--port", "0"])
        .output()
        .expect("it runs");
    let words = first.stop("-INT");
    std::fs::remove_file(state_dir.join("outputs.json")).expect("it was there");

    let mut second = Stack::start(&state_dir);
    let second_outputs = second.ready(&state_dir);
    second.stop("-TERM");

    assert!(
        words.contains(&first_outputs.sign_in_url) && words.contains("curl"),
        "{words}"
    );
    assert!(link.status.success());
    let link = String::from_utf8_lossy(&link.stdout).into_owned();
    assert!(link.starts_with(&first_outputs.portal_url), "{link}");
    assert_ne!(link.trim(), first_outputs.sign_in_url);
    assert_eq!(second_start.status.code(), Some(1));
    let refusal = String::from_utf8_lossy(&second_start.stderr).into_owned();
    assert!(refusal.contains("is in use by another process"), "{refusal}");
    assert_eq!(second_outputs.api_key_value, first_outputs.api_key_value);
    for name in ["BatchUploadS3Bucket", "ApiGWKey", "ReviewPortalFunction"] {
        assert_eq!(second_outputs.output(name), first_outputs.output(name));
    }
}

#[test]
fn a_wrong_parameter_is_refused_by_name_before_anything_runs() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let refused = program(folder.path())
        .args([
            "--port",
            "0",
            "--param",
            "ComprehendClassificationScoreThreshold=50%",
        ])
        .output()
        .expect("it runs");

    assert_eq!(refused.status.code(), Some(1));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        words.contains("Parameter 'ComprehendClassificationScoreThreshold'"),
        "{words}"
    );
}
