//! Tells the harness's build script where these sources are: beside it in the workspace, elsewhere where both come
//! from a registry.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::metadata=folder={folder}");
}
