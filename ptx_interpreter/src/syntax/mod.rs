//! PTX text to a syntax tree.

pub(crate) mod ast;
mod lexer;
mod module;
mod statement;
mod variable;

pub(crate) use module::parse;
