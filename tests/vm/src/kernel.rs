//! The kernels that are known, where their packages are, and the cache of their images.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::apt::{Apt, run};
use crate::arch::Arch;
use crate::error::{Error, Result};

/// A version as `(major, minor)`.
pub(crate) type Version = (u16, u16);

/// A kernel that Debian has, or the newest of several.
#[derive(Debug)]
pub(crate) struct Known {
    /// What it is called here.
    pub(crate) name: &'static str,
    /// The suites that have it.
    suites: &'static [&'static str],
    /// The versions that it may be of, both included.
    versions: (Version, Version),
}

/// All of them, from the oldest to the newest.
pub(crate) const KNOWN: &[Known] = &[
    Known { name: "5.10", suites: &["bullseye"], versions: ((5, 10), (5, 10)) },
    Known { name: "6.1", suites: &["bookworm"], versions: ((6, 1), (6, 1)) },
    Known { name: "6.12", suites: &["trixie"], versions: ((6, 12), (6, 12)) },
    Known { name: "6.x", suites: &["trixie-backports"], versions: ((6, 16), (6, 19)) },
    Known { name: "7.x", suites: &["trixie-backports", "sid"], versions: ((7, 0), (7, u16::MAX)) },
];

/// For how long a cached image is taken for the newest.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// An image that can be booted.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// The version of its package; of an image of one's own, nothing.
    pub(crate) version: Option<String>,
    /// The file.
    pub(crate) path: PathBuf,
}

impl Image {
    /// An image of one's own.
    pub(crate) fn own(path: &Path) -> Result<Image> {
        File::open(path).map_err(Error::at(path))?;
        Ok(Image { version: None, path: path.into() })
    }
}

impl Known {
    /// The kernel of this name.
    pub(crate) fn named(name: &str) -> Result<&'static Known> {
        KNOWN.iter().find(|known| known.name == name).ok_or_else(|| Error::UnknownKernel(name.into()))
    }
}

impl Known {
    /// Where it comes from, in words.
    pub(crate) fn source(&self) -> String {
        let ((major, minor), (last_major, last_minor)) = self.versions;
        let suites = self.suites.join(", ");
        match last_minor {
            u16::MAX => format!("the newest {major}.{minor} or later of {suites}"),
            _ if self.versions.0 == self.versions.1 => suites,
            _ => format!("the newest {major}.{minor} to {last_major}.{last_minor} of {suites}"),
        }
    }
}

/// Where images are kept, and where they come from.
pub(crate) struct Cache {
    dir: PathBuf,
    arch: &'static Arch,
}

/// What is kept beside an image, a line each.
struct About {
    package: String,
    version: String,
    sha256: String,
}

impl Cache {
    /// The cache in `dir`, which is made if need be.
    pub(crate) fn open(dir: &Path, arch: &'static Arch) -> Result<Cache> {
        let dir = dir.join("kernels").join(arch.name);
        fs::create_dir_all(&dir).map_err(Error::at(&dir))?;
        Ok(Cache { dir, arch })
    }

    /// The cached image, if there is one.
    pub(crate) fn cached(&self, known: &'static Known) -> Result<Option<Image>> {
        Ok(self.look(known)?.map(|about| self.image(known, about)))
    }

    /// Whether its processor has this kernel: whether Debian describes the types of kernels so old.
    pub(crate) fn has(&self, known: &Known) -> bool {
        known.versions.1 >= self.arch.since
    }

    /// The newest image: the cached one, unless it is a day old and a newer one can be had.
    pub(crate) fn get(&self, known: &'static Known) -> Result<Image> {
        let cached = self.look(known)?;
        let about = match cached {
            Some(about) if self.is_fresh(known) => about,
            Some(about) => self.fetch(known, Some(&about)).unwrap_or_else(|error| {
                crate::say(format_args!(
                    "vm: kernel {}: whether there is a newer one is not known: {error}",
                    known.name
                ));
                about
            }),
            None => self.fetch(known, None)?,
        };
        Ok(self.image(known, about))
    }

    fn image(&self, known: &Known, about: About) -> Image {
        Image { version: Some(about.version), path: self.dir.join(known.name).join("vmlinuz") }
    }

