//! Podman with images and containers of its own, which go with the story.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use nix::sys::resource::{Resource, getrlimit};
use tempfile::TempDir;

use crate::support::{RelayOptions, eventually};

/// What the image and the container are called.
const NAME: &str = "relay";

/// A store of images that has the relay's, built from the container file.
pub struct Podman {
    folder: TempDir,
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the relay lies in the workspace")
}

/// The profile that the repository brings.
pub fn our_profile() -> String {
    format!("seccomp={}", repository().join("deploy/container/relay-seccomp.json").display())
}

impl Podman {
    /// Builds the image as the documents say, around a static relay that is built once for all stories.
    pub fn with_image() -> Self {
        let podman = Self { folder: tempfile::tempdir().unwrap() };
        let context = podman.folder.path().join("context");
        for file in [".dockerignore", "deploy/container/relay.toml", "deploy/container/Containerfile"] {
            copy(&repository().join(file), &context.join(file));
        }
        copy(static_relay(), &context.join("target/image/relay"));
        let file = context.join("deploy/container/Containerfile");
        let words = ["build", "--quiet", "--target", "prebuilt", "--tag", NAME, "--file"].map(OsString::from);
        podman.must(words.into_iter().chain([file.into(), context.into()]));
        podman
    }

    /// A relay in a container, in the network of the story: options of podman, flags of the relay.
    pub fn relay(&self, options: &[&str], flags: &[&str]) -> RelayOptions {
        let start = ["run", "--name", NAME, "--network", "host"];
        let words = self.globals().into_iter().chain(start.map(str::to_owned)).chain(limits());
        let words: Vec<String> =
            words.chain(options.iter().chain(&[NAME]).chain(flags).map(|&word| word.to_owned())).collect();
        RelayOptions::of(Path::new("podman")).with(words.iter().map(String::as_str))
    }

    /// What a shell of this machine says inside a container of this image under this profile, and whether it succeeded.
    pub fn shell(&self, profile: &[&str], script: &str) -> Output {
        let mut command = self.command();
        command.args(["run", "--rm", "--network", "none", "--read-only", "--entrypoint", "/usr/bin/sh"]);
        command.args(limits()).args(profile);
        for folder in ["/usr", "/lib", "/lib64"] {
            command.args(["--volume", &format!("{folder}:{folder}:ro")]);
        }
        command.args([NAME, "-c", script]).stdin(Stdio::null()).output().expect("podman runs")
    }

    /// Runs podman; it must succeed. What it prints.
    #[track_caller]
    pub fn must(&self, words: impl IntoIterator<Item = impl Into<OsString>>) -> String {
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let output = self.command().args(&words).stdin(Stdio::null()).output().expect(
            "podman runs: the stories in containers need the Debian packages podman and runc, and root",
        );
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {words:?} ended with {}: {errors}", output.status);
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// The process of the relay, as this machine sees it.
    pub fn pid(&self) -> u32 {
        self.must(["inspect", "--format", "{{.State.Pid}}", NAME]).parse().expect("a process id")
    }

    /// With what the container of a relay ended, once it has.
    pub fn exit_code(&self) -> i32 {
        eventually("the container ends", || {
            let state = self.must(["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", NAME]);
            state.strip_prefix("exited ").map(|code| code.parse().expect("an exit code"))
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("podman");
        command.args(self.globals());
        command
    }

    /// Nothing is shared with, or left to, the podman of this machine.
    fn globals(&self) -> Vec<String> {
        let folder = |name: &str| self.folder.path().join(name).display().to_string();
        let own = ["--root", &folder("root"), "--runroot", &folder("run"), "--tmpdir", &folder("tmp")];
        // What works without systemd, without overlays in overlays, and in a mixed hierarchy of control groups.
        let modest = "--storage-driver vfs --cgroup-manager cgroupfs --events-backend file --runtime runc";
        own.map(str::to_owned).into_iter().chain(modest.split(' ').map(str::to_owned)).collect()
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = self.command().args(["rm", "--all", "--force", "--time", "0"]).output();
    }
}

/// Podman wants to raise its limits, which not every root may: it gets those that are there.
fn limits() -> Vec<String> {
    // Podman's own ceilings.
    let ceilings =
        [("nofile", Resource::RLIMIT_NOFILE, 1_048_576), ("nproc", Resource::RLIMIT_NPROC, 32_768)];
    let limit = |(name, resource, ceiling): (&str, Resource, u64)| {
        let (_, hard) = getrlimit(resource).expect("a limit");
        let value = hard.min(ceiling);
        ["--ulimit".to_owned(), format!("{name}={value}:{value}")]
    };
    ceilings.into_iter().flat_map(limit).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).unwrap();
    fs::copy(from, to).unwrap_or_else(|error| panic!("{} is copied: {error}", from.display()));
}

/// A static relay, built by the script that users run, but without the optimisation that takes minutes.
fn static_relay() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let own = std::env::current_exe().expect("the path of this program");
        let folder = own.ancestors().nth(3).expect("target/PROFILE/deps").join("container");
        let binary = folder.join("relay");
        let built = Command::new(repository().join("deploy/container/build-static"))
            .args(["--quiet", "--config", "profile.release.lto=false"])
            .args(["--config", "profile.release.codegen-units=16", "--config", "profile.release.opt-level=0"])
            .args(["--config", "profile.release.debug=false"])
            .env("CARGO_TARGET_DIR", &folder)
            .env("IMAGE_BINARY", &binary)
            .status();
        assert!(built.expect("deploy/container/build-static runs").success());
        binary
    })
}
