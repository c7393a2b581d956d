//! `cargo vm`: kwalk and its tests, on other kernels than the one that runs.

mod apt;
mod arch;
mod binaries;
mod error;
mod image;
mod kernel;
mod qemu;
mod report;
mod results;
mod support;
mod tools;

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tempfile::NamedTempFile;
use vm_init::{End, Lines, PLAN, Plan};

use arch::Arch;
use error::{Error, Result};
use image::Image as Initramfs;
use kernel::{Cache, Image, KNOWN, Known};
use qemu::{Ended, Guest, PassOn};
use report::{Result as Tested, Row};

/// Runs kwalk, or its tests, on other kernels.
#[derive(Parser)]
#[command(name = "cargo vm", disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    guests: Guests,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Guests {
    /// Their processor: amd64, arm64 or s390x [default: this machine's]
    #[arg(long, global = true)]
    arch: Option<String>,
    /// Whether their kernels compile BPF programs [default: as each is configured]
    #[arg(long, global = true)]
    jit: Option<Jit>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Jit {
    On,
    Off,
}

#[derive(Subcommand)]
enum Command {
    /// List the kernels that are known, and which are here
    List,
    /// Run a command line of kwalk in a kernel
    Run {
        #[command(flatten)]
        own: Own,
        /// A kernel (see `cargo vm list`), unless --kernel is given; then the arguments of kwalk
        #[arg(
            required = true,
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "KERNEL|ARGUMENT"
        )]
        words: Vec<OsString>,
    },
    /// Put kernels' BTF into target/vm/btf, a file each, where the tests of kwalk-btf look for it
    Btf {
        /// Which kernels (see `cargo vm list`) [default: all]
        kernels: Vec<String>,
    },
    /// Run the integration tests in kernels
    Test {
        #[command(flatten)]
        own: Own,
        /// Which kernels (see `cargo vm list`) [default: all]
        #[arg(conflicts_with = "kernel")]
        kernels: Vec<String>,
        /// Put the table of what each kernel supports, as the tests found it, into README.md
        #[arg(long)]
        readme: bool,
    },
}

#[derive(Args)]
struct Own {
    /// A kernel image of one's own
    #[arg(long, value_name = "VMLINUZ")]
    kernel: Option<PathBuf>,
}

/// How long a guest may be silent; some tests take long on an emulated processor.
const PATIENCE: Duration = Duration::from_secs(300);

/// Where a kernel shows its types.
const BTF: &str = "/sys/kernel/btf/vmlinux";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = Shop::open(&cli.guests).and_then(|shop| match cli.command {
        Command::List => list(&shop),
        Command::Run { own, words } => run(&shop, own.kernel, &words),
        Command::Btf { kernels } => btf(&shop, &kernels),
        Command::Test { own, kernels, readme } => test(&shop, own.kernel, &kernels, readme),
    });
    done.unwrap_or_else(|error| {
        say(format_args!("vm: {error}"));
        if let Some(hint) = error.hint() {
            say(format_args!("hint: {hint}"));
        }
        ExitCode::from(if matches!(error, Error::UnknownKernel(_) | Error::Architecture(_)) { 2 } else { 1 })
    })
}

/// Writes a line to stderr. Nobody can be told if that fails.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The same to stdout.
fn print(text: &str) -> Result<()> {
    io::stdout().write_all(text.as_bytes()).map_err(Error::at(Path::new("standard output")))
}

fn list(shop: &Shop) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for known in KNOWN.iter().filter(|known| shop.cache.has(known)) {
        let state = match shop.cache.cached(known) {
            Ok(Some(image)) => image.version.unwrap_or_default(),
            Ok(None) => "not here yet".into(),
            Err(error) => error.to_string(),
        };
        rows.push([known.name.into(), known.source(), state]);
    }
    print(&report::columns(&["KERNEL", "SOURCE", "HERE"], rows))?;
    Ok(ExitCode::SUCCESS)
}

