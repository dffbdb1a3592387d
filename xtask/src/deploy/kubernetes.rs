//! The Kubernetes manifests: valid, and true of the relay and of each other.

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::tools::Tools;
use super::{Relay, at, list, text};

/// A node's address, in place of what Kubernetes puts there.
const HOST_IP: &str = "192.0.2.7";

const FOLDER: &str = "deploy/kubernetes";

/// Fails with the first mistake.
pub fn check(tools: &Tools, relay: &Relay) -> anyhow::Result<()> {
    let monitor = tools.read_yaml(&format!("{FOLDER}/podmonitor.yaml"))?;
    let [monitor] = &monitor[..] else { bail!("podmonitor.yaml is not one document") };
    check_monitor(tools, monitor)?;
    for name in ["host-network.yaml", "host-port.yaml"] {
        let file = format!("{FOLDER}/{name}");
        let documents = tools.read_yaml(&file)?;
        tools.kubernetes_validate(&file, documents.len())?;
        let [map, deployment] = &documents[..] else { bail!("{name} is not a map and a deployment") };
        let checked =
            check_deployment(map, deployment, relay).and_then(|()| is_selected(monitor, deployment));
        checked.with_context(|| file.clone())?;
    }
    Ok(())
}

/// What the Prometheus operator wants, as far as these few fields go: its schema is in no package registry.
fn check_monitor(tools: &Tools, monitor: &Value) -> anyhow::Result<()> {
    ensure!(
        text(monitor, "/apiVersion")? == "monitoring.coreos.com/v1"
            && text(monitor, "/kind")? == "PodMonitor"
    );
    let known = ["jobLabel", "selector", "podMetricsEndpoints"];
    for name in at(monitor, "/spec")?.as_object().context("an object")?.keys() {
        ensure!(known.contains(&name.as_str()), "podmonitor.yaml: {name} is not known to this test");
    }
    let endpoint = at(monitor, "/spec/podMetricsEndpoints/0")?;
    for name in endpoint.as_object().context("an object")?.keys() {
        ensure!(
            ["port", "path", "interval"].contains(&name.as_str()),
            "podmonitor.yaml: {name} is not known"
        );
    }
    // The dashboards take rates over four scrapes of this length.
    let prometheus = tools.read_yaml("dashboards/prometheus.yml")?;
    let interval = text(&prometheus[0], "/global/scrape_interval")?;
    ensure!(
        text(endpoint, "/interval")? == interval,
        "the interval is not that of dashboards/prometheus.yml"
    );
    ensure!(text(endpoint, "/path")? == "/metrics");
    Ok(())
}

/// The monitor finds the pods of a deployment, their port, and the name of the job that dashboards and alerts use.
fn is_selected(monitor: &Value, deployment: &Value) -> anyhow::Result<()> {
    let labels = at(deployment, "/spec/template/metadata/labels")?;
    let selected = at(monitor, "/spec/selector/matchLabels")?;
    ensure!(selected == at(deployment, "/spec/selector/matchLabels")? && selected == labels, "labels differ");
    let job = labels.get(text(monitor, "/spec/jobLabel")?).and_then(Value::as_str);
    ensure!(job == Some("relay"), "the job would be {job:?}");
    port(deployment, text(monitor, "/spec/podMetricsEndpoints/0/port")?)?;
    Ok(())
}

fn check_deployment(map: &Value, deployment: &Value, relay: &Relay) -> anyhow::Result<()> {
    let pod = at(deployment, "/spec/template/spec")?;
    let container = at(pod, "/containers/0")?;
    ensure!(*at(pod, "/enableServiceLinks")? == Value::Bool(false), "a Service would set RELAY_PORT");
    ensure!(text(pod, "/volumes/0/configMap/name")? == text(map, "/metadata/name")?);
    ensure!(text(container, "/volumeMounts/0/name")? == text(pod, "/volumes/0/name")?);
    // Where the image looks.
    ensure!(text(container, "/volumeMounts/0/mountPath")? == "/etc/relay");
    let variables = variables(container)?;
    for (name, _) in variables.iter().filter(|(name, _)| name.starts_with("RELAY_")) {
        relay.knows_variable(name)?;
    }
    let printed = relay.configuration(text(map, "/data/relay.toml")?, &variables)?;
    let says = |line: String| {
        ensure!(printed.lines().any(|printed| printed.starts_with(&line)), "no {line} in\n{printed}");
        Ok(())
    };
    let on_host = pod.get("hostNetwork") == Some(&Value::Bool(true));
    let host = if on_host { HOST_IP } else { "0.0.0.0" };
    says(format!("port = {}", at(port(deployment, "relay")?, "/containerPort")?))?;
    says(format!("metrics-listen = \"{host}:{}\"", at(port(deployment, "metrics")?, "/containerPort")?))?;
    says(format!("shards = {}", text(container, "/resources/limits/cpu")?))?;
    ensure!(
        at(container, "/resources/limits")? == at(container, "/resources/requests")?,
        "QoS is not guaranteed"
    );
    for (probe, path) in [("startup", "/readyz"), ("readiness", "/readyz"), ("liveness", "/livez")] {
        // The default is one second, which a busy node may take.
        let patience = at(container, &format!("/{probe}Probe/timeoutSeconds"))?;
        ensure!(patience.as_u64() >= Some(5), "{probe}Probe: timeoutSeconds is {patience}");
        ensure!(text(container, &format!("/{probe}Probe/httpGet/path"))? == path, "{probe}Probe");
        port(deployment, text(container, &format!("/{probe}Probe/httpGet/port"))?)?;
    }
    Ok(())
}

/// The environment, with what Kubernetes puts in.
fn variables(container: &Value) -> anyhow::Result<Vec<(String, String)>> {
    let variable = |entry: &Value| {
        let name = text(entry, "/name")?.to_owned();
        let source = entry.get("valueFrom").map(Value::to_string).unwrap_or_default();
        let value = if source.contains("status.hostIP") {
            HOST_IP.to_owned()
        } else if source.contains("limits.cpu") {
            text(container, "/resources/limits/cpu")?.to_owned()
        } else {
            text(entry, "/value")?.replace("$(HOST_IP)", HOST_IP)
        };
        Ok((name, value))
    };
    list(container, "/env")?.iter().map(variable).collect()
}

/// A port of the pod, by its name.
fn port<'a>(deployment: &'a Value, name: &str) -> anyhow::Result<&'a Value> {
    let ports = list(deployment, "/spec/template/spec/containers/0/ports")?;
    let found = ports.iter().find(|port| port.get("name").and_then(Value::as_str) == Some(name));
    found.with_context(|| format!("no port is called {name}"))
}
