//! Formulas of a launch, whose arithmetic is that of `cuda_std::launch::formula`: arguments of a launch reach it, and none
//! of them is to end in a panic, nor a size that no number holds in a small one.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident};
use syn::visit_mut::{self, VisitMut};
use syn::{BinOp, Expr, ExprBinary, ExprMethodCall, ExprRepeat, GenericArgument, Item, Pat, Type, parse_quote};

/// The formula in that arithmetic.
pub fn checked(formula: &Expr) -> TokenStream {
    let mut formula = formula.clone();
    Checked.visit_expr_mut(&mut formula);
    formula.into_token_stream()
}

struct Checked;

impl VisitMut for Checked {
    fn visit_expr_mut(&mut self, formula: &mut Expr) {
        visit_mut::visit_expr_mut(self, formula);
        let call = match &*formula {
            Expr::Binary(ExprBinary { left, op, right, .. }) => operator(op).map(|name| (name, left, &**right)),
            Expr::MethodCall(ExprMethodCall { receiver, method, args, .. }) => {
                method_of_one(&method.to_string()).zip(args.first()).map(|(name, argument)| (name, receiver, argument))
            }
            _ => None,
        };
        if let Some((name, left, right)) = call {
            let function = format_ident!("{name}");
            *formula = parse_quote!(::cuda_std::expansion::formula::#function(#left, #right));
        }
    }

    fn visit_expr_repeat_mut(&mut self, repeat: &mut ExprRepeat) {
        self.visit_expr_mut(&mut repeat.expr);
    }

    // What the compiler computes stays: it has no arguments of a launch, and its functions are `const`.
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_generic_argument_mut(&mut self, _: &mut GenericArgument) {}
    fn visit_pat_mut(&mut self, _: &mut Pat) {}
    fn visit_item_mut(&mut self, _: &mut Item) {}
}

/// The function that stands for an operator which may overflow, or has no result for some operands.
fn operator(op: &BinOp) -> Option<&'static str> {
    match op {
        BinOp::Mul(_) => Some("product"),
        BinOp::Add(_) => Some("sum"),
        BinOp::Sub(_) => Some("difference"),
        BinOp::Div(_) => Some("quotient"),
        BinOp::Rem(_) => Some("remainder"),
        _ => None,
    }
}

/// The same for methods with one argument.
fn method_of_one(name: &str) -> Option<&'static str> {
    match name {
        "div_ceil" => Some("ceiling"),
        "next_multiple_of" => Some("next_multiple"),
        _ => None,
    }
}
