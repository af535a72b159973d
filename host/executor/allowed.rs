//! How much memory this process may still take, whatever the machine has free: its control groups, of Linux, say so (both
//! versions, each group and those above it), and its limit of addresses (`ulimit -v`).

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

/// The groups that the process is in, and those above: looked for once, as it stays where it is, and what they allow is not.
static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| {
    let text = |path| text(Path::new(path)).unwrap_or_default();
    groups(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo"))
});

/// Bytes that the process may still take of a machine's, as far as anything limits them.
///
/// A fit asks several times, and may be a tenth of a millisecond's work: so what stays as it is is not looked at again.
pub(super) fn allowed(machine: u64) -> u64 {
    left(&GROUPS, machine).min(left_of_addresses())
}

/// What a file of the system says. Its length is not known beforehand, and each read takes as long as all of it.
fn text(path: &Path) -> Option<String> {
    let mut text = String::with_capacity(8192);
    File::open(path).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}

/// A folder of a control group.
struct Group {
    version: &'static Version,
    folder: PathBuf,
}

/// The files in which a version of control groups has what a group may take and what it has, and what stands in
/// `memory.stat` of the copies of files in that, which the group gives back.
struct Version {
    most: &'static str,
    taken: &'static str,
    files: [&'static str; 2],
}

const FIRST: Version = Version {
    most: "memory.limit_in_bytes",
    taken: "memory.usage_in_bytes",
    files: ["total_active_file", "total_inactive_file"],
};

const SECOND: Version =
    Version { most: "memory.max", taken: "memory.current", files: ["active_file", "inactive_file"] };

/// The groups of the process that has these lines in its `cgroup` and `mountinfo` (proc(5), cgroups(7)).
fn groups(groups: &str, mounts: &str) -> Vec<Group> {
    let of_mount = |mount: &str| {
        let (before, behind) = mount.split_once(" - ")?;
        let (kind, options) = (behind.split(' ').next()?, behind.split(' ').next_back()?);
        let version = match kind {
            "cgroup" if options.split(',').any(|option| option == "memory") => &FIRST,
            "cgroup2" => &SECOND,
            _ => return None,
        };
        let [root, point] = [3, 4].map(|at| before.split(' ').nth(at).map(Path::new));
        let (point, group) = (point?, Path::new(group(groups, kind)?));
        // A container's groups may be named from above what is mounted in it, which then is its own.
        let below =
            group.strip_prefix(root?).ok().filter(|below| below.components().all(|part| part != Component::ParentDir));
        let own = point.join(below.unwrap_or(Path::new("")));
        let folders = own.ancestors().take_while(|folder| folder.starts_with(point));
        Some(folders.map(|folder| Group { version, folder: folder.to_owned() }).collect::<Vec<_>>())
    };
    mounts.lines().filter_map(of_mount).flatten().collect()
}

/// Bytes that groups leave to a process on a machine of so many.
fn left(groups: &[Group], machine: u64) -> u64 {
    groups.iter().filter_map(|group| group.version.left(&group.folder, machine)).min().unwrap_or(u64::MAX)
}

/// The group in which the process is, for a kind of mounts.
fn group<'a>(groups: &'a str, kind: &str) -> Option<&'a str> {
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let of_kind = match kind {
            "cgroup" => controllers.split(',').any(|controller| controller == "memory"),
            _ => controllers.is_empty(),
        };
        of_kind.then_some(group)
    })
}

impl Version {
    /// Bytes that a group leaves, if it limits them to less than the machine does.
    fn left(&self, group: &Path, machine: u64) -> Option<u64> {
        let number = |name: &str| text(&group.join(name))?.trim().parse::<u64>().ok();
        // What it has taken the machine has no more: of as much or more than that has, it leaves no less.
        let most = number(self.most).filter(|&most| most < machine)?;
        let taken = number(self.taken)?;
        let stat = text(&group.join("memory.stat")).unwrap_or_default();
        let lines = stat.lines().filter_map(|line| line.split_once(' '));
        let files =
            lines.filter(|(name, _)| self.files.contains(name)).filter_map(|(_, bytes)| bytes.parse::<u64>().ok());
        Some(most.saturating_sub(taken.saturating_sub(files.sum())))
    }
}

