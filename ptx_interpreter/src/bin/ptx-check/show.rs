//! What is printed, as text and as JSON.

use ptx_interpreter::{Lint, Module, Parameter, Summary};
use serde_json::{Value, json};
use std::fmt::Write;

/// All that is printed of one file.
pub struct CheckedFile {
    name: String,
    target: String,
    version: (u32, u32),
    kernels: Vec<(Summary, Vec<Parameter>)>,
    /// Lints of the module and of the kernels shown.
    pub lints: Vec<Lint>,
}

impl CheckedFile {
    /// Looks at the kernels named in `only`, or at all.
    pub fn new(name: String, module: &Module, only: &[String]) -> Self {
        let wanted = |kernel: &str| only.is_empty() || only.iter().any(|name| name == kernel);
        Self {
            name,
            target: module.target().to_owned(),
            version: module.version(),
            kernels: module
                .kernels()
                .filter(|kernel| wanted(kernel.name()))
                .map(|kernel| (kernel.summary(), kernel.parameters().to_vec()))
                .collect(),
            lints: module.lints().into_iter().filter(|lint| lint.kernel.as_deref().is_none_or(wanted)).collect(),
        }
    }

    /// The file as text.
    pub fn text(&self) -> String {
        let (major, minor) = self.version;
        let (count, s) = (self.kernels.len(), if self.kernels.len() == 1 { "" } else { "s" });
        let mut out = format!("{}: {}, PTX {major}.{minor}, {count} kernel{s}\n", self.name, self.target);
        for lint in self.lints.iter().filter(|lint| lint.kernel.is_none()) {
            out.push_str(&format!("  lint {lint}\n"));
        }
        for (summary, parameters) in &self.kernels {
            self.kernel_text(&mut out, summary, parameters);
        }
        out
    }

    fn kernel_text(&self, out: &mut String, summary: &Summary, parameters: &[Parameter]) {
        let Summary { name, static_shared, local, barriers, warp_operations, atomics, instructions, .. } = summary;
        let dynamic = if summary.dynamic_shared { " + dynamic" } else { "" };
        let registers: Vec<String> = summary.registers.iter().map(|(ty, count)| format!("{count} {ty}")).collect();
        // Writing to a string does not fail.
        let _ = writeln!(out, "\nkernel {name}");
        for parameter in parameters {
            let _ = writeln!(out, "  param    {}", parameter_text(parameter));
        }
        let _ = writeln!(out, "  shared   {static_shared} bytes static{dynamic}");
        let _ = writeln!(out, "  local    {local} bytes a thread");
        let _ = writeln!(out, "  declared {}", registers.join(", "));
        let _ = writeln!(out, "  barriers {barriers}, warp operations {warp_operations}, atomics {atomics}");
        let _ = writeln!(out, "  instructions {instructions}");
        for lint in self.lints.iter().filter(|lint| lint.kernel.as_deref() == Some(name)) {
            let _ = writeln!(out, "  lint {lint}");
        }
    }

    fn json(&self) -> Value {
        let (major, minor) = self.version;
        json!({
            "file": self.name,
            "target": self.target,
            "version": format!("{major}.{minor}"),
            "kernels": self.kernels.iter().map(|(summary, parameters)| kernel_json(summary, parameters)).collect::<Vec<_>>(),
            "lints": self.lints.iter().map(lint_json).collect::<Vec<_>>(),
        })
    }
}

fn parameter_text(parameter: &Parameter) -> String {
    let elements = parameter.elements.map_or(String::new(), |count| format!("[{count}]"));
    let Parameter { name, ty, size, align, offset, .. } = parameter;
    format!("{name}: {ty}{elements}, {size} bytes at {offset}, align {align}")
}

fn kernel_json(summary: &Summary, parameters: &[Parameter]) -> Value {
    let parameter = |parameter: &Parameter| {
        json!({
            "name": parameter.name,
            "type": parameter.ty.name(),
            "elements": parameter.elements,
            "size": parameter.size,
            "align": parameter.align,
            "offset": parameter.offset,
        })
    };
    let registers: serde_json::Map<String, Value> =
        summary.registers.iter().map(|(ty, count)| (ty.name().to_owned(), json!(count))).collect();
    json!({
        "name": summary.name,
        "parameters": parameters.iter().map(parameter).collect::<Vec<_>>(),
        "static_shared": summary.static_shared,
        "dynamic_shared": summary.dynamic_shared,
        "local": summary.local,
        "registers": registers,
        "barriers": summary.barriers,
        "warp_operations": summary.warp_operations,
        "atomics": summary.atomics,
        "instructions": summary.instructions,
    })
}

fn lint_json(lint: &Lint) -> Value {
    json!({
        "lint": lint.kind.name(),
        "kernel": lint.kernel,
        "detail": lint.detail,
        "count": lint.count,
        "ptx_line": lint.ptx_line,
        "source": lint.source.as_ref().map(ToString::to_string),
        "advice": lint.kind.advice(),
    })
}

/// All files as one JSON array.
pub fn json(files: &[CheckedFile]) -> String {
    let value = Value::Array(files.iter().map(CheckedFile::json).collect());
    format!("{value:#}\n")
}