    fn about(&self, known: &Known) -> PathBuf {
        self.dir.join(known.name).join("about")
    }

    fn is_fresh(&self, known: &Known) -> bool {
        let modified = fs::metadata(self.about(known)).and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age < FRESH))
    }

    /// What is cached, if it is what was put there.
    fn look(&self, known: &'static Known) -> Result<Option<About>> {
        let path = self.about(known);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::at(&path))?,
        };
        let path = path.with_file_name("vmlinuz");
        let about = match *text.lines().collect::<Vec<_>>() {
            [package, version, sha256] => {
                About { package: package.into(), version: version.into(), sha256: sha256.into() }
            }
            _ => return Err(Error::Damaged { kernel: known.name, path }),
        };
        match File::open(&path).and_then(sha256) {
            Ok(sha256) if sha256 == about.sha256 => Ok(Some(about)),
            _ => Err(Error::Damaged { kernel: known.name, path }),
        }
    }

    /// Fetches the newest that can be had, unless it is `cached` already.
    fn fetch(&self, known: &'static Known, cached: Option<&About>) -> Result<About> {
        let mut found = Vec::new();
        let mut failed = None;
        for suite in known.suites {
            // One suite of two is enough.
            let listed = Apt::update(&self.dir, suite, self.arch).and_then(|apt| {
                Ok((newest_packages(&package_names(&apt)?, known.versions, self.arch.flavour), Rc::new(apt)))
            });
            match listed {
                Ok((packages, apt)) => {
                    found.extend(packages.into_iter().map(|(release, name)| (release, name, apt.clone())));
                }
                Err(error) => failed = Some(error),
            }
        }
        found.sort_by(|(a, ..), (b, ..)| b.cmp(a));
        for (_, package, apt) in found {
            let version = apt.version(&package)?.unwrap_or_default();
            let sha256 = match cached {
                Some(cached) if (&cached.package, &cached.version) == (&package, &version) => {
                    cached.sha256.clone()
                }
                _ => {
                    crate::say(format_args!("vm: fetching {package} {version}"));
                    match apt.download(&package) {
                        Ok(path) => self.extract(known, &path)?,
                        // A mirror may list what it has not got yet, or no longer.
                        Err(error) if error.to_string().contains("404") => {
                            crate::say(format_args!("vm: kernel {}: {error}", known.name));
                            failed = Some(error);
                            continue;
                        }
                        Err(error) => return Err(error),
                    }
                }
            };
            let about = About { package, version, sha256 };
            let text = format!("{}\n{}\n{}\n", about.package, about.version, about.sha256);
            let path = self.about(known);
            fs::write(&path, text).map_err(Error::at(&path))?;
            return Ok(about);
        }
        let none = || Error::NotInArchive { kernel: known.name, suites: known.suites.join(", ") };
        Err(failed.unwrap_or_else(none))
    }

    /// Puts a package's image in its place, and gives its hash.
    fn extract(&self, known: &Known, package: &Path) -> Result<String> {
        let dir = self.dir.join(known.name);
        fs::create_dir_all(&dir).map_err(Error::at(&dir))?;
        let mut image = NamedTempFile::new_in(&dir).map_err(Error::at(&dir))?;
        let output = image.reopen().map_err(Error::at(&dir))?;

        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("--fsys-tarfile").arg(package).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut unpack = unpack.spawn().map_err(Error::start("dpkg-deb"))?;
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--to-stdout", "--wildcards", "--no-anchored", "vmlinuz*"]).stdout(output);
        if let Some(archive) = unpack.stdout.take() {
            tar.stdin(archive);
        }
        let picked = run("tar", &mut tar);
        let unpacked = unpack.wait().map_err(Error::start("dpkg-deb"))?;
        picked?;
        let sha256 = sha256(image.as_file_mut()).map_err(Error::at(&dir))?;
        let empty = image.as_file().metadata().map_err(Error::at(&dir))?.len() == 0;
        if !unpacked.success() || empty {
            let why = format!("{}: {unpacked}, and there is no image", package.display());
            return Err(Error::Program { name: "dpkg-deb", why });
        }
        image.persist(dir.join("vmlinuz")).map_err(|error| Error::at(&dir)(error.error))?;
        Ok(sha256)
    }
}

