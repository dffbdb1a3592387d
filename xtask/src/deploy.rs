//! What the container file, the Kubernetes manifests and the compose file say: checked by their own tools, and against the relay.

mod compose;
mod kubernetes;
mod tools;

use anyhow::{Context, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

use tools::Tools;

/// Fails with the first mistake.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    let tools = Tools::install(shell)?;
    tools.hadolint("deploy/container/Containerfile")?;
    tools.yamllint("deploy")?;
    cmd!(shell, "cargo build --quiet --locked --release -p relay --bin relay").run()?;
    let relay = Relay::new(shell)?;
    kubernetes::check(&tools, &relay)?;
    compose::check(&tools, &relay)?;
    relay.accepts_file("deploy/container/relay.toml")?;
    println!("deploy: container file, manifests and compose file are sound");
    Ok(())
}

/// The program itself, asked what it understands.
struct Relay<'a> {
    shell: &'a Shell,
    binary: String,
    help: String,
}

impl<'a> Relay<'a> {
    fn new(shell: &'a Shell) -> anyhow::Result<Self> {
        let folder = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
        let binary = format!("{folder}/release/relay");
        let help = cmd!(shell, "{binary} --help").quiet().read()?;
        Ok(Self { shell, binary, help })
    }

    /// A variable is one of the relay's: it ignores those that it does not know.
    fn knows_variable(&self, name: &str) -> anyhow::Result<()> {
        let flag = name.trim_start_matches("RELAY_").to_lowercase().replace('_', "-");
        if !self.help.contains(&format!("--{flag} ")) {
            bail!("{name} means nothing to the relay");
        }
        Ok(())
    }

    fn accepts_file(&self, path: &str) -> anyhow::Result<()> {
        let binary = &self.binary;
        cmd!(self.shell, "{binary} --check-config --config {path}").quiet().ignore_stdout().run()?;
        Ok(())
    }

    /// The configuration that this file, these variables and the defaults make, as a file.
    fn configuration(&self, file: &str, variables: &[(String, String)]) -> anyhow::Result<String> {
        let _variables: Vec<_> =
            variables.iter().map(|(name, value)| self.shell.push_env(name, value)).collect();
        let folder = self.shell.create_temp_dir()?;
        let path = folder.path().join("relay.toml");
        self.shell.write_file(&path, file)?;
        let binary = &self.binary;
        Ok(cmd!(self.shell, "{binary} --print-config --config {path}").quiet().read()?)
    }
}

/// The value at a path like `/spec/containers/0`.
fn at<'a>(value: &'a Value, path: &str) -> anyhow::Result<&'a Value> {
    value.pointer(path).with_context(|| format!("nothing at {path} in {value:.300}"))
}

/// The text at a path.
fn text<'a>(value: &'a Value, path: &str) -> anyhow::Result<&'a str> {
    at(value, path)?.as_str().with_context(|| format!("no text at {path}"))
}

/// The list at a path.
fn list<'a>(value: &'a Value, path: &str) -> anyhow::Result<&'a [Value]> {
    Ok(at(value, path)?.as_array().with_context(|| format!("no list at {path}"))?)
}
