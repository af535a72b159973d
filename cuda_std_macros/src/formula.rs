//! Formulas of a launch, whose arithmetic is that of `cuda_std::launch::formula`: arguments of a launch reach it, and none
//! of them is to end in a panic, nor a size that no number holds in a small one. What may do that, and has no counterpart
//! there, does not compile.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident};
use syn::visit_mut::{self, VisitMut};
use syn::{
    BinOp, Error, Expr, ExprBinary, ExprIndex, ExprLit, ExprMethodCall, ExprRepeat, ExprUnary, GenericArgument, Item,
    Macro, Pat, Result, Type, UnOp, parse_quote,
};

/// The formula in that arithmetic.
pub fn checked(formula: &Expr) -> Result<TokenStream> {
    let (mut formula, mut checked) = (formula.clone(), Checked(None));
    checked.visit_expr_mut(&mut formula);
    checked.0.map_or_else(|| Ok(formula.into_token_stream()), Err)
}

/// What was found that no formula may have.
struct Checked(Option<Error>);

impl Checked {
    fn refuse(&mut self, what: &impl ToTokens, message: String) {
        let error = Error::new_spanned(what, message);
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// The call that takes a formula's place, if one does.
    fn call(&mut self, formula: &Expr) -> Option<Expr> {
        let (name, operands) = match formula {
            Expr::Binary(ExprBinary { left, op, right, .. }) => match operator(op) {
                Some(Arithmetic::Other(name)) => (name, vec![&**left, &**right]),
                Some(Arithmetic::Harmless) => return None,
                None => {
                    self.refuse(op, format!("`{}` is no operator of a formula", op.to_token_stream()));
                    return None;
                }
            },
            // The compiler refuses one that is too large.
            Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) if !matches!(**expr, Expr::Lit(ExprLit { .. })) => {
                ("negative", vec![&**expr])
            }
            Expr::MethodCall(ExprMethodCall { receiver, method, args, .. }) => match method_of(&method.to_string()) {
                Some(Arithmetic::Other(name)) => (name, std::iter::once(&**receiver).chain(args).collect()),
                Some(Arithmetic::Harmless) => return None,
                None => {
                    let known = HARMLESS.iter().chain(OTHERS.iter().map(|(method, _)| method));
                    let known = known.copied().collect::<Vec<_>>().join(", ");
                    let message = format!(
                        "whether `{method}` may panic or overflow is not known; a formula's methods are {known}, and any \
                         function may be called"
                    );
                    self.refuse(method, message);
                    return None;
                }
            },
            Expr::Index(ExprIndex { index, .. }) => {
                self.refuse(
                    index,
                    "an index may be out of bounds, and a formula does not panic; call a function".to_owned(),
                );
                return None;
            }
            _ => return None,
        };
        let function = format_ident!("{name}");
        Some(parse_quote!(::cuda_std::expansion::formula::#function(#(#operands),*)))
    }
}

impl VisitMut for Checked {
    fn visit_expr_mut(&mut self, formula: &mut Expr) {
        visit_mut::visit_expr_mut(self, formula);
        if let Some(call) = self.call(formula) {
            *formula = call;
        }
    }

    fn visit_expr_repeat_mut(&mut self, repeat: &mut ExprRepeat) {
        self.visit_expr_mut(&mut repeat.expr);
    }

    // What becomes of its tokens is not known here.
    fn visit_macro_mut(&mut self, called: &mut Macro) {
        self.refuse(called, "what a macro makes of a formula may panic or overflow; call a function".to_owned());
    }

    // What the compiler computes stays: it has no arguments of a launch, and its functions are `const`.
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_generic_argument_mut(&mut self, _: &mut GenericArgument) {}
    fn visit_pat_mut(&mut self, _: &mut Pat) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

/// What becomes of an operator or a method.
enum Arithmetic {
    /// The function stands for it: it may overflow, or has no result for some operands.
    Other(&'static str),
    /// It has a result for all.
    Harmless,
}

fn operator(op: &BinOp) -> Option<Arithmetic> {
    Some(match op {
        BinOp::Mul(_) => Arithmetic::Other("product"),
        BinOp::Add(_) => Arithmetic::Other("sum"),
        BinOp::Sub(_) => Arithmetic::Other("difference"),
        BinOp::Div(_) => Arithmetic::Other("quotient"),
        BinOp::Rem(_) => Arithmetic::Other("remainder"),
        BinOp::Shl(_) => Arithmetic::Other("shifted_left"),
        BinOp::Shr(_) => Arithmetic::Other("shifted_right"),
        BinOp::And(_) | BinOp::Or(_) | BinOp::BitAnd(_) | BinOp::BitOr(_) | BinOp::BitXor(_) => Arithmetic::Harmless,
        BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_) => Arithmetic::Harmless,
        _ => return None,
    })
}

/// Methods, and the functions that stand for them.
const OTHERS: [(&str, &str); 3] = [("div_ceil", "ceiling"), ("next_multiple_of", "next_multiple"), ("pow", "power")];

/// Methods of slices, numbers and truth values that have a result for all.
const HARMLESS: [&str; 15] = [
    "len",
    "is_aligned",
    "min",
    "max",
    "is_multiple_of",
    "is_power_of_two",
    "abs_diff",
    "saturating_add",
    "saturating_sub",
    "saturating_mul",
    "count_ones",
    "leading_zeros",
    "trailing_zeros",
    "is_finite",
    "is_nan",
];

fn method_of(name: &str) -> Option<Arithmetic> {
    let other = OTHERS.iter().find(|(method, _)| *method == name).map(|&(_, function)| Arithmetic::Other(function));
    other.or(HARMLESS.contains(&name).then_some(Arithmetic::Harmless))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_that_is_known_is_in_the_documentation() {
        for page in ["src/lib.rs", "../docs/writing-kernels.md"] {
            let text = std::fs::read_to_string(format!("{}/{page}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            for method in OTHERS.iter().map(|(method, _)| method).chain(&HARMLESS) {
                assert!(text.contains(&format!("`{method}`")), "{page} does not list {method}");
            }
        }
    }
}