/// Bytes of addresses that the process may still take.
#[cfg(unix)]
fn left_of_addresses() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is written to the place that is given.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) } == 0;
    if !known || limit.rlim_cur == libc::RLIM_INFINITY {
        return u64::MAX;
    }
    // SAFETY: it reads a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(0) as u64;
    let pages = text(Path::new("/proc/self/statm"));
    let pages = pages.and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or(0);
    limit.rlim_cur.saturating_sub(pages.saturating_mul(page))
}

#[cfg(not(unix))]
fn left_of_addresses() -> u64 {
    u64::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that the groups of a process with these lines leave, whatever the machine has.
    fn left_by(lines: &str, mounts: &str) -> u64 {
        left(&groups(lines, mounts), u64::MAX)
    }

    /// Folders of groups, each with what it may take, has, and has of files.
    fn folders(version: &Version, of: &[(&str, &str, u64, u64)]) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        for (group, most, taken, files) in of {
            let folder = top.path().join(group);
            std::fs::create_dir_all(&folder).unwrap();
            let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
            write(version.most, format!("{most}\n"));
            write(version.taken, format!("{taken}\n"));
            let [active, inactive] = version.files;
            write("memory.stat", format!("anon 7\n{active} {files}\n{inactive} 1\nfile 900\n"));
        }
        top
    }

    /// A line of `mountinfo`.
    fn mounted(top: &tempfile::TempDir, root: &str, kind: &str, options: &str) -> String {
        format!("32 31 0:29 {root} {} rw,relatime shared:9 - {kind} {kind} {options}\n", top.path().display())
    }

    #[test]
    fn the_tightest_group_above_a_process_counts() {
        for (version, kind, options, line) in
            [(FIRST, "cgroup", "rw,memory", "4:cpu,memory:"), (SECOND, "cgroup2", "rw,nsdelegate", "0::")]
        {
            let free = "9223372036854771712";
            let top = folders(
                &version,
                &[
                    ("", free, 500, 0),
                    ("a", "1000", 400, 99),
                    ("a/b", "5000", 300, 0),
                    ("c", "50", 10, 0),
                    ("d", "max", 1, 0),
                ],
            );
            let left = |group: &str, root: &str| {
                // Other lines are those of other groups, as a mixed system has them.
                let lines = format!("9:name=systemd:/c\n3:cpu,cpuset:/c\n{line}{group}\n");
                left_by(&lines, &format!("31 23 0:28 / / rw - tmpfs x rw\n{}", mounted(&top, root, kind, options)))
            };
            // That above leaves less: 1000, of which 400 are taken, 100 of them by files.
            assert_eq!((left("/a/b", "/"), left("/a", "/"), left("/c", "/")), (700, 700, 41), "{kind}");
            assert_eq!(left("/d", "/"), free.parse::<u64>().unwrap() - 499, "{kind}");
            // A container, in which its group is mounted, and one that knows its group by no name.
            assert_eq!((left("/x/y/c", "/x/y"), left("/../elsewhere", "/")), (41, free.parse::<u64>().unwrap() - 499));
        }
    }

    #[test]
    fn what_is_not_said_limits_nothing() {
        assert_eq!(left_by("", ""), u64::MAX);
        assert_eq!(left_by("0::/a\n", "what\n\n1 2 - cgroup2\n"), u64::MAX);
        let top = folders(&SECOND, &[("a", "max", 1, 0)]);
        assert_eq!(left_by("0::/a\n", &mounted(&top, "/", "cgroup2", "rw")), u64::MAX);
        // More than it may have, as where a limit was lowered.
        let top = folders(&SECOND, &[("a", "10", 30, 0)]);
        assert_eq!(left_by("0::/a\n", &mounted(&top, "/", "cgroup2", "rw")), 0);
    }

    /// And what is lowered or raised in between is seen.
    #[test]
    fn a_group_of_more_than_the_machine_leaves_all_of_that() {
        let top = folders(&FIRST, &[("a", "1000", 600, 0)]);
        let groups = groups("4:memory:/a\n", &mounted(&top, "/", "cgroup", "rw,memory"));
        assert_eq!((left(&groups, 1001), left(&groups, 1000), left(&groups, 10)), (401, u64::MAX, u64::MAX));
        std::fs::write(top.path().join("a").join(FIRST.most), "700\n").unwrap();
        assert_eq!(left(&groups, 1000), 101);
    }
}
