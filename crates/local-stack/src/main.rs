//! Boots a CloudFormation template on this machine.
fn main() {}
