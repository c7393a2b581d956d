//! Several programs with one life: open, load, attach, detach, destroy.

use kwalk_progs::Program;

use crate::{Error, Iter, Link, Loaded, Scope};

/// Several programs that are loaded, attached and undone together.
///
/// Each step either works for all of them or is undone for all of them. What is open is closed with the value; a
/// link that was pinned lives on.
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
    parts: Vec<Part<'a>>,
}

#[derive(Debug)]
struct Part<'a> {
    program: Program,
    scope: Scope<'a>,
    loaded: Option<Loaded>,
    link: Option<Link>,
}

impl<'a> Skeleton<'a> {
    /// Takes the programs. Nothing is asked of the kernel yet.
    pub fn open(programs: impl IntoIterator<Item = Program>) -> Skeleton<'a> {
        let part = |program| Part { program, scope: Scope::All, loaded: None, link: None };
        Skeleton { parts: programs.into_iter().map(part).collect() }
    }

    /// Sets the scope in which the program called `name` will walk when it is attached.
    ///
    /// # Errors
    ///
    /// [`Error::NoPart`] where there is no program of that name.
    pub fn configure(&mut self, name: &str, scope: Scope<'a>) -> Result<(), Error> {
        let part = self.parts.iter_mut().find(|part| part.program.name == name);
        part.ok_or_else(|| Error::NoPart { name: name.into() })?.scope = scope;
        Ok(())
    }

    /// Loads what is not loaded yet.
    ///
    /// # Errors
    ///
    /// Those of [`Loaded::load`], for the first program that fails. What this call has loaded is unloaded then.
    pub fn load(&mut self) -> Result<(), Error> {
        let loaded = self.parts.iter().map(|part| match part.loaded {
            None => Loaded::load(&part.program).map(Some),
            Some(_) => Ok(None),
        });
        let loaded = loaded.collect::<Result<Vec<_>, _>>()?;
        for (part, loaded) in self.parts.iter_mut().zip(loaded) {
            part.loaded = loaded.or(part.loaded.take());
        }
        Ok(())
    }

    /// Attaches what is not attached yet.
    ///
    /// # Errors
    ///
    /// [`Error::NotLoaded`] before [`Skeleton::load`]; those of [`Loaded::attach`], for the first program that fails.
    /// What this call has attached is detached then.
    pub fn attach(&mut self) -> Result<(), Error> {
        let links = self.parts.iter().map(|part| match (&part.link, &part.loaded) {
            (Some(_), _) => Ok(None),
            (None, Some(loaded)) => loaded.attach(&part.scope).map(Some),
            (None, None) => Err(Error::NotLoaded { program: part.program.name }),
        });
        let links = links.collect::<Result<Vec<_>, _>>()?;
        for (part, link) in self.parts.iter_mut().zip(links) {
            part.link = link.or(part.link.take());
        }
        Ok(())
    }

    /// The program called `name`, once it is loaded.
    pub fn loaded(&self, name: &str) -> Option<&Loaded> {
        self.part(name)?.loaded.as_ref()
    }

    /// The link of the program called `name`, while it is attached.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.part(name)?.link.as_ref()
    }

    fn part(&self, name: &str) -> Option<&Part<'a>> {
        self.parts.iter().find(|part| part.program.name == name)
    }

    /// Starts a walk of the program called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::NoPart`] where there is none of that name, or it is not attached.
    pub fn iter(&self, name: &str) -> Result<Iter, Error> {
        self.link(name).ok_or_else(|| Error::NoPart { name: name.into() })?.iter()
    }

    /// Detaches the programs; they stay loaded, and can be attached again.
    pub fn detach(&mut self) {
        for part in &mut self.parts {
            part.link = None;
        }
    }

    /// Closes what is open, and nothing else. Dropping the skeleton does the same.
    pub fn destroy(self) {}
}
