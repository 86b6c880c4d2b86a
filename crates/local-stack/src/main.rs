//! Boots a CloudFormation template on this machine.

fn main() -> std::process::ExitCode {
    local_stack::cli::main()
}