fn sha256(mut file: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The numbers of a release, in the order of their weight.
type Release = Vec<u32>;

/// What the packages that hold images begin with. Since 6.19 those of the second kind hold none, but ask for one of the
/// first.
const PREFIXES: [&str; 3] = ["linux-binary-unsigned-", "linux-binary-", "linux-image-"];

fn package_names(apt: &Apt) -> Result<Vec<String>> {
    let names = ["linux-binary-", "linux-image-"].map(|prefix| apt.names(prefix));
    Ok(names.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

/// The packages with images of those versions, one of each release, the newest first.
fn newest_packages(names: &[String], versions: (Version, Version), flavour: &str) -> Vec<(Release, String)> {
    let of = |name: &String| {
        let (prefix, rest) =
            PREFIXES.iter().enumerate().find_map(|(nth, prefix)| Some((nth, name.strip_prefix(prefix)?)))?;
        let release = release(rest.strip_suffix(flavour)?.strip_suffix('-')?)?;
        let version = (u16::try_from(*release.first()?).ok()?, u16::try_from(*release.get(1)?).ok()?);
        (versions.0 <= version && version <= versions.1)
            .then(|| (release, PREFIXES.len() - prefix, name.clone()))
    };
    let mut packages: Vec<_> = names.iter().filter_map(of).collect();
    packages.sort_by(|a, b| b.cmp(a));
    packages.dedup_by(|(release, ..), (before, ..)| release == before);
    packages.into_iter().map(|(release, _, name)| (release, name)).collect()
}

/// The numbers of "6.1.0-50" and "7.2.13+deb14", but for what says whose package it is; none of a release candidate.
fn release(text: &str) -> Option<Release> {
    let text = text.split('+').next()?;
    text.split(['.', '-']).map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(names: &[&str], name: &str) -> Option<String> {
        let names: Vec<_> = names.iter().map(|name| name.to_string()).collect();
        let packages = newest_packages(&names, Known::named(name).unwrap().versions, "cloud-amd64");
        Some(packages.into_iter().next()?.1)
    }

    #[test]
    fn the_newest_package_is_chosen_by_its_numbers() {
        let bookworm = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-50-cloud-amd64",
            "linux-image-6.1.0-50-cloud-amd64-unsigned",
            "linux-image-6.1.0-51-cloud-amd64-dbg",
            "linux-image-6.1.0-52-cloud-arm64",
            "linux-image-6.1.0-52-amd64",
            "linux-image-6.10.11+bpo-cloud-amd64",
            "linux-image-cloud-amd64",
        ];
        assert_eq!(newest(&bookworm, "6.1").as_deref(), Some("linux-image-6.1.0-50-cloud-amd64"));
        assert_eq!(newest(&bookworm, "5.10"), None);
    }

    #[test]
    fn an_image_is_looked_for_where_newer_packages_keep_it() {
        let backports = [
            "linux-image-7.0.13+deb13-cloud-amd64",
            "linux-binary-7.0.13+deb13-cloud-amd64",
            "linux-binary-7.0.4+deb13-cloud-amd64",
            "linux-binary-6.19.14+deb13-cloud-amd64",
            "linux-image-6.16.3+deb13-cloud-amd64",
            "linux-image-6.15.9+deb13-cloud-amd64",
            "linux-image-7.9~rc1-cloud-amd64",
        ];
        assert_eq!(newest(&backports, "7.x").as_deref(), Some("linux-binary-7.0.13+deb13-cloud-amd64"));
        assert_eq!(newest(&backports, "6.x").as_deref(), Some("linux-binary-6.19.14+deb13-cloud-amd64"));
        let unsigned =
            ["linux-image-7.3.4+deb13-cloud-amd64", "linux-binary-unsigned-7.3.4+deb13-cloud-amd64"];
        assert_eq!(newest(&unsigned, "7.x").as_deref(), Some(unsigned[1]));
    }
}
