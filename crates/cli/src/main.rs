//! The operator's program.

fn main() -> std::process::ExitCode {
    active_learning_cli::cli::main()
}
