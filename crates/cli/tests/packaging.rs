//! What is deployed: `infra/build-functions.sh`, with a compiler that writes a few bytes.

#![cfg(unix)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

const SCRIPT: &str = include_str!("../../../infra/build-functions.sh");

/// Stands for cargo: copies what is to be compiled, as old as the test says.
const CARGO: &str = "#!/usr/bin/env bash\nset -e\nmkdir -p target/lambda\nfor function in classify text-classifier; do\n\
    cp --preserve=timestamps \"source/$function\" \"target/lambda/$function\"\ndone\n";

/// Stands for objdump: no symbol is newer than Lambda's.
const OBJDUMP: &str = "#!/usr/bin/env bash\necho 'main GLIBC_2.34'\n";

/// A folder with the script, and with tools that take no time.
struct Workspace(tempfile::TempDir);

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["infra", "tools", "source"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        for (name, content) in [
            ("infra/build-functions.sh", SCRIPT),
            ("tools/cargo", CARGO),
            ("tools/objdump", OBJDUMP),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, content).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        Self(folder)
    }

    /// Writes what the compiler will make of a function, at a time.
    fn write(&self, function: &str, program: &str, at: SystemTime) {
        let path = self.0.path().join("source").join(function);
        fs::write(&path, program).expect("written");
        let file = fs::File::options().write(true).open(&path).expect("there");
        file.set_modified(at).expect("a time");
    }

    fn build(&self) {
        let tools = self.0.path().join("tools");
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").expect("a path"));
        let built = Command::new(self.0.path().join("infra/build-functions.sh"))
            .args(["classify", "text-classifier"])
            .env("PATH", path)
            .env_remove("CARGO_TARGET_DIR")
            .output()
            .expect("bash is there");
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
    }

    fn bootstrap(&self, function: &str) -> PathBuf {
        let functions = self.0.path().join("target/functions");
        functions.join(function).join("bootstrap")
    }

    /// Packs a function with all that archives keep of a file: content, mode and time.
    fn package(&self, function: &str) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let path = self.bootstrap(function);
        archive.append_path_with_name(&path, "bootstrap").expect("packed");
        archive.into_inner().expect("memory")
    }
}

fn modified(path: &Path) -> SystemTime {
    let metadata = fs::metadata(path).expect("there");
    metadata.modified().expect("a time")
}

#[test]
fn a_function_that_has_not_changed_makes_the_same_package_whenever_it_is_built() {
    let workspace = Workspace::new();
    let (earlier, later) = (
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000),
    );
    workspace.write("classify", "program", earlier);
    workspace.write("text-classifier", "program", earlier);

    workspace.build();
    let before = ["classify", "text-classifier"].map(|function| workspace.package(function));
    workspace.write("classify", "program", later);
    workspace.write("text-classifier", "another program", later);
    workspace.build();
    let after = ["classify", "text-classifier"].map(|function| workspace.package(function));

    assert_eq!(before[0], after[0], "it was built again and is the same");
    assert_ne!(before[1], after[1], "what has changed is another package");
    assert_eq!(
        modified(&workspace.bootstrap("classify")),
        modified(&workspace.bootstrap("text-classifier")),
        "one time for all"
    );
    let year = modified(&workspace.bootstrap("classify")).duration_since(SystemTime::UNIX_EPOCH);
    // The times of a zip archive begin with 1980.
    let years = year.expect("after 1970").as_secs() / (365 * 86_400);
    assert!((10..40).contains(&years), "{years}");
}
