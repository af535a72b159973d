use std::fs;

use super::*;

fn part(label: &str, contents: &str) -> (String, Vec<u8>) {
    (label.to_owned(), contents.as_bytes().to_vec())
}

#[test]
fn the_hash_depends_on_names_contents_and_recipe() {
    let of = |parts: &[(&str, &str)], recipe| hash(parts.iter().map(|(l, c)| part(l, c)).collect(), recipe);
    let base = of(&[("a.rs", "x\n"), ("b.rs", "y\n")], "r");
    assert_eq!(base.len(), 64);
    assert_eq!(base, of(&[("b.rs", "y\n"), ("a.rs", "x\n")], "r"), "not on the order");
    assert_eq!(base, of(&[("a.rs", "x\r\n"), ("b.rs", "y\r\n")], "r"), "not on line ends");
    for other in [
        of(&[("a.rs", "x\n"), ("b.rs", "z\n")], "r"),
        of(&[("a.rs", "x\n"), ("c.rs", "y\n")], "r"),
        of(&[("a.rs", "x\n"), ("b.rs", "y\n")], "s"),
        of(&[("a.rs", "x\nb.rsy\n")], "r"),
        of(&[("a.rs", "x\r")], "r"),
    ] {
        assert_ne!(base, other);
    }
}

/// A workspace with a kernel crate, what it is compiled with, and what it is not.
fn workspace(root: &Path) {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let members = "[workspace.dependencies]\nstd_like = { path = \"std_like\" }\nlibm = \"0.2\"\n";
    write("Cargo.toml", &format!("[workspace]\nmembers = [\"*\"]\n{members}"));
    write(
        "Cargo.lock",
        "[[package]]\nname = \"libm\"\nversion = \"0.2.1\"\n[[package]]\nname = \"clap\"\nversion = \"4\"\n",
    );
    let package = |name: &str, rest: &str| format!("[package]\nname = \"{name}\"\n{rest}");
    let dependencies = "[dependencies]\nstd_like.workspace = true\nlibm.workspace = true\n\
                        [target.'cfg(not(target_arch = \"nvptx64\"))'.dependencies]\nhost = { path = \"../host\" }\n";
    write("gpu/Cargo.toml", &package("the-gpu", dependencies));
    write("gpu/lib.rs", "mod a;");
    write("gpu/a/mod.rs", "");
    write("gpu/ptx/generated.rs", "");
    write("gpu/tests/t.rs", "");
    write("gpu/notes.md", "");
    // What a kernel includes, and what it does not.
    write("gpu/a/table.bin", "");
    for beside in ["LICENSE-MIT", "rustfmt.toml", "Cargo.lock", ".lib.rs.swp", "lib.rs~", "a/notes.md", "a/.hidden"] {
        write(&format!("gpu/{beside}"), "");
    }
    write("std_like/Cargo.toml", &package("std_like", "[dependencies]\nmacros = { path = \"../macros\" }\n"));
    write("std_like/src/lib.rs", "");
    write("macros/Cargo.toml", &package("macros", "[lib]\nproc-macro = true\n[dependencies]\nclap = \"4\"\n"));
    write("macros/src/lib.rs", "");
    write("host/Cargo.toml", &package("host", ""));
}

#[test]
fn sources_are_what_the_gpu_code_is_compiled_from() {
    let root = tempfile::tempdir().unwrap();
    workspace(root.path());
    let sources = Sources::find(&root.path().join("gpu"), &[]).unwrap();
    let labels: Vec<_> = sources.files.iter().map(|(label, _)| label.as_str()).collect();
    let expected = [
        "macros/Cargo.toml",
        "macros/src/lib.rs",
        "std_like/Cargo.toml",
        "std_like/src/lib.rs",
        "the-gpu/Cargo.toml",
        "the-gpu/a/mod.rs",
        "the-gpu/a/table.bin",
        "the-gpu/lib.rs",
    ];
    assert_eq!(labels, expected);
    assert_eq!(sources.kernel_crate().library, "the_gpu");
    assert_eq!(sources.workspace(), root.path());
    assert_eq!(sources.packages.registry, ["libm"]);
    let watched = sources.watched();
    for (path, is_watched) in
        [("gpu/a", true), ("gpu/lib.rs", true), ("std_like/src", true), ("Cargo.lock", true), ("gpu", false)]
    {
        assert_eq!(watched.contains(&root.path().join(path)), is_watched, "{path}");
    }
}

#[test]
fn a_crate_of_another_workspace_is_followed_by_its_own() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("theirs/Cargo.toml", "[workspace]\n[workspace.dependencies]\nmacros = { path = \"macros\" }\n");
    write("theirs/std/Cargo.toml", "[package]\nname = \"std_like\"\n[dependencies]\nmacros.workspace = true\n");
    write("theirs/std/src/lib.rs", "");
    write("theirs/macros/Cargo.toml", "[package]\nname = \"macros\"\n[lib]\nproc-macro = true\n");
    write("theirs/macros/src/lib.rs", "");
    write(
        "mine/Cargo.toml",
        "[workspace]\n[package]\nname = \"mine\"\n[dependencies]\nstd_like = { path = \"../theirs/std\" }\n",
    );
    write("mine/src/lib.rs", "");
    let sources = Sources::find(&root.path().join("mine"), &[]).unwrap();
    let names: Vec<_> = sources.packages.local.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, ["mine", "std_like", "macros"]);
    assert!(sources.packages.registry.is_empty(), "{:?}", sources.packages.registry);
    assert_eq!(sources.workspace(), root.path().join("mine"));
}

#[test]
fn the_hash_does_not_depend_on_where_the_checkout_lies() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hash_in = |root: &Path| Sources::find(&root.join("gpu"), &[]).unwrap().hash("r").unwrap();
    workspace(here.path());
    workspace(there.path());
    let before = hash_in(here.path());
    assert_eq!(before, hash_in(there.path()));
    fs::write(there.path().join("gpu/tests/more.rs"), "").unwrap();
    assert_eq!(before, hash_in(there.path()), "tests are not sources");
    for (path, text) in [
        ("macros/src/lib.rs", "changed"),
        ("gpu/new.rs", ""),
        ("Cargo.lock", "[[package]]\nname = \"libm\"\nversion = \"0.2.2\"\n"),
    ] {
        let before = hash_in(there.path());
        fs::write(there.path().join(path), text).unwrap();
        assert_ne!(before, hash_in(there.path()), "{path}");
    }
}

#[test]
fn a_manifest_that_makes_no_sense_is_named() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("Cargo.toml"), "[lib]\n").unwrap();
    let message = Sources::find(root.path(), &[]).unwrap_err().to_string();
    assert!(message.contains("Cargo.toml: there is no [package] with a name"), "{message}");
}
