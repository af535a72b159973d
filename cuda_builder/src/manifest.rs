//! Follows a kernel crate's manifest to the crates that it is compiled with.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::check::Allowances;
use crate::error::Error;

/// A package whose sources become part of the PTX, or decide it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    /// The name of its library, as rustc has it.
    pub(crate) library: String,
}

/// The packages, the kernel crate's first, and what else they need.
#[derive(Debug, Default)]
pub(crate) struct Packages {
    pub(crate) local: Vec<Package>,
    /// Names in the registry, sorted. Those of procedural macros are left out: they run on the host, and what
    /// they generate is decided by the macro's own source.
    pub(crate) registry: Vec<String>,
    /// The folder whose manifest makes the workspace.
    pub(crate) workspace: Option<PathBuf>,
    /// `[package.metadata.cuda_builder]` of the kernel crate: what the checks let pass.
    pub(crate) allowed: Allowances,
}

/// Starts at the kernel crate in `dir`.
pub(crate) fn follow(dir: &Path) -> Result<Packages, Error> {
    let mut packages = Packages { workspace: workspace_of(dir)?.map(|(dir, _)| dir), ..Packages::default() };
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        let dir = tidy(&dir);
        if packages.local.iter().any(|known| known.dir == dir) {
            continue;
        }
        let manifest = read(&dir.join("Cargo.toml"))?;
        if packages.local.is_empty() {
            packages.allowed = allowances(&manifest);
        }
        packages.local.push(package(&manifest, &dir)?);
        // That of this package: one that lies elsewhere, such as `cuda_std` for other projects, has another.
        let workspace = workspace_of(&dir)?;
        for (name, dependency) in dependencies(&manifest) {
            match path_of(name, dependency, &dir, workspace.as_ref()) {
                Some(path) => pending.push(path),
                None if is_macro(&manifest) => {}
                None => packages.registry.push(string(dependency, "package").unwrap_or(name).to_owned()),
            }
        }
    }
    packages.registry.sort();
    packages.registry.dedup();
    Ok(packages)
}

fn package(manifest: &Table, dir: &Path) -> Result<Package, Error> {
    let name = manifest.get("package").and_then(|package| string(package, "name")).ok_or_else(|| Error::Manifest {
        path: dir.join("Cargo.toml"),
        reason: "there is no [package] with a name".to_owned(),
    })?;
    let library = manifest.get("lib").and_then(|lib| string(lib, "name")).unwrap_or(name).replace('-', "_");
    Ok(Package { name: name.to_owned(), dir: dir.to_owned(), library })
}

/// They stand in the manifest so that a build script and the program know the same.
fn allowances(manifest: &Table) -> Allowances {
    let metadata = manifest.get("package").and_then(|package| package.get("metadata"));
    let own = metadata.and_then(|metadata| metadata.get("cuda_builder"));
    let names = |key: &str| {
        let names = own.and_then(|own| own.get(key)).and_then(Value::as_array);
        names.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
    };
    Allowances {
        local: names("allow-local"),
        divergent_barriers: names("allow-divergent-barriers"),
        externals: names("allow-extern"),
    }
}

fn is_macro(manifest: &Table) -> bool {
    manifest.get("lib").and_then(|lib| lib.get("proc-macro")).and_then(Value::as_bool) == Some(true)
}

/// What the library is compiled with for the GPU.
fn dependencies(manifest: &Table) -> Vec<(&str, &Value)> {
    let mut holders = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        holders.extend(targets.iter().filter(|(cfg, _)| !is_host_only(cfg)).filter_map(|(_, t)| t.as_table()));
    }
    let tables = holders.into_iter().flat_map(|holder| {
        ["dependencies", "build-dependencies"].into_iter().filter_map(|kind| holder.get(kind)?.as_table())
    });
    tables.flatten().map(|(name, dependency)| (name.as_str(), dependency)).collect()
}

/// Whether a condition plainly rules out the GPU. Any other is taken to hold there.
fn is_host_only(cfg: &str) -> bool {
    let cfg: String = cfg.chars().filter(|c| !c.is_whitespace()).collect();
    cfg == "cfg(not(target_arch=\"nvptx64\"))"
}

fn path_of(name: &str, dependency: &Value, dir: &Path, workspace: Option<&(PathBuf, Table)>) -> Option<PathBuf> {
    if let Some(path) = string(dependency, "path") {
        return Some(dir.join(path));
    }
    if dependency.get("workspace").and_then(Value::as_bool) != Some(true) {
        return None;
    }
    let (root, manifest) = workspace?;
    let shared = manifest.get("workspace")?.get("dependencies")?.get(name)?;
    string(shared, "path").map(|path| root.join(path))
}

/// The nearest manifest above `dir`, or in it, that makes a workspace.
pub(crate) fn workspace_of(dir: &Path) -> Result<Option<(PathBuf, Table)>, Error> {
    for ancestor in dir.ancestors() {
        let path = ancestor.join("Cargo.toml");
        if path.is_file() {
            let manifest = read(&path)?;
            if manifest.contains_key("workspace") {
                return Ok(Some((ancestor.to_owned(), manifest)));
            }
        }
    }
    Ok(None)
}

pub(crate) fn read(path: &Path) -> Result<Table, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let reason = |error: toml::de::Error| Error::Manifest { path: path.to_owned(), reason: error.to_string() };
    text.parse::<Table>().map_err(reason)
}

fn string<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// Without `..`, so that a folder has one name however it is come by.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                tidy.pop();
            }
            std::path::Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    tidy
}
