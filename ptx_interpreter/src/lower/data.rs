//! Variables of the module: their bytes, and the addresses among them.

use super::{Lowerer, Symbol};
use crate::code::{GlobalVariable, Pointer};
use crate::error::{ParseErrorKind, ParseResult};
use crate::syntax::ast::{Initial, Variable};
use crate::types::{Space, Type};

impl<'a> Lowerer<'a> {
    pub(super) fn add_global(&mut self, variable: &Variable) -> u32 {
        let id = self.code.globals.len() as u32;
        self.code.globals.push(GlobalVariable {
            name: variable.name.to_owned(),
            constant: variable.space == Space::Const,
            // What no initialiser sets is zero.
            bytes: vec![0; variable.bytes() as usize],
            pointers: Vec::new(),
        });
        id
    }

    /// Sets the initial values, once every name is known.
    pub(super) fn initialise(&mut self, variables: &[Variable<'a>]) -> ParseResult<()> {
        for variable in variables {
            if variable.initial.is_empty() {
                continue;
            }
            let Some(Symbol::Global(id)) = self.symbols.get(variable.name).copied() else {
                continue;
            };
            let width = variable.ty.bytes() as usize;
            if variable.initial.len() as u64 > variable.elements() {
                let kind = ParseErrorKind::Limit(format!("`{}` has more values than elements", variable.name));
                return Err(self.code.lines.error(variable.at, kind));
            }
            for (index, initial) in variable.initial.iter().enumerate() {
                self.initialise_element(id, index * width, variable, initial)?;
            }
        }
        Ok(())
    }

    fn initialise_element(&mut self, id: u32, at: usize, variable: &Variable, initial: &Initial) -> ParseResult<()> {
        let width = variable.ty.bytes() as usize;
        let bits = match initial {
            Initial::Bits(value) => match variable.ty {
                Type::F32 => u64::from((*value as i64 as f32).to_bits()),
                Type::F64 => (*value as i64 as f64).to_bits(),
                _ => *value,
            },
            Initial::Float32(bits) => u64::from(*bits),
            Initial::Float64(bits) if variable.ty == Type::F32 => u64::from((f64::from_bits(*bits) as f32).to_bits()),
            Initial::Float64(bits) => *bits,
            Initial::Symbol { name, addend, generic, mask, at: place } => {
                let target = self.symbols.get(name).and_then(|symbol| self.target(*symbol, *generic));
                let Some(target) = target else {
                    let kind = ParseErrorKind::UnknownName((*name).to_owned());
                    return Err(self.code.lines.error(*place, kind));
                };
                self.code.globals[id as usize].pointers.push(Pointer {
                    at,
                    width: width.min(8),
                    target,
                    addend: *addend,
                    shift: mask.map_or(0, u64::trailing_zeros) & 63,
                });
                return Ok(());
            }
        };
        let width = width.min(8);
        self.code.globals[id as usize].bytes[at..at + width].copy_from_slice(&bits.to_le_bytes()[..width]);
        Ok(())
    }
}
