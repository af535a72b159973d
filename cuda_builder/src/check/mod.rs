//! Checks PTX for what would otherwise fail at load, run wrong, or run slowly without a word.

mod barriers;
mod body;
mod error;
mod flow;
mod taint;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use self::barriers::Barriers;
use self::body::{Body, declared_bytes};
pub use self::error::CheckError;
use crate::ptx::tokens::code_tokens;
use crate::ptx::{Item, ItemKind, Malformed, Marker, Ptx};

/// The most shared memory that a block may have beside what its launch asks for.
const MOST_STATIC_SHARED: u64 = 48 << 10;

/// The dynamic part, as `#[kernel(shared = bytes)]` declares it.
const DYNAMIC_SHARED: &str = "cuda_std_dynamic_shared";

/// What the checks let pass, by the kernel's name (for externals, by the symbol's).
///
/// ```
/// # const LOCAL: &str = ".version 7.0\n.target sm_75\n.address_size 64\n// cuda_std.kernel k gpu::family\n\
/// #     .visible .entry k()\n{\n.local .align 4 .b8 __local_depot0[16];\nret;\n}\n";
/// use cuda_builder::check::{Allowances, check};
/// use cuda_builder::ptx::Ptx;
///
/// // A kernel with 16 bytes of local memory.
/// let ptx = Ptx::read(LOCAL)?;
/// assert!(check(&ptx, &Allowances::default()).is_err());
/// let allowed = Allowances { local: ["k".to_owned()].into(), ..Allowances::default() };
/// assert!(check(&ptx, &allowed).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowances {
    /// Kernels that may use local memory.
    pub local: BTreeSet<String>,
    /// Kernels whose barriers are known to be reached by all threads although the check cannot see it.
    pub divergent_barriers: BTreeSet<String>,
    /// Symbols that something else provides, such as `vprintf`, which the driver does.
    pub externals: BTreeSet<String>,
}

impl Allowances {
    /// What either lets pass.
    ///
    /// ```
    /// use cuda_builder::check::Allowances;
    ///
    /// let of = |symbol: &str| Allowances { externals: [symbol.to_owned()].into(), ..Allowances::default() };
    /// assert_eq!(of("vprintf").or(&of("malloc")).externals.len(), 2);
    /// ```
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        self.local.extend(other.local.iter().cloned());
        self.divergent_barriers.extend(other.divergent_barriers.iter().cloned());
        self.externals.extend(other.externals.iter().cloned());
        self
    }
}

/// What a kernel turned out to be.
///
/// ```
/// # const TEXT: &str = ".version 7.0\n.target sm_75\n.address_size 64\n// cuda_std.kernel k gpu::family\n\
/// #     .visible .entry k()\n{\n.shared .align 4 .b8 tile[512];\nbar.sync 0;\nret;\n}\n";
/// use cuda_builder::check::{Allowances, KernelInfo, check};
/// use cuda_builder::ptx::Ptx;
///
/// let [KernelInfo { family, barriers, static_shared_bytes, .. }] =
///     &check(&Ptx::read(TEXT)?, &Allowances::default()).unwrap()[..]
/// else {
///     panic!("one kernel")
/// };
/// assert_eq!((family.as_str(), *barriers, *static_shared_bytes), ("family", 1, 512));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelInfo {
    /// Its entry's name.
    pub name: String,
    /// The module it belongs to.
    pub family: String,
    /// How many barrier instructions it holds, with those of the functions it calls.
    pub barriers: usize,
    /// Bytes of shared memory that it declares itself; the dynamic part is the launch's to choose.
    pub static_shared_bytes: u64,
}

/// Checks a module, whole or split.
///
/// ```
/// use cuda_builder::check::{Allowances, check};
/// use cuda_builder::ptx::Ptx;
///
/// let text = ".version 7.0\n.target sm_75\n.address_size 64\n// cuda_std.kernel k gpu::family\n\
///             .visible .entry k()\n{\nret;\n}\n";
/// let kernels = check(&Ptx::read(text)?, &Allowances::default()).expect("nothing is wrong with it");
/// assert_eq!(kernels[0].name, "k");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// All that was found wrong, in the order of the kernels.
pub fn check(ptx: &Ptx<'_>, allowed: &Allowances) -> Result<Vec<KernelInfo>, Vec<CheckError>> {
    let mut errors = names(ptx);
    let bodies = bodies(ptx).map_err(|malformed| vec![CheckError::Malformed(malformed)])?;
    let barriers = Barriers::new(&bodies);
    let mut kernels = Vec::new();
    let unique: BTreeSet<&Marker> = ptx.markers().iter().collect();
    for marker in unique {
        let reached = ptx.closure(&marker.entry);
        errors.extend(externals(ptx, marker, &reached, allowed));
        errors.extend(local_memory(&bodies, marker, &reached, allowed));
        let static_shared_bytes = shared_bytes(ptx, &bodies, &reached);
        errors.extend(shared_memory(ptx, marker, &reached, static_shared_bytes));
        if !allowed.divergent_barriers.contains(&marker.entry) {
            errors.extend(barriers.check(&marker.entry, &reached));
        }
        kernels.push(KernelInfo {
            name: marker.entry.clone(),
            family: marker.family().to_owned(),
            barriers: barriers.count(&reached),
            static_shared_bytes,
        });
    }
    if errors.is_empty() { Ok(kernels) } else { Err(errors) }
}

