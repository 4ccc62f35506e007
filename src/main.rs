//! The `isocost` command.
fn main() {}