fn run(shop: &Shop, own: Option<PathBuf>, words: &[OsString]) -> Result<ExitCode> {
    shop.arch.ready()?;
    let (image, words) = match (own, words) {
        (Some(path), words) => (Image::own(&path)?, words),
        (None, [name, words @ ..]) => (shop.cache.get(Known::named(&name.to_string_lossy())?)?, words),
        // The arguments want at least one.
        (None, []) => return Ok(ExitCode::from(2)),
    };
    // It may stand between the kernel's name and what is kwalk's own.
    let words = words.strip_prefix(&[OsString::from("--")]).unwrap_or(words);
    let kwalk = binaries::kwalk(shop.arch, &shop.build_dir())?;
    let command = [&[kwalk.clone().into_os_string()][..], words].concat();
    let initramfs = shop.initramfs(&[kwalk], vec![command])?;
    let run = shop.guest(&image, initramfs.path(), 1).run(&mut PassOn)?;
    Ok(match run.ended.first().map(|ended| ended.end) {
        Some(End::Status(status)) => ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX)),
        // As a shell says it.
        Some(End::Signal(signal)) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        None => ExitCode::FAILURE,
    })
}

/// The kernels of these names, or all of an architecture.
fn known(names: &[String], cache: &Cache) -> Result<Vec<&'static Known>> {
    match names {
        [] => Ok(KNOWN.iter().filter(|known| cache.has(known)).collect()),
        names => names.iter().map(|name| Known::named(name)).collect(),
    }
}

