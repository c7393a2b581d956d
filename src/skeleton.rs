//! Several programs that are loaded, attached and detached together.

use kwalk_progs::Program;

use crate::error::Error;
use crate::iter::Iter;
use crate::link::Link;
use crate::load::Loaded;
use crate::scope::Scope;

/// Several programs that are loaded, attached and detached together.
///
/// Each step either works for all programs or is undone for all. Dropping the value detaches and unloads them; a pinned
/// link stays.
///
/// ```no_run
/// use kwalk::{KernelBtf, Skeleton, btf::Btf, kernel, text};
///
/// # fn main() -> Result<(), kwalk::Error> {
/// let types = KernelBtf::open()?;
/// let btf = Btf::new(types.bytes())?;
/// let kernel = kernel(&btf);
/// let options = text::Options::default();
/// let mut skeleton = Skeleton::open([
///     text::by_name("maps")?.write(&kernel, &options)?,
///     text::by_name("progs")?.write(&kernel, &options)?,
/// ]);
/// skeleton.load()?;
/// skeleton.attach()?;
/// let mut maps = skeleton.iter("maps")?;
/// while let chunk @ [_, ..] = maps.next_chunk()? {
///     print!("{}", String::from_utf8_lossy(chunk));
/// }
/// skeleton.destroy();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Skeleton<'a> {
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    program: Program,
    scope: Scope<'a>,
    loaded: Option<Loaded>,
    link: Option<Link>,
}

impl<'a> Skeleton<'a> {
    /// Takes the programs, without a system call.
    pub fn open(programs: impl IntoIterator<Item = Program>) -> Skeleton<'a> {
        let entry = |program| Entry { program, scope: Scope::All, loaded: None, link: None };
        Skeleton { entries: programs.into_iter().map(entry).collect() }
    }

    /// Sets the scope with which the program called `name` will be attached.
    ///
    /// # Errors
    ///
    /// [`Error::NoProgram`] if no program has that name.
    pub fn configure(&mut self, name: &str, scope: Scope<'a>) -> Result<(), Error> {
        let entry = self.entries.iter_mut().find(|entry| entry.program.name == name);
        entry.ok_or_else(|| Error::NoProgram { name: name.into() })?.scope = scope;
        Ok(())
    }

    /// Loads the programs that are not loaded yet.
    ///
    /// # Errors
    ///
    /// Those of [`Loaded::load`], for the first program that fails. The programs that this call has loaded are unloaded
    /// then.
    pub fn load(&mut self) -> Result<(), Error> {
        let loaded = self.entries.iter().map(|entry| match entry.loaded {
            None => Loaded::load(&entry.program).map(Some),
            Some(_) => Ok(None),
        });
        let loaded = loaded.collect::<Result<Vec<_>, _>>()?;
        for (entry, loaded) in self.entries.iter_mut().zip(loaded) {
            entry.loaded = loaded.or(entry.loaded.take());
        }
        Ok(())
    }

    /// Attaches the programs that are not attached yet.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] before [`Skeleton::load`]; those of [`Loaded::attach`], for the first program that fails.
    /// The programs that this call has attached are detached then.
    pub fn attach(&mut self) -> Result<(), Error> {
        let links = self.entries.iter().map(|entry| match (&entry.link, &entry.loaded) {
            (Some(_), _) => Ok(None),
            (None, Some(loaded)) => loaded.attach(&entry.scope).map(Some),
            (None, None) => Err(Error::NotLoaded { program: entry.program.name }),
        });
        let links = links.collect::<Result<Vec<_>, _>>()?;
        for (entry, link) in self.entries.iter_mut().zip(links) {
            entry.link = link.or(entry.link.take());
        }
        Ok(())
    }

    /// The program called `name`, once it is loaded.
    pub fn loaded(&self, name: &str) -> Option<&Loaded> {
        self.entry(name)?.loaded.as_ref()
    }

    /// The link of the program called `name`, while it is attached.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.entry(name)?.link.as_ref()
    }

    fn entry(&self, name: &str) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.program.name == name)
    }

    /// Starts a walk of the program called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::NoProgram`] if no program has that name, or it is not attached.
    pub fn iter(&self, name: &str) -> Result<Iter, Error> {
        self.link(name).ok_or_else(|| Error::NoProgram { name: name.into() })?.iter()
    }

    /// Detaches the programs. They stay loaded and can be attached again.
    pub fn detach(&mut self) {
        for entry in &mut self.entries {
            entry.link = None;
        }
    }

    /// Detaches and unloads the programs, as dropping the skeleton does.
    pub fn destroy(self) {}
}
