//! Where a benchmark keeps its data, and on what machine it runs.

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

/// File systems in memory: a sync there is no sync.
const NO_DISK: [&str; 2] = ["tmpfs", "ramfs"];

/// How to run it.
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Where the data goes, on a real disk; a folder within is made and removed. Default: `target/bench-data`.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// A tenth of it.
    #[arg(long, conflicts_with = "long")]
    quick: bool,
    /// As large as is promised, where that is more than what is measured else.
    #[arg(long)]
    long: bool,
    /// So much: rows, scans or pictures, as the benchmark has them.
    #[arg(long)]
    rows: Option<usize>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A folder on a real disk.
#[derive(Debug)]
pub(crate) struct Place {
    dir: tempfile::TempDir,
    size: Sizes,
    rows: Option<usize>,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
enum Sizes {
    Quick,
    Usual,
    Long,
}

/// How many of something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Many {
    pub(crate) usual: usize,
    pub(crate) long: usize,
}

impl From<usize> for Many {
    fn from(n: usize) -> Self {
        Self { usual: n, long: n }
    }
}

impl Place {
    /// Makes it, and prints what machine this is.
    #[expect(clippy::print_stdout, reason = "the figures are for whoever runs this")]
    pub(crate) fn make(title: &str) -> anyhow::Result<Self> {
        let arguments = Arguments::parse();
        let beside = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench-data");
        let parent = arguments.dir.unwrap_or(beside);
        fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
        let (disk, file_system) = disk(&parent)?;
        ensure!(
            !NO_DISK.contains(&file_system.as_str()),
            "{} is in memory; name a folder on a disk with --dir",
            parent.display()
        );
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        println!("{title}");
        println!(
            "machine: {} cores, Linux {}, {file_system} on {disk}",
            available_parallelism()?,
            kernel.trim()
        );
        let dir = tempfile::tempdir_in(parent)?;
        let size = match (arguments.quick, arguments.long) {
            (true, _) => Sizes::Quick,
            (false, true) => Sizes::Long,
            (false, false) => Sizes::Usual,
        };
        Ok(Self { dir, size, rows: arguments.rows })
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// So many, a tenth if it is to be quick, or what the arguments say.
    pub(crate) fn count(&self, n: impl Into<Many>) -> usize {
        let Many { usual, long } = n.into();
        self.rows.unwrap_or(match self.size {
            Sizes::Quick => usual / 10,
            Sizes::Usual => usual,
            Sizes::Long => long,
        })
    }
}

/// The device that holds the folder, and its file system (proc(5), `mountinfo`).
fn disk(dir: &Path) -> anyhow::Result<(String, String)> {
    let dir = dir.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, disk) = line.split_once(" - ")?;
        let point = PathBuf::from(mount.split(' ').nth(4)?);
        let (file_system, device) = disk.split_once(' ')?;
        let device = device.split(' ').next()?;
        dir.starts_with(&point).then(|| (point, device.to_owned(), file_system.to_owned()))
    });
    let (_, device, file_system) = mounts
        .max_by_key(|(point, ..)| point.components().count())
        .context("the folder is on no disk")?;
    Ok((device, file_system))
}