/// An entry or function.
#[derive(Debug)]
struct Code {
    name: String,
    body: Body,
}

/// The entries and functions, by their place among the items.
type Bodies = BTreeMap<usize, Code>;

fn bodies(ptx: &Ptx<'_>) -> Result<Bodies, Malformed> {
    let code = ptx.items.iter().enumerate().filter(|(_, item)| item.is_code());
    let read = |(index, item): (usize, &Item<'_>)| {
        let name = item.name.unwrap_or_default().to_owned();
        Ok((index, Code { name, body: Body::read(item)? }))
    };
    code.map(read).collect()
}

/// Markers and entries must be one to one.
fn names(ptx: &Ptx<'_>) -> Vec<CheckError> {
    let mut errors = Vec::new();
    let mut marked: BTreeMap<&str, &Marker> = BTreeMap::new();
    for marker in ptx.markers() {
        if let Some(first) = marked.insert(&marker.entry, marker) {
            errors.push(CheckError::Duplicate {
                kernel: marker.entry.clone(),
                first: first.module_path.clone(),
                second: marker.module_path.clone(),
            });
        }
    }
    for (kernel, marker) in &marked {
        let items: Vec<_> = ptx.items.iter().filter(|item| item.name == Some(kernel)).collect();
        if !items.iter().any(|item| item.kind == ItemKind::Entry { visible: true }) {
            errors.push(CheckError::NotAnEntry {
                kernel: (*kernel).to_owned(),
                module_path: marker.module_path.clone(),
                found: items.first().map_or("nothing of that name".to_owned(), |item| first_line(item.text)),
            });
        }
    }
    let unmarked = ptx.entries().into_iter().filter(|entry| !marked.contains_key(entry));
    errors.extend(unmarked.map(|entry| CheckError::Unmarked { entry: entry.to_owned() }));
    errors
}

fn first_line(text: &str) -> String {
    format!("`{}`", text.lines().next().unwrap_or_default().trim())
}

/// Symbols that nobody links: the driver would refuse the module, and say no more than that.
fn externals(ptx: &Ptx<'_>, marker: &Marker, reached: &BTreeSet<usize>, allowed: &Allowances) -> Vec<CheckError> {
    let items = reached.iter().map(|&index| &ptx.items[index]);
    let missing: BTreeSet<&str> = items
        .filter(|item| match item.kind {
            ItemKind::Function { external } => external,
            ItemKind::Variable { external, shared } => external && !shared,
            _ => false,
        })
        .filter_map(|item| item.name)
        .filter(|&name| !allowed.externals.contains(name))
        .collect();
    let error = |symbol: &str| CheckError::Extern { kernel: marker.entry.clone(), symbol: symbol.to_owned() };
    missing.into_iter().map(error).collect()
}

fn local_memory(
    bodies: &Bodies,
    marker: &Marker,
    reached: &BTreeSet<usize>,
    allowed: &Allowances,
) -> Option<CheckError> {
    let bytes = reached.iter().filter_map(|index| bodies.get(index)).map(|code| code.body.local_bytes);
    let bytes = bytes.fold(0, u64::saturating_add);
    let wrong = bytes > 0 && !allowed.local.contains(&marker.entry);
    wrong.then(|| CheckError::LocalMemory { kernel: marker.entry.clone(), bytes })
}

fn shared_memory(ptx: &Ptx<'_>, marker: &Marker, reached: &BTreeSet<usize>, bytes: u64) -> Vec<CheckError> {
    let kernel = || marker.entry.clone();
    let mut errors = Vec::new();
    if bytes > MOST_STATIC_SHARED {
        errors.push(CheckError::SharedMemory { kernel: kernel(), bytes, most: MOST_STATIC_SHARED });
    }
    // Its address is taken by inline assembly, which need not be declared to be compiled.
    let codes = reached.iter().map(|&index| &ptx.items[index]).filter(|item| item.is_code());
    let is_used = || codes.clone().any(|item| code_tokens(item.text).iter().any(|token| token.text == DYNAMIC_SHARED));
    if !ptx.items.iter().any(|item| item.name == Some(DYNAMIC_SHARED)) && is_used() {
        errors.push(CheckError::NoDynamicShared { kernel: kernel() });
    }
    errors
}

fn shared_bytes(ptx: &Ptx<'_>, bodies: &Bodies, reached: &BTreeSet<usize>) -> u64 {
    let static_shared = ItemKind::Variable { external: false, shared: true };
    let bytes = |index: &usize| match bodies.get(index) {
        Some(code) => code.body.shared_bytes,
        None if ptx.items[*index].kind == static_shared => declared_bytes(&code_tokens(ptx.items[*index].text)),
        None => 0,
    };
    reached.iter().map(bytes).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