fn btf(shop: &Shop, names: &[String]) -> Result<ExitCode> {
    let known = known(names, &shop.cache)?;
    shop.arch.ready()?;
    let mut status = ExitCode::SUCCESS;
    for (kernel, btf) in side_by_side(known, |known| (known.name, shop.btf(known))) {
        match btf {
            Ok(path) => print(&format!("{}\n", path.display()))?,
            Err(error) if error.is_absence() => say(format_args!("vm: skipped: {kernel}: {error}")),
            Err(error) => {
                say(format_args!("vm: {kernel}: {error}"));
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

fn test(shop: &Shop, own: Option<PathBuf>, names: &[String], readme: bool) -> Result<ExitCode> {
    let known = known(names, &shop.cache)?;
    shop.arch.ready()?;
    let images: Vec<_> = match own {
        Some(path) => vec![(path.display().to_string(), Ok(Image::own(&path)?))],
        None => known.into_iter().map(|known| (known.name.to_owned(), shop.cache.get(known))).collect(),
    };
    let built = binaries::tests(shop.arch, &shop.build_dir())?;
    let [tests, _] = &built;
    let initramfs = shop.initramfs(&built, vec![vec![tests.clone().into_os_string()]])?;

    let rows = side_by_side(images, |(kernel, image)| shop.row(kernel, image, initramfs.path()));
    let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
    let newest = KNOWN.last().map(|known| known.name);
    print(&report::table(&rows, newest))?;
    if readme {
        support::update(&binaries::root().join("README.md"), &rows)?;
    }
    Ok(if report::is_success(&rows, newest) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Does something with each, at a time one more than there are processors: each guest has one, and waits at times. The last
/// of an odd number would else run by itself, with the other processors idle.
fn side_by_side<T: Send, R: Send>(work: Vec<T>, act: impl Fn(T) -> R + Sync) -> Vec<R> {
    let workers = thread::available_parallelism().map_or(1, usize::from) + 1;
    let queue = Mutex::new(work.into_iter().enumerate());
    // Whoever panics with the lock held has broken nothing.
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    std::iter::from_fn(next).map(|(nth, work)| (nth, act(work))).collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    done.sort_by_key(|(nth, _)| *nth);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Where everything is made and kept.
struct Shop {
    arch: &'static Arch,
    dir: PathBuf,
    cache: Cache,
    /// What the guests' kernels are asked for.
    options: &'static str,
}

impl Shop {
    fn open(guests: &Guests) -> Result<Shop> {
        let (arch, dir) = (Arch::named(guests.arch.as_deref())?, binaries::target_dir()?.join("vm"));
        let options = match guests.jit {
            Some(Jit::On) => "sysctl.net.core.bpf_jit_enable=1",
            Some(Jit::Off) => "sysctl.net.core.bpf_jit_enable=0",
            None => "",
        };
        Ok(Shop { arch, cache: Cache::open(&dir, arch)?, dir, options })
    }

    fn build_dir(&self) -> PathBuf {
        self.dir.join("build")
    }

    /// Writes what a guest finds: binaries where they are here, what they need beside, and what it is to run.
    fn initramfs(&self, binaries: &[PathBuf], commands: Vec<Vec<OsString>>) -> Result<NamedTempFile> {
        let init = binaries::init(self.arch, &self.build_dir())?;
        let lent = tools::find(&self.dir.join("tools"), self.arch)?;
        // An emulated processor takes its time with what is made at random; all of it runs on the host.
        let env = [
            ("PATH", "/bin"),
            ("HOME", "/tmp"),
            ("TMPDIR", "/tmp"),
            ("KWALK_CASES", "10000"),
            ("PROPTEST_CASES", "100"),
        ];
        let env = env.map(|(name, value)| (name.into(), value.into())).into();
        let [stdout, stderr, events] = self.arch.lines.map(OsString::from);
        let lines = Lines { stdout, stderr, events };
        let plan = Plan { lines, dir: binaries::root().into(), env, commands };
        let file = NamedTempFile::new_in(&self.dir).map_err(Error::at(&self.dir))?;
        let write = || {
            let mut image = Initramfs::begin(BufWriter::new(file.as_file()))?;
            image.program(Path::new("/init"), &init)?;
            image.link(Path::new("/bin/sleep"), Path::new("/init"))?;
            for (to, from) in &lent {
                image.program(to, from)?;
            }
            for binary in binaries {
                image.program(binary, binary)?;
            }
            image.directory(binaries::root())?;
            image.file(Path::new(PLAN), &plan.encode())?;
            image.finish()
        };
        write().map_err(Error::at(file.path()))?;
        Ok(file)
    }

    fn guest<'a>(&self, image: &'a Image, initramfs: &'a Path, commands: usize) -> Guest<'a> {
        let (arch, kernel, options) = (self.arch, &image.path, self.options);
        Guest { arch, kernel, initramfs, options, commands, patience: PATIENCE }
    }

    /// A file of the kernel's BTF: one that is there already, unless the image is newer.
    fn btf(&self, known: &'static Known) -> Result<PathBuf> {
        let image = self.cache.get(known)?;
        let dir = self.dir.join("btf");
        // Others have a folder of their own: they may be of the other byte order.
        let dir = if self.arch.is_host() { dir } else { dir.join(self.arch.debian) };
        let path = dir.join(format!("{}.btf", known.name));
        let written = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        if written(&path) > written(&image.path) {
            return Ok(path);
        }
        let initramfs = self.initramfs(&[], vec![["/bin/cat", BTF].map(OsString::from).into()])?;
        let mut run = self.guest(&image, initramfs.path(), 1).run(&mut ())?;
        let bytes = match run.ended.pop() {
            Some(Ended { end: End::Status(0), stdout, .. }) => stdout,
            ended => {
                let said = ended.map(|ended| String::from_utf8_lossy(&ended.stderr).into_owned());
                let log = said.unwrap_or_default();
                return Err(Error::Guest { why: format!("{BTF} can't be read"), log });
            }
        };
        fs::create_dir_all(&dir).map_err(Error::at(&dir))?;
        let mut file = NamedTempFile::new_in(&dir).map_err(Error::at(&dir))?;
        file.write_all(&bytes).map_err(Error::at(&path))?;
        file.persist(&path).map_err(|error| Error::at(&path)(error.error))?;
        Ok(path)
    }

    /// Runs the tests in a kernel, if there is one.
    fn row(&self, kernel: String, image: Result<Image>, initramfs: &Path) -> Result<Row> {
        let row = |version, result| Row { kernel: kernel.clone(), version, result };
        let image = match image {
            Ok(image) => image,
            Err(error) if error.is_absence() => {
                return Ok(row(String::new(), Tested::Skipped(error.to_string())));
            }
            Err(error) => return Ok(row(String::new(), Tested::Failed(error.to_string()))),
        };
        let start = Instant::now();
        let run = match self.guest(&image, initramfs, 1).run(&mut ()) {
            Ok(run) => run,
            // There is none for the next kernel, either.
            Err(error @ Error::NoProgram(_)) => return Err(error),
            Err(error) => {
                return Ok(row(image.version.unwrap_or_default(), Tested::Failed(error.to_string())));
            }
        };
        let seconds = start.elapsed().as_secs();
        let tests = match run.ended.first() {
            Some(ended) => {
                let took = ended.took.as_secs();
                say(format_args!("vm: {kernel} ({}): {seconds} s, its tests {took} s", run.release));
                if ended.end != End::Status(0) {
                    for text in [&ended.stdout, &ended.stderr] {
                        say(format_args!("{}", String::from_utf8_lossy(text)));
                    }
                }
                results::parse(ended)
            }
            None => Err("the tests did not run".into()),
        };
        Ok(row(run.release, tests.map_or_else(Tested::Failed, Tested::Ran)))
    }
}
