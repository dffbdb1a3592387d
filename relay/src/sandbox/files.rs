//! Landlock: which files can still be read, and that no file, device or TCP address can be had beyond.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

/// What the rules were written for. Later versions also hold sockets of files back, of which a service manager's is one.
const KNOWN: ABI = ABI::V6;

/// The first version that keeps a process from TCP connections (Linux 6.7).
pub const RULES_TCP: u32 = ABI::V4 as u32;

/// Keeps the calling thread, and what it starts, from all files but those below `/proc` and the folders of these files,
/// which it may read, and this folder, in which it may make files, write and replace them; returns the version of the interface.
pub fn give_up<'a>(files: impl IntoIterator<Item = &'a Path>, written: Option<&Path>) -> Result<u32, String> {
    let status = restrict(folders(files), written).map_err(|error| error.to_string())?;
    match (status.landlock, status.ruleset) {
        (_, RulesetStatus::NotEnforced) => Err(missing(status.landlock).to_owned()),
        (LandlockStatus::Available { effective_abi, .. }, _) => Ok(effective_abi as u32),
        (other, _) => Err(missing(other).to_owned()),
    }
}

fn restrict(readable: BTreeSet<PathBuf>, written: Option<&Path>) -> Result<RestrictionStatus, RulesetError> {
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read | AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::RemoveFile | AccessFs::Truncate;
    Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(scope())?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(written, write))?
        .restrict_self()
}

/// No signals to other processes, and no sockets of theirs but a service manager's.
fn scope() -> BitFlags<Scope> {
    let manager = env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    let is_abstract = manager.as_encoded_bytes().first() == Some(&b'@');
    if is_abstract { Scope::Signal.into() } else { Scope::from_all(KNOWN) }
}

/// Folders and not files, because a file that is replaced is another file; where it lies as well as where links lead. A
/// file beside everything else in `/` is worth less than all of it: that one is named itself.
fn folders<'a>(files: impl IntoIterator<Item = &'a Path>) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::from([PathBuf::from("/proc")]);
    for file in files {
        for path in [Some(file.to_owned()), file.canonicalize().ok()].into_iter().flatten() {
            let folder = match path.parent() {
                Some(folder) if folder == Path::new("") => PathBuf::from("."),
                Some(folder) => folder.to_owned(),
                None => path.clone(),
            };
            let is_root = folder.canonicalize().is_ok_and(|folder| folder == Path::new("/"));
            all.insert(if is_root { path } else { folder });
        }
    }
    all
}

fn missing(status: LandlockStatus) -> &'static str {
    match status {
        LandlockStatus::NotImplemented => {
            "this kernel has none (Linux 5.13), or a filter of system calls keeps it away"
        }
        LandlockStatus::NotEnabled => {
            "it is not enabled; boot with lsm=landlock,... in the kernel's command line"
        }
        LandlockStatus::Available { .. } => "the kernel enforces nothing of it",
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_folder_counts_and_where_links_lead() {
        let (place, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("real"), "").unwrap();
        symlink(other.path().join("real"), place.path().join("relay.toml")).unwrap();
        let file = place.path().join("relay.toml");
        let list = folders([file.as_path()]);
        let real = other.path().canonicalize().unwrap();
        assert_eq!(list, BTreeSet::from(["/proc".into(), place.path().to_owned(), real]));
        assert_eq!(folders([Path::new("relay.toml")]), BTreeSet::from(["/proc".into(), ".".into()]));
    }

    #[test]
    fn a_file_in_the_root_does_not_open_everything() {
        let list = folders([Path::new("/relay.toml"), Path::new("/proc/../relay.toml")]);
        assert!(!list.contains(Path::new("/")) && list.contains(Path::new("/relay.toml")), "{list:?}");
    }
}
