//! A configuration whose file is at hand as bytes, for tests that try many.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::load::{Loaded, overlay};
use super::problem::Exit;
use super::{environment, file, flags, setup};

/// What [`super::load()`] makes of these sources. Nothing else is read: no file is opened, every name is that of
/// 127.0.0.1.
///
/// # Errors
/// Those of [`super::load()`].
pub fn examine(
    args: impl Iterator<Item = OsString>,
    variables: impl Iterator<Item = (OsString, OsString)>,
    file: &[u8],
) -> Result<Loaded, Exit> {
    let (flags, task) = flags::read(args)?;
    let (environment, warnings) = environment::read(variables)?;
    let mut merged = overlay(file::parse(Path::new("relay.toml"), file)?, &environment, &flags)?;
    let hosts = merged.resolve(|_| Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]))?;
    let token_file = merged.args.status_token_file.take();
    let setup = setup::check(&merged, hosts, warnings)?;
    merged.args.status_token_file = token_file;
    Ok(Loaded { setup, task, merged, flags, environment })
}
