//! The dashboards: generated anew and compared with what is committed, and built into the page that the tests open.

use std::fs;

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

/// The lock file as it was when its packages were installed.
const INSTALLED: &str = "node_modules/.installed-lock.json";

/// What is generated, in the folder of the dashboards.
const GENERATED: [&str; 2] = ["relay.json", "loadgen.json"];

/// Installs the packages if they are not there, checks types and generated files, builds the page, checks the configuration.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    let _folder = shell.push_dir("dashboards");
    install(shell)?;
    cmd!(shell, "npm run --silent typecheck").run()?;
    cmd!(shell, "npm run --silent generator").run()?;
    let folder = shell.create_temp_dir()?;
    let anew = folder.path();
    cmd!(shell, "node built/generate.js {anew}").run()?;
    for name in GENERATED {
        if shell.read_file(anew.join(name))? != shell.read_file(name)? {
            bail!("dashboards/{name} is not what dashboards/source says; run: npm run generate");
        }
    }
    cmd!(shell, "npm run --silent page").run()?;
    Ok(cmd!(shell, "promtool check config prometheus.yml").run()?)
}

fn install(shell: &Shell) -> anyhow::Result<()> {
    let lock = shell.read_file("package-lock.json")?;
    if let Some(line) = lock.lines().find(|line| line.contains("\"resolved\"")) {
        bail!("dashboards/package-lock.json names a registry, although .npmrc forbids it: {}", line.trim());
    }
    if shell.read_file(INSTALLED).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    // No package has to run anything of its own to be installed.
    cmd!(shell, "npm ci --ignore-scripts --loglevel=error").run()?;
    fs::write(shell.current_dir().join(INSTALLED), lock).context("node_modules is there")
}
