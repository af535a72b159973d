//! How much memory this process may still take, whatever the machine has free: its control groups, of Linux, say so (both
//! versions, each group and those above it), and its limit of addresses (`ulimit -v`).

use std::fs::read_to_string;
use std::path::{Component, Path};

/// Bytes that the process may still take, as far as anything limits them.
pub(super) fn allowed() -> u64 {
    let text = |path| read_to_string(path).unwrap_or_default();
    let of_groups = left_by_groups(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo"));
    of_groups.min(left_of_addresses())
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

/// Bytes that groups leave to the process that has these lines in its `cgroup` and `mountinfo` (proc(5), cgroups(7)).
fn left_by_groups(groups: &str, mounts: &str) -> u64 {
    let left = mounts.lines().filter_map(|mount| {
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
        own.ancestors().take_while(|folder| folder.starts_with(point)).filter_map(|folder| version.left(folder)).min()
    });
    left.min().unwrap_or(u64::MAX)
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
    /// Bytes that a group leaves, if it limits them.
    fn left(&self, group: &Path) -> Option<u64> {
        let number = |name: &str| read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
        let (most, taken) = (number(self.most)?, number(self.taken)?);
        let stat = read_to_string(group.join("memory.stat")).unwrap_or_default();
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
    let pages = read_to_string("/proc/self/statm").ok();
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

    /// Folders of groups, each with what it may take, has, and has of files.
    fn groups(version: &Version, of: &[(&str, &str, u64, u64)]) -> tempfile::TempDir {
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
            let top = groups(
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
                left_by_groups(
                    &lines,
                    &format!("31 23 0:28 / / rw - tmpfs x rw\n{}", mounted(&top, root, kind, options)),
                )
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
        assert_eq!(left_by_groups("", ""), u64::MAX);
        assert_eq!(left_by_groups("0::/a\n", "what\n\n1 2 - cgroup2\n"), u64::MAX);
        let top = groups(&SECOND, &[("a", "max", 1, 0)]);
        assert_eq!(left_by_groups("0::/a\n", &mounted(&top, "/", "cgroup2", "rw")), u64::MAX);
        // More than it may have, as where a limit was lowered.
        let top = groups(&SECOND, &[("a", "10", 30, 0)]);
        assert_eq!(left_by_groups("0::/a\n", &mounted(&top, "/", "cgroup2", "rw")), 0);
    }
}
